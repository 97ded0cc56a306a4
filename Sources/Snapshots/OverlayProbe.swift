import Glibc
import LinuxKernel
import SystemPackage

/// Finds out whether overlayfs can stand on a file system, by trying it.
enum OverlayProbe {
    /// Whether an overlay with its upper directory below `directory` can be mounted. The mount is made in a mount name
    /// space of its own, on a thread that ends with it, so that nobody else ever sees it.
    static func works(in directory: FilePath) -> Bool {
        let base = directory.appending(".probe-\(getpid())")
        let parts = ["lower", "upper", "work", "merged"].map { base.appending($0) }
        defer {
            // What stays is in nobody's way.
            try? TreeRemoval.remove(base)
        }
        for path in [base] + parts {
            guard path.withPlatformString({ mkdir($0, 0o700) }) == 0 || errno == EEXIST else { return false }
        }
        let options = "lowerdir=\(parts[0]),upperdir=\(parts[1]),workdir=\(parts[2]),index=off"
        let target = parts[3]
        // A probe that cannot be made is answered like one that failed: the copying driver works everywhere.
        guard let thread = try? JoinableThread(name: "overlay-probe", { mounts(options, at: target) }) else {
            return false
        }
        // A probe that fails, for whatever reason, means that the driver cannot be used.
        return (try? thread.join()) ?? false
    }

    private static func mounts(_ options: String, at target: FilePath) -> Bool {
        do throws(Errno) {
            try Namespaces.mount.unshare()
            try Mounts.mount(nil, on: "/", flags: [.recursive, .private])
            try Mounts.mount("overlay", on: target, type: "overlay", data: options)
            return true
        } catch {
            return false
        }
    }
}
