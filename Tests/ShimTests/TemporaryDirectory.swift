import LinuxKernel
import SystemPackage

/// A directory that is removed, with all that is in it, when nobody uses it any more.
final class TemporaryDirectory {
    let path: FilePath

    init() throws {
        let name = "masu-shim-\(UInt64.random(in: 0...UInt64.max))"
        path = FilePath("/tmp").appending(name)
        try Files.makeDirectory(path, mode: 0o755)
    }

    deinit {
        // A leftover in /tmp is all that can come of a failure.
        try? TreeRemoval.remove(path)
    }
}
