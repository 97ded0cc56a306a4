import CLinux
import Glibc
import SystemPackage

/// Moves what is in one directory into another one on the same file system.
package enum DirectoryMerge {
    /// Moves each entry of `source` to `destination`, except for those whose names are taken there: they stay where
    /// they are. Both are open for reading.
    package static func move(from source: FileDescriptor, to destination: FileDescriptor) throws(Errno) {
        for name in try DirectoryListing.names(of: source.rawValue) {
            let name = (name + [0]).map { CChar(bitPattern: $0) }
            do throws(Errno) {
                try checked(masu_move_unless_there(source.rawValue, destination.rawValue, name))
            } catch .fileExists {
                continue
            } catch  where error == .invalidArgument || error == .noFunction {
                try moveUnlessThere(name, source, destination)
            }
        }
    }

    /// For file systems, such as that of NFS, which cannot do both at once.
    private static func moveUnlessThere(
        _ name: [CChar], _ source: FileDescriptor, _ destination: FileDescriptor
    ) throws(Errno) {
        var status = stat()
        if fstatat(destination.rawValue, name, &status, AT_SYMLINK_NOFOLLOW) == 0 { return }
        guard renameat(source.rawValue, name, destination.rawValue, name) == 0 else { throw Errno(rawValue: errno) }
    }
}
