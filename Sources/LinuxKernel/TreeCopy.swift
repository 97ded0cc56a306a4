import CLinux
import Glibc
import SystemPackage

/// Copies directory trees with all that belongs to them: owners, modes, times, extended attributes, hard links,
/// devices, holes. Blocks are shared where the file system can do so.
package enum TreeCopy {
    /// What could not be copied, and why.
    package struct Failure: Error, Hashable, Sendable {
        /// The file, in the source or in the destination.
        package let path: FilePath
        /// The kernel's reason.
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
        try run(Walk(root: to), source, from: from, to: to)
    }

    /// Gives the directory `destination` the owner, mode, extended attributes and times of the directory `source`. Both
    /// are open for reading.
    package static func copyAttributes(of source: FileDescriptor, to destination: FileDescriptor) throws(Errno) {
        var status = stat()
        guard fstat(source.rawValue, &status) == 0 else { throw Errno(rawValue: errno) }
        try Walk(root: destination.rawValue).finish(from: source.rawValue, to: destination.rawValue, status)
    }

    /// Fills the existing, empty directory `destination` with what `source` has at the paths that `isKept` wants:
    /// directories are copied, all else gets one more name. Nobody may change the files any more, whichever name they
    /// use.
    ///
    /// - Parameter isKept: asked for each path below `source`; what lies below one that is not kept is not asked for.
    package static func link(
        _ source: FilePath, to destination: FilePath, isKept: @escaping ([UInt8]) -> Bool
    ) throws(Failure) {
        let from = source.withPlatformString { open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard from >= 0 else { throw Failure(path: source, errno: Errno(rawValue: errno)) }
        defer { close(from) }
        let to = destination.withPlatformString { open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard to >= 0 else { throw Failure(path: destination, errno: Errno(rawValue: errno)) }
        defer { close(to) }
        try run(Walk(root: to, isLinked: isKept), source, from: from, to: to)
    }

    private static func run(_ walk: Walk, _ source: FilePath, from: Int32, to: Int32) throws(Failure) {
        var walk = walk
        do throws(Errno) {
            try walk.copyContents(of: from, to: to, path: "")
        } catch {
            throw Failure(path: source.appending(walk.present), errno: error)
        }
    }

    private struct Walk {
        let root: Int32
        /// Which paths get one more name instead of a copy; nil: all are copied.
        let isLinked: (([UInt8]) -> Bool)?
        /// The path being copied, for messages.
        var present = ""
        /// Where the first of several hard links to an inode was copied to.
        private var copies: [UInt64: [UInt8]] = [:]
        /// The path being copied, as bytes.
        private var location: [UInt8] = []
        /// Whether the file system may be able to share blocks: until it has said that it is not.
        private var sharesBlocks = true

        /// How deep in the tree the copy is.
        private var depth = 0

        /// Each level takes stack and two descriptors.
        private static let depthLimit = 200

        init(root: Int32, isLinked: (([UInt8]) -> Bool)? = nil) {
            self.root = root
            self.isLinked = isLinked
        }

        mutating func copyContents(of from: Int32, to: Int32, path: String) throws(Errno) {
            depth += 1
            defer { depth -= 1 }
            guard depth <= Self.depthLimit else { throw .fileNameTooLong }
            for name in try DirectoryListing.names(of: from) {
                // Names that are no UTF-8 are kept as bytes for the calls; the string is for messages.
                let full =
                    path.isEmpty
                    ? String(decoding: name, as: UTF8.self) : path + "/" + String(decoding: name, as: UTF8.self)
                present = full
                let length = location.count
                location += (location.isEmpty ? [] : [UInt8(ascii: "/")]) + name
                if isLinked?(location) != false { try copy(name + [0], from: from, to: to, path: full) }
                location.removeSubrange(length...)
            }
            var status = stat()
            guard fstat(from, &status) == 0 else { throw Errno(rawValue: errno) }
            try finish(from: from, to: to, status)
        }

        private mutating func copy(_ name: [UInt8], from: Int32, to: Int32, path: String) throws(Errno) {
            var status = stat()
            try check(call(name) { fstatat(from, $0, &status, AT_SYMLINK_NOFOLLOW) })
            let kind = status.st_mode & S_IFMT
            if kind != S_IFDIR, isLinked != nil { return try check(call(name) { linkat(from, $0, to, $0, 0) }) }
            if kind != S_IFDIR, status.st_nlink > 1 {
                if let first = copies[UInt64(status.st_ino)] {
                    try check(call(name) { name in call(first) { linkat(root, $0, to, name, 0) } })
                    return
                }
                // Beyond that no call takes a path; such links become copies.
                if location.count < Int(PATH_MAX) { copies[UInt64(status.st_ino)] = location + [0] }
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
                try copyAttributesByName(name, from: from, to: to)
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
            try copyAttributesByName(name, from: from, to: to)
            try setTimes(name, in: to, status)
        }

        /// Makes the new file share the blocks of the old one, where the file system can do that, or copies what is not
        /// a hole.
        private mutating func copyData(from: Int32, to: Int32, size: Int64) throws(Errno) {
            if size == 0 { return }
            if sharesBlocks {
                if masu_clone_file(to, from) == 0 { return }
                sharesBlocks = false
            }
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
                let rest = Int(Int64(range.upperBound) - source)
                let count = masu_copy_file_range(from, &source, to, &target, rest)
                if count == 0 { return }  // cut short meanwhile
                if [-Int(EXDEV), -Int(ENOSYS), -Int(EOPNOTSUPP), -Int(EINVAL)].contains(count) {
                    return try copyBytes(from: from, to: to, source..<Int64(range.upperBound))
                }
                if count < 0, count != -Int(EINTR) { throw Errno(rawValue: Int32(-count)) }
            }
        }

        /// Where the kernel cannot copy between two files by itself.
        private func copyBytes(from: Int32, to: Int32, _ range: Range<Int64>) throws(Errno) {
            var buffer = [UInt8](repeating: 0, count: 1 << 17)
            var position = range.lowerBound
            while position < range.upperBound {
                let count = pread(from, &buffer, min(buffer.count, Int(range.upperBound - position)), off_t(position))
                if count == 0 { return }  // cut short meanwhile
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw Errno(rawValue: errno) }
                var done = 0
                while done < count {
                    let written = buffer.withUnsafeBytes {
                        pwrite(to, $0.baseAddress.map { $0 + done }, count - done, off_t(position + Int64(done)))
                    }
                    if written < 0, errno != EINTR { throw Errno(rawValue: errno) }
                    done += max(written, 0)
                }
                position += Int64(count)
            }
        }

        /// Owner, mode, attributes and times of an open file or directory, in the order that keeps them.
        func finish(from: Int32, to: Int32, _ status: stat) throws(Errno) {
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

        /// The attributes of what cannot be opened: symbolic links and devices.
        private func copyAttributesByName(_ name: [UInt8], from: Int32, to: Int32) throws(Errno) {
            let source = Array("/proc/self/fd/\(from)/".utf8) + name
            let length = call(source) { Int32(llistxattr($0, nil, 0)) }
            guard length > 0 else { return }
            let target = Array("/proc/self/fd/\(to)/".utf8) + name
            var names = [CChar](repeating: 0, count: Int(length))
            let got = call(source) { Int32(llistxattr($0, &names, names.count)) }
            guard got > 0 else { return }
            for attribute in names[..<Int(got)].split(separator: 0) {
                let attribute = Array(attribute) + [0]
                var value = [UInt8](repeating: 0, count: 65536)
                let size = call(source) { Int32(lgetxattr($0, attribute, &value, value.count)) }
                guard size >= 0 else { continue }
                let status = call(target) { lsetxattr($0, attribute, value, Int(size), 0) }
                if status != 0, errno != ENOTSUP, errno != EPERM { throw Errno(rawValue: errno) }
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
