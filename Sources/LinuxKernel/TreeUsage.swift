import Glibc
import SystemPackage

/// What a directory tree takes on disk.
package enum TreeUsage {
    /// Bytes and inodes of the tree at `path`, each inode once, `path` itself not counted. A file counts with its size,
    /// a sparse one with what it really has. Files that vanish meanwhile do not count.
    ///
    /// - Parameter base: A tree of which this one was a copy; what is still the same in both (by type, owner, mode,
    ///   size and time of the last change; a directory also with other entries) does not count.
    package static func measure(
        _ path: FilePath, upon base: FilePath? = nil
    ) throws(Errno) -> (bytes: Int64, inodes: Int64) {
        var walk = Walk()
        let directory = try open(path)
        do throws(Errno) {
            let base = try base.map { (path) throws(Errno) in try open(path) }
            try walk.visit(directory, upon: base ?? -1)
        } catch {
            close(directory)
            throw error
        }
        return (walk.bytes, walk.inodes)
    }

    private static func open(_ path: FilePath) throws(Errno) -> Int32 {
        let directory = path.withPlatformString { Glibc.open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard directory >= 0 else { throw Errno(rawValue: errno) }
        return directory
    }

    private struct Walk {
        var bytes: Int64 = 0
        var inodes: Int64 = 0
        private var linked: Set<UInt64> = []
        private var depth = 0

        /// Closes `base`, and `directory` unless it throws. `base` is negative where there is nothing to compare with.
        mutating func visit(_ directory: Int32, upon base: Int32) throws(Errno) {
            defer { if base >= 0 { close(base) } }
            depth += 1
            defer { depth -= 1 }
            // A tree this deep is meant to break programs that walk it: each level keeps a descriptor open.
            if depth < 128 {
                for name in try DirectoryListing.names(of: directory) {
                    try visit(name + [0], in: directory, upon: base)
                }
            }
            close(directory)
        }

        private mutating func visit(_ name: [UInt8], in directory: Int32, upon base: Int32) throws(Errno) {
            var status = stat()
            guard Self.call(name, { fstatat(directory, $0, &status, AT_SYMLINK_NOFOLLOW) }) == 0 else {
                if errno == ENOENT { return }
                throw Errno(rawValue: errno)
            }
            let isDirectory = status.st_mode & S_IFMT == S_IFDIR
            var known = stat()
            // Any failure means that there is nothing to compare with.
            let isKnown = base >= 0 && Self.call(name) { fstatat(base, $0, &known, AT_SYMLINK_NOFOLLOW) } == 0
            if status.st_nlink > 1, !isDirectory, !linked.insert(UInt64(status.st_ino)).inserted { return }
            if !isKnown || !Self.isSame(status, known) { count(status) }
            guard isDirectory else { return }
            let child = Self.call(name) { openat(directory, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) }
            guard child >= 0 else {
                if errno == ENOENT { return }
                throw Errno(rawValue: errno)
            }
            let below =
                isKnown ? Self.call(name) { openat(base, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) } : -1
            do throws(Errno) {
                try visit(child, upon: below)
            } catch {
                close(child)
                throw error
            }
        }

        private mutating func count(_ status: stat) {
            inodes += 1
            guard status.st_mode & S_IFMT == S_IFREG else { return }
            let size = Int64(status.st_size)
            let allocated = Int64(status.st_blocks) * 512
            bytes += size <= 4096 ? size : min(size, allocated)
        }

        private static func isSame(_ new: stat, _ old: stat) -> Bool {
            guard new.st_mode == old.st_mode, new.st_uid == old.st_uid, new.st_gid == old.st_gid else { return false }
            if new.st_mode & S_IFMT == S_IFDIR { return true }
            return new.st_size == old.st_size && new.st_rdev == old.st_rdev
                && new.st_mtim.tv_sec == old.st_mtim.tv_sec && new.st_mtim.tv_nsec == old.st_mtim.tv_nsec
        }

        private static func call(_ name: [UInt8], _ body: (UnsafePointer<CChar>) -> Int32) -> Int32 {
            name.withUnsafeBytes { body($0.bindMemory(to: CChar.self).baseAddress.unsafelyUnwrapped) }
        }
    }
}
