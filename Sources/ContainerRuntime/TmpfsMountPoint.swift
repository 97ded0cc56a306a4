import LinuxKernel
import SystemPackage

/// The directory on which a tmpfs is mounted that was asked for without a mode: the tmpfs gets the directory's. So a
/// temporary directory stays writable to all, and a private one private.
package struct TmpfsMountPoint {
    /// What a tmpfs has without being asked.
    private static let usualMode: UInt16 = 0o1777

    /// The directory; whoever takes it closes it.
    package let directory: FileDescriptor
    /// The option of the tmpfs, `mode=…`.
    package let option: String

    /// Finds the directory at `path` of a container's root. If it is not there it is made with `mode`, or that of a new
    /// tmpfs, writable to all.
    ///
    /// It stays in the container's layer, and the next start cannot tell it from one of the image: with any other mode
    /// a container's second start would differ from its first.
    package init(_ path: String, in root: FileDescriptor, mode: UInt16? = nil) throws(Errno) {
        let found = try Self.find(path, in: root, mode: mode ?? Self.usualMode)
        do throws(Errno) {
            option = "mode=" + String(try FileStatus.of(found).mode & 0o7777, radix: 8)
            directory = found
        } catch {
            found.discard()
            throw error
        }
    }

    private static func find(
        _ path: String, in root: FileDescriptor, mode: UInt16
    ) throws(Errno) -> FileDescriptor {
        do throws(Errno) {
            return try root.openInRoot(path, [.path, .directory])
        } catch .noSuchFileOrDirectory {
            let made = try root.makeDirectoriesInRoot(path, mode: mode)
            do throws(Errno) {
                // A directory above it may hand down its set-group-ID bit or an access list.
                try made.changeMode(".", mode: UInt32(mode))
                return made
            } catch {
                made.discard()
                throw error
            }
        }
    }
}
