import CLinux
import Glibc
import SystemPackage

/// The working directory and the root of this process.
package enum WorkingDirectory {
    /// chdir(2).
    package static func change(to path: FilePath) throws(Errno) {
        if path.withPlatformString({ chdir($0) }) < 0 { throw Errno(rawValue: errno) }
    }

    /// fchdir(2).
    package static func change(to directory: FileDescriptor) throws(Errno) {
        if fchdir(directory.rawValue) < 0 { throw Errno(rawValue: errno) }
    }

    /// chroot(2).
    package static func changeRoot(to path: FilePath) throws(Errno) {
        if path.withPlatformString({ chroot($0) }) < 0 { throw Errno(rawValue: errno) }
    }

    /// The working directory's path, as the kernel sees it: one that cannot be reached from the root of this process
    /// begins with `(unreachable)`.
    package static func current() throws(Errno) -> String {
        var buffer = [CChar](repeating: 0, count: 4097)
        let count = try checked(masu_getcwd(&buffer, buffer.count))
        return String(decoding: buffer[..<max(count - 1, 0)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The file mode creation mask from now on.
    package static func setCreationMask(_ mask: UInt32) {
        umask(mask)
    }
}
