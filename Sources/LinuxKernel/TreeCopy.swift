import CLinux
import Glibc
import SystemPackage

/// Copies directory trees with all that belongs to them: owners, modes, times, extended attributes, hard links, devices,
/// holes. Blocks are shared where the file system can do so.
package enum TreeCopy {
    /// What could not be copied, and why.
    package struct Failure: Error, Hashable, Sendable {
        package let path: FilePath
        package let errno: Errno
    }

    /// Copies the contents and attributes of the directory `source` onto the existing, empty directory `destination`.
    package static func copy(_ source: FilePath, to destination: FilePath) throws(Failure) {
        let from = source.withPlatformString { open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard from >= 0 else { throw Failure(path: source, errno: Errno(rawValue: errno)) }
        defer { close(from) }
        let to = destination.withPlatformString { open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard to >= 0 else { throw Failure(path: destination, errno: Errno(rawValue: errno)) }
        defer { close(to) }
        var walk = Walk(root: to)
        do throws(Errno) {
            try walk.copyContents(of: from, to: to, path: "")
        } catch {
            throw Failure(path: source.appending(walk.present), errno: error)
        }
    }

    private struct Walk {
        let root: Int32
        /// The path being copied, for messages.
        var present = ""
        /// Where the first of several hard links to an inode was copied to.
        private var copies: [UInt64: String] = [:]

        /// How deep in the tree the copy is.
        private var depth = 0

        /// Each level takes stack and two descriptors.
        private static let depthLimit = 200

        init(root: Int32) { self.root = root }

        mutating func copyContents(of from: Int32, to: Int32, path: String) throws(Errno) {
            depth += 1
            defer { depth -= 1 }
            guard depth <= Self.depthLimit else { throw .fileNameTooLong }
            for name in try DirectoryListing.names(of: from) {
                // Names that are no UTF-8 are kept as bytes for the calls; the string is for messages and hard links.
                let full =
                    path.isEmpty
                    ? String(decoding: name, as: UTF8.self) : path + "/" + String(decoding: name, as: UTF8.self)
                present = full
                try copy(name + [0], from: from, to: to, path: full)
            }
            var status = stat()
            guard fstat(from, &status) == 0 else { throw Errno(rawValue: errno) }
            try finish(from: from, to: to, status)
        }

        private mutating func copy(_ name: [UInt8], from: Int32, to: Int32, path: String) throws(Errno) {
            var status = stat()
            try check(call(name) { fstatat(from, $0, &status, AT_SYMLINK_NOFOLLOW) })
            let kind = status.st_mode & S_IFMT
            if kind != S_IFDIR, status.st_nlink > 1 {
                if let first = copies[UInt64(status.st_ino)] {
                    try check(call(name) { linkat(root, first, to, $0, 0) })
                    return
                }
                // Only a path that survives as text can be linked to; other links become copies.
                if path.utf8.allSatisfy({ $0 != 0 }), !path.contains("\u{FFFD}") {
                    copies[UInt64(status.st_ino)] = path
                }
            }
            switch kind {
            case S_IFDIR:
                try check(call(name) { mkdirat(to, $0, 0o700) })
                let source = try descriptor(
                    call(name) { openat(from, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) })
                defer { close(source) }
                let copy = try descriptor(
                    call(name) { openat(to, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) })
                defer { close(copy) }
                try copyContents(of: source, to: copy, path: path)
            case S_IFREG:
                let source = try descriptor(call(name) { openat(from, $0, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) })
                defer { close(source) }
                let copy = try descriptor(
                    call(name) { openat(to, $0, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600) })
                defer { close(copy) }
                try copyData(from: source, to: copy, size: Int64(status.st_size))
                try finish(from: source, to: copy, status)
            case S_IFLNK:
                try copySymbolicLink(name, from: from, to: to, status)
            default:
                try check(call(name) { mknodat(to, $0, status.st_mode, status.st_rdev) })
                try check(call(name) { fchownat(to, $0, status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW) })
                try check(call(name) { fchmodat(to, $0, status.st_mode & 0o7777, 0) })
                try setTimes(name, in: to, status)
            }
        }

        private func copySymbolicLink(_ name: [UInt8], from: Int32, to: Int32, _ status: stat) throws(Errno) {
            var target = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
            let length = call(name) { Int32(readlinkat(from, $0, &target, Int(PATH_MAX))) }
            try check(length < 0 ? -1 : 0)
            target[Int(length)] = 0
            try check(call(name) { symlinkat(target, to, $0) })
            try check(call(name) { fchownat(to, $0, status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW) })
            try setTimes(name, in: to, status)
        }

        /// Copies what is not a hole; btrfs and xfs share the blocks instead, at the same call.
        private func copyData(from: Int32, to: Int32, size: Int64) throws(Errno) {
            try check(ftruncate(to, off_t(size)))
            var position: off_t = 0
            while position < size {
                let data = lseek(from, position, SEEK_DATA)
                if data < 0 {
                    if errno == ENXIO { return }  // nothing but a hole up to the end
                    throw Errno(rawValue: errno)
                }
                let hole = lseek(from, data, SEEK_HOLE)
                if hole < 0 { throw Errno(rawValue: errno) }
                try copyRange(from: from, to: to, data..<hole)
                position = hole
            }
        }

        private func copyRange(from: Int32, to: Int32, _ range: Range<off_t>) throws(Errno) {
            var source = Int64(range.lowerBound)
            var target = source
            while source < range.upperBound {
                let count = masu_copy_file_range(from, &source, to, &target, Int(Int64(range.upperBound) - source))
                if count == 0 { return }  // cut short meanwhile
                if count < 0, count != -Int(EINTR) { throw Errno(rawValue: Int32(-count)) }
            }
        }

        /// Owner, mode, attributes and times of an open file or directory, in the order that keeps them.
        private func finish(from: Int32, to: Int32, _ status: stat) throws(Errno) {
            try check(fchown(to, status.st_uid, status.st_gid))
            try check(fchmod(to, status.st_mode & 0o7777))
            try copyAttributes(from: from, to: to)
            var times = (status.st_atim, status.st_mtim)
            try check(withUnsafeBytes(of: &times) { futimens(to, $0.bindMemory(to: timespec.self).baseAddress) })
        }

        private func copyAttributes(from: Int32, to: Int32) throws(Errno) {
            let length = flistxattr(from, nil, 0)
            guard length > 0 else { return }
            var names = [CChar](repeating: 0, count: length)
            let got = flistxattr(from, &names, length)
            guard got > 0 else { return }
            for name in names[..<got].split(separator: 0) {
                let name = Array(name) + [0]
                let size = fgetxattr(from, name, nil, 0)
                guard size >= 0 else { continue }
                var value = [UInt8](repeating: 0, count: max(size, 1))
                let read = fgetxattr(from, name, &value, size)
                guard read >= 0 else { continue }
                if fsetxattr(to, name, value, read, 0) != 0, errno != ENOTSUP, errno != EPERM {
                    throw Errno(rawValue: errno)
                }
            }
        }

        private func setTimes(_ name: [UInt8], in directory: Int32, _ status: stat) throws(Errno) {
            var times = (status.st_atim, status.st_mtim)
            try check(
                withUnsafeBytes(of: &times) { times in
                    call(name) {
                        utimensat(directory, $0, times.bindMemory(to: timespec.self).baseAddress, AT_SYMLINK_NOFOLLOW)
                    }
                })
        }

        private func check(_ status: Int32) throws(Errno) {
            guard status == 0 else { throw Errno(rawValue: errno) }
        }

        private func descriptor(_ result: Int32) throws(Errno) -> Int32 {
            guard result >= 0 else { throw Errno(rawValue: errno) }
            return result
        }

        private func call(_ name: [UInt8], _ body: (UnsafePointer<CChar>) -> Int32) -> Int32 {
            name.withUnsafeBytes { body($0.bindMemory(to: CChar.self).baseAddress.unsafelyUnwrapped) }
        }
    }
}
