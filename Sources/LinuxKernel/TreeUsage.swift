import Glibc
import SystemPackage

/// What a directory tree takes on disk.
package enum TreeUsage {
    /// Bytes and inodes of the tree at `path`, each inode once, `path` itself not counted. A file counts with its size,
    /// a sparse one with what it really has. Files that vanish meanwhile do not count.
    package static func measure(_ path: FilePath) throws(Errno) -> (bytes: Int64, inodes: Int64) {
        let directory = path.withPlatformString { open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard directory >= 0 else { throw Errno(rawValue: errno) }
        var walk = Walk()
        try walk.visit(directory)
        return (walk.bytes, walk.inodes)
    }

    private struct Walk {
        var bytes: Int64 = 0
        var inodes: Int64 = 0
        private var linked: Set<UInt64> = []
        private var depth = 0

        /// Takes over the descriptor.
        mutating func visit(_ directory: Int32) throws(Errno) {
            defer { close(directory) }
            depth += 1
            defer { depth -= 1 }
            // A tree this deep was made to break whoever walks it: each level keeps a descriptor open.
            guard depth < 128 else { return }
            for name in try DirectoryListing.names(of: directory) {
                let name = name + [0]
                var status = stat()
                let found = Self.call(name) { fstatat(directory, $0, &status, AT_SYMLINK_NOFOLLOW) }
                if found != 0 {
                    if errno == ENOENT { continue }
                    throw Errno(rawValue: errno)
                }
                if status.st_nlink > 1, status.st_mode & S_IFMT != S_IFDIR,
                    !linked.insert(UInt64(status.st_ino)).inserted
                {
                    continue
                }
                inodes += 1
                if status.st_mode & S_IFMT == S_IFREG {
                    let size = Int64(status.st_size)
                    let allocated = Int64(status.st_blocks) * 512
                    bytes += size <= 4096 ? size : min(size, allocated)
                }
                if status.st_mode & S_IFMT == S_IFDIR {
                    let child = Self.call(name) {
                        openat(directory, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                    }
                    if child >= 0 { try visit(child) } else if errno != ENOENT { throw Errno(rawValue: errno) }
                }
            }
        }

        private static func call(_ name: [UInt8], _ body: (UnsafePointer<CChar>) -> Int32) -> Int32 {
            name.withUnsafeBytes { body($0.bindMemory(to: CChar.self).baseAddress.unsafelyUnwrapped) }
        }
    }
}
