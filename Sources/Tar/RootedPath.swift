import CLinux
import Glibc

/// Opening below a directory as if that were the root of all.
enum RootedPath {
    private static let noMagicLinks: UInt64 = 0x02
    private static let noLinks: UInt64 = 0x04
    private static let beneath: UInt64 = 0x08
    private static let inRoot: UInt64 = 0x10

    /// Opens `path` (ending with a NUL) inside `root` with openat2(2): absolute symbolic links and `..` stay inside.
    /// Returns the descriptor, or -1 with errno set.
    static func open(_ root: Int32, _ path: [UInt8], _ flags: Int32) -> Int32 {
        open(root, path, flags, inRoot | noMagicLinks)
    }

    /// Opens the directory `path` (ending with a NUL) for reading, if there is no symbolic link on the way. Returns the
    /// descriptor, or -1 with errno set.
    static func openBeneath(_ root: Int32, _ path: [UInt8]) -> Int32 {
        open(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, beneath | noLinks)
    }

    private static func open(_ root: Int32, _ path: [UInt8], _ flags: Int32, _ resolve: UInt64) -> Int32 {
        var how = masu_open_how(flags: UInt64(flags), mode: 0, resolve: resolve)
        var result = 0
        repeat {
            result = path.withUnsafeBytes { bytes in
                Int(masu_openat2(root, bytes.bindMemory(to: CChar.self).baseAddress, &how))
            }
            // A rename elsewhere raced with `..`; the kernel asks to try again (openat2(2), EAGAIN).
        } while result == -Int(EAGAIN)
        guard result < 0 else { return Int32(result) }
        errno = Int32(-result)
        return -1
    }
}
