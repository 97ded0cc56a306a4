import Glibc
import LinuxKernel
import SystemPackage

/// A file system in memory that is soon full.
struct SmallDisk {
    let path: FilePath

    /// - Parameter size: as tmpfs(5) takes it.
    init(_ size: String) throws {
        var template = Array("/tmp/masu-images-test-XXXXXX".utf8CString)
        path = FilePath(String(cString: mkdtemp(&template)))
        try Mounts.mount("tmpfs", on: path, type: "tmpfs", data: "size=\(size)")
    }

    func remove() {
        umount2(path.string, Int32(MNT_DETACH))
        rmdir(path.string)
    }
}
