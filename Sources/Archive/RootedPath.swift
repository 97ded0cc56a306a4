import CLinux
import Glibc

/// Opening below a directory as if that were the root of all.
enum RootedPath {
    private static let noMagicLinks: UInt64 = 0x02
    private static let inRoot: UInt64 = 0x10

    /// Opens `path` (ending with a NUL) inside `root` with openat2(2): absolute symbolic links and `..` stay inside.
    /// Returns the descriptor, or -1 with errno set.
    static func open(_ root: Int32, _ path: [UInt8], _ flags: Int32) -> Int32 {
        var how = masu_open_how(flags: UInt64(flags), mode: 0, resolve: inRoot | noMagicLinks)
        let result = path.withUnsafeBytes { bytes in
            masu_openat2(root, bytes.bindMemory(to: CChar.self).baseAddress, &how)
        }
        guard result < 0 else { return Int32(result) }
        errno = Int32(-result)
        return -1
    }
}
