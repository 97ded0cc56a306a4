import Glibc
import LinuxKernel
import SystemPackage

/// Finds out whether overlayfs can stand on a file system, by trying it.
enum OverlayProbe {
    /// Why no overlay with its upper directory below `directory` can be mounted; `nil` if it can. The mount is
    /// detached, so that nobody else ever sees it.
    static func failure(in directory: FilePath, _ options: OverlayOptions) -> Errno? {
        let base = directory.appending(".probe-\(getpid())")
        let parts = ["lower", "upper", "work", "merged"].map { base.appending($0) }
        defer {
            // What stays is in nobody's way.
            try? TreeRemoval.remove(base)
        }
        for path in [base] + parts {
            guard path.withPlatformString({ mkdir($0, 0o700) }) == 0 || errno == EEXIST else {
                return Errno(rawValue: errno)
            }
        }
        let pairs = ["lowerdir=\(parts[0])", "upperdir=\(parts[1])", "workdir=\(parts[2])"] + options.common
        do throws(Errno) {
            try Mounts.newFileSystem(
                "overlay", source: "overlay",
                options: pairs.map { pair in
                    let parts = pair.split(separator: "=", maxSplits: 1).map(String.init)
                    return (key: parts[0], value: parts.count == 2 ? parts[1] : nil)
                }
            ).discard()
            return nil
        } catch .invalidArgument {
            // Before Linux 6.5 overlayfs took its options by mount(2) only, or the paths are too long for fsconfig(2).
        } catch {
            return error
        }
        let data = pairs.joined(separator: ",")
        let target = parts[3]
        do {
            return try JoinableThread(name: "overlay-probe") { mountFailure(data, at: target) }.join()
        } catch {
            return .resourceTemporarilyUnavailable
        }
    }

    /// The same by mount(2), in a mount namespace that ends with the thread.
    private static func mountFailure(_ options: String, at target: FilePath) -> Errno? {
        do throws(Errno) {
            try Namespaces.mount.unshare()
            try Mounts.mount(nil, on: "/", flags: [.recursive, .private])
            try Mounts.mount("overlay", on: target, type: "overlay", data: options)
            return nil
        } catch {
            return error
        }
    }
}
