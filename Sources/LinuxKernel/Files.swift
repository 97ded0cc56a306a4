import CLinux
import Glibc
import SystemPackage

/// What stat(2) says of a file.
package struct FileStatus: Hashable, Sendable {
    /// The kinds of files.
    package enum Kind: Hashable, Sendable {
        case regular, directory, symbolicLink, characterDevice, blockDevice, fifo, socket, unknown
    }

    /// The file system's device number.
    package var device: UInt64
    /// The inode.
    package var inode: UInt64
    /// Type and permission bits.
    package var mode: UInt32
    /// The number of names.
    package var links: UInt64
    /// The owner.
    package var uid: UInt32
    /// The group.
    package var gid: UInt32
    /// For device files, which device.
    package var specialDevice: UInt64
    /// Bytes.
    package var size: Int64
    /// Blocks of 512 bytes.
    package var blocks: Int64
    /// The last change of content: seconds and nanoseconds since 1970.
    package var modified: (seconds: Int64, nanoseconds: Int64) { (modifiedSeconds, modifiedNanoseconds) }
    private var modifiedSeconds: Int64
    private var modifiedNanoseconds: Int64

    init(_ status: stat) {
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        mode = status.st_mode
        links = UInt64(status.st_nlink)
        uid = status.st_uid
        gid = status.st_gid
        specialDevice = UInt64(status.st_rdev)
        size = Int64(status.st_size)
        blocks = Int64(status.st_blocks)
        modifiedSeconds = Int64(status.st_mtim.tv_sec)
        modifiedNanoseconds = Int64(status.st_mtim.tv_nsec)
    }

    /// What kind of file it is.
    package var kind: Kind {
        switch mode & S_IFMT {
        case S_IFREG: .regular
        case S_IFDIR: .directory
        case S_IFLNK: .symbolicLink
        case S_IFCHR: .characterDevice
        case S_IFBLK: .blockDevice
        case S_IFIFO: .fifo
        case S_IFSOCK: .socket
        default: .unknown
        }
    }

    /// Whether it is a directory.
    package var isDirectory: Bool { kind == .directory }

    /// The major and minor number of a device file.
    package var deviceNumbers: (major: UInt32, minor: UInt32) {
        (masu_major(specialDevice), masu_minor(specialDevice))
    }

    /// stat(2) or lstat(2).
    package static func of(_ path: FilePath, followingSymlinks: Bool = true) throws(Errno) -> FileStatus {
        var status = stat()
        try checked(
            path.withPlatformString { masu_fstatat(AT_FDCWD, $0, &status, followingSymlinks ? 0 : AT_SYMLINK_NOFOLLOW) }
        )
        return FileStatus(status)
    }

    /// fstat(2); works for handles (`O_PATH`) too.
    package static func of(_ descriptor: FileDescriptor) throws(Errno) -> FileStatus {
        var status = stat()
        try checked(masu_fstatat(descriptor.rawValue, "", &status, AT_EMPTY_PATH))
        return FileStatus(status)
    }
}

extension FileDescriptor {
    /// mkdirat(2).
    package func makeDirectory(_ path: String, mode: UInt16 = 0o755) throws(Errno) {
        try checked(path.withCString { masu_mkdirat(rawValue, $0, UInt32(mode)) })
    }

    /// mknodat(2); `mode` has the file's type (`S_IFCHR`, …) and its permission bits, less the umask.
    package func makeNode(_ path: String, mode: UInt32, major: UInt32 = 0, minor: UInt32 = 0) throws(Errno) {
        try checked(path.withCString { masu_mknodat(rawValue, $0, mode, major, minor) })
    }

    /// symlinkat(2).
    package func makeSymlink(_ path: String, to target: String) throws(Errno) {
        try checked(target.withCString { target in path.withCString { masu_symlinkat(target, rawValue, $0) } })
    }

    /// unlinkat(2).
    package func remove(_ path: String, directory: Bool = false) throws(Errno) {
        try checked(path.withCString { masu_unlinkat(rawValue, $0, directory ? AT_REMOVEDIR : 0) })
    }

    /// readlinkat(2).
    package func readSymlink(_ path: String) throws(Errno) -> String {
        var buffer = [CChar](repeating: 0, count: 4097)
        let count = try checked(path.withCString { masu_readlinkat(rawValue, $0, &buffer, 4096) })
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Writes `text` in one write, as kernel interfaces need it.
    package func writeAtOnce(_ text: String) throws(Errno) {
        var text = text
        let result: Result<Void, Errno> = text.withUTF8 { bytes in
            while Glibc.write(rawValue, bytes.baseAddress, bytes.count) < 0 {
                if errno != EINTR { return .failure(Errno(rawValue: errno)) }
            }
            return .success(())
        }
        try result.get()
    }

    /// fchownat(2), of a symbolic link itself.
    package func changeOwner(_ path: String, uid: UInt32, gid: UInt32) throws(Errno) {
        try checked(path.withCString { masu_fchownat(rawValue, $0, uid, gid, AT_SYMLINK_NOFOLLOW) })
    }

    /// fchmodat(2).
    package func changeMode(_ path: String, mode: UInt32) throws(Errno) {
        try checked(path.withCString { masu_fchmodat(rawValue, $0, mode) })
    }

    /// fchown(2).
    package func changeOwner(uid: UInt32, gid: UInt32) throws(Errno) {
        try checked(masu_fchown(rawValue, uid, gid))
    }

    /// fchmod(2).
    package func changeMode(_ mode: UInt32) throws(Errno) {
        try checked(masu_fchmod(rawValue, mode))
    }

    /// fcntl(2), `F_SETFD`.
    func setDescriptorFlags(_ flags: Int) throws(Errno) {
        try checked(masu_fcntl(rawValue, F_SETFD, flags))
    }

    /// Sets or clears `O_NONBLOCK`.
    package func setNonBlocking(_ enabled: Bool) throws(Errno) {
        let flags = try checked(masu_fcntl(rawValue, F_GETFL, 0))
        try checked(masu_fcntl(rawValue, F_SETFL, enabled ? flags | Int(O_NONBLOCK) : flags & ~Int(O_NONBLOCK)))
    }

    /// Whether it is open for writing; fcntl(2), `F_GETFL`.
    package func isWritable() throws(Errno) -> Bool {
        try checked(masu_fcntl(rawValue, F_GETFL, 0)) & Int(O_ACCMODE) != Int(O_RDONLY)
    }

    /// A copy with the lowest free number from `minimum` on; close-on-exec.
    package func duplicate(from minimum: Int32) throws(Errno) -> FileDescriptor {
        try descriptor(masu_fcntl(rawValue, F_DUPFD_CLOEXEC, Int(minimum)))
    }

    /// Makes `number` a copy of this one that stays open over execve (dup2(2)).
    package func duplicate(onto number: Int32) throws(Errno) {
        if number == rawValue { return try setCloseOnExec(false) }
        if Glibc.dup2(rawValue, number) < 0 { throw Errno(rawValue: errno) }
    }

    /// What one read(2) gives, at most `capacity` bytes; nothing at the end.
    package func readOnce(capacity: Int = 16384) throws(Errno) -> [UInt8] {
        var failure: Errno?
        let bytes = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            count = 0
            do throws(Errno) {
                count = try retried {
                    let result = Glibc.read(rawValue, buffer.baseAddress, capacity)
                    return result < 0 ? -Int(errno) : result
                }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// All bytes from the present position to the end.
    package func readToEnd(limit: Int = .max) throws(Errno) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = 4096
        while bytes.count < limit {
            let wanted = min(chunk, limit - bytes.count)
            let more = try readOnce(capacity: wanted)
            if more.isEmpty { break }
            if bytes.isEmpty { bytes = more } else { bytes += more }
            chunk = min(chunk * 4, 1 << 20)
        }
        return bytes
    }

    /// All bytes from the present position of a stream to the end of a line or of the stream; what follows the line
    /// must not be there yet.
    package func readLine(limit: Int = .max) throws(Errno) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < limit, bytes.last != 0x0a {
            let more = try readOnce(capacity: min(4096, limit - bytes.count))
            if more.isEmpty { break }
            bytes += more
        }
        return bytes
    }

    /// Writes all of `bytes`.
    package func writeEntire(_ bytes: some Collection<UInt8>) throws(Errno) {
        let done: Result<Void, Errno>? = bytes.withContiguousStorageIfAvailable { writeEntire(buffer: $0) }
        if let done { return try done.get() }
        try Array(bytes).withUnsafeBufferPointer { writeEntire(buffer: $0) }.get()
    }

    private func writeEntire(buffer: UnsafeBufferPointer<UInt8>) -> Result<Void, Errno> {
        var offset = 0
        while offset < buffer.count {
            let result = Glibc.write(rawValue, buffer.baseAddress.map { $0 + offset }, buffer.count - offset)
            if result >= 0 { offset += result } else if errno != EINTR { return .failure(Errno(rawValue: errno)) }
        }
        return .success(())
    }
}

/// Whole files and directories.
package enum Files {
    /// The content of `path`, which for files of procfs, sysfs and cgroupfs comes in one read.
    package static func read(_ path: FilePath, limit: Int = .max) throws(Errno) -> [UInt8] {
        let file = try open(path, .readOnly)
        defer { file.discard() }
        return try file.readToEnd(limit: limit)
    }

    /// The content of `path`, or its first `limit` bytes, as text without white space at its end.
    package static func readText(_ path: FilePath, limit: Int = .max) throws(Errno) -> String {
        var bytes = try read(path, limit: limit)[...]
        while let last = bytes.last, last == 0x0a || last == 0x20 || last == 0 { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Writes `text` to the file `path`, which exists, in one write (as kernel interfaces need it).
    package static func write(_ text: String, to path: FilePath) throws(Errno) {
        let file = try open(path, .writeOnly)
        defer { file.discard() }
        try file.writeAtOnce(text)
    }

    /// Writes `text` to `file` in one write (as kernel interfaces need it).
    package static func write(_ text: String, to file: FileDescriptor) throws(Errno) {
        try file.writeAtOnce(text)
    }

    /// Makes or replaces the file `path`, so that others see either the old content or all of the new one.
    package static func replace(_ path: FilePath, with bytes: [UInt8], mode: UInt16 = 0o600) throws(Errno) {
        let temporary = path.removingLastComponent().appending(".\(path.lastComponent?.string ?? "file").\(getpid())")
        let file = try open(temporary, [.writeOnly, .create, .truncate, .noFollow], mode: mode)
        do throws(Errno) {
            defer { file.discard() }
            try file.writeEntire(bytes)
        } catch {
            try? remove(temporary)  // The error that matters is the one of the write.
            throw error
        }
        do throws(Errno) {
            try rename(temporary, to: path)
        } catch {
            try? remove(temporary)  // As above.
            throw error
        }
    }

    /// rename(2).
    package static func rename(_ path: FilePath, to target: FilePath) throws(Errno) {
        let result = path.withPlatformString { from in target.withPlatformString { Glibc.rename(from, $0) } }
        if result < 0 { throw Errno(rawValue: errno) }
    }

    /// link(2), of a symbolic link itself.
    package static func link(_ path: FilePath, as name: FilePath) throws(Errno) {
        let result = path.withPlatformString { path in name.withPlatformString { Glibc.link(path, $0) } }
        if result < 0 { throw Errno(rawValue: errno) }
    }

    /// open(2). Close-on-exec.
    package static func open(_ path: FilePath, _ flags: OpenFlags, mode: UInt16 = 0) throws(Errno) -> FileDescriptor {
        let flags = flags.union(.closeOnExec).rawValue
        return try descriptor(retried { path.withPlatformString { masu_openat(AT_FDCWD, $0, flags, UInt32(mode)) } })
    }

    /// unlink(2).
    package static func remove(_ path: FilePath) throws(Errno) {
        try checked(path.withPlatformString { masu_unlinkat(AT_FDCWD, $0, 0) })
    }

    /// mkdir(2).
    package static func makeDirectory(_ path: FilePath, mode: UInt16 = 0o755) throws(Errno) {
        try checked(path.withPlatformString { masu_mkdirat(AT_FDCWD, $0, UInt32(mode)) })
    }

    /// mkdir(2) of `path` and of all above it that do not exist.
    package static func makeDirectories(_ path: FilePath, mode: UInt16 = 0o755) throws(Errno) {
        do {
            try makeDirectory(path, mode: mode)
        } catch .fileExists {
            return
        } catch .noSuchFileOrDirectory {
            let parent = path.removingLastComponent()
            guard parent != path, !parent.isEmpty else { throw .noSuchFileOrDirectory }
            try makeDirectories(parent, mode: mode)
            do { try makeDirectory(path, mode: mode) } catch .fileExists {}
        }
    }

    /// rmdir(2).
    package static func removeDirectory(_ path: FilePath) throws(Errno) {
        try checked(path.withPlatformString { masu_unlinkat(AT_FDCWD, $0, AT_REMOVEDIR) })
    }

    /// Whether anything is at `path`.
    package static func exists(_ path: FilePath) -> Bool {
        path.withPlatformString { masu_faccessat2(AT_FDCWD, $0, F_OK, AT_SYMLINK_NOFOLLOW) } == 0
    }

    /// The names of the directories in the directory `path`, in no order. For file systems that give types with names,
    /// as the kernel's own do.
    package static func directoryNames(in path: FilePath) throws(Errno) -> [String] {
        let directory = try open(path, [.readOnly, .directory])
        defer { directory.discard() }
        let directoryType: UInt8 = 4  // DT_DIR
        return try entries(in: directory).filter { $0.type == directoryType }.map(\.name)
    }

    /// The names in the directory `path`, in no order, without `.` and `..`.
    package static func names(in path: FilePath) throws(Errno) -> [String] {
        let directory = try open(path, [.readOnly, .directory])
        defer { directory.discard() }
        return try names(in: directory)
    }

    /// The names in a directory that was opened for reading and stands at its beginning.
    package static func names(in directory: FileDescriptor) throws(Errno) -> [String] {
        try entries(in: directory).map(\.name)
    }

    private static func entries(in directory: FileDescriptor) throws(Errno) -> [(name: String, type: UInt8)] {
        var entries: [(name: String, type: UInt8)] = []
        while true {
            var failure: Errno?
            let count: Int = withUnsafeTemporaryAllocation(byteCount: 32768, alignment: 8) { buffer in
                let count = masu_getdents64(directory.rawValue, buffer.baseAddress, buffer.count)
                guard count > 0 else {
                    if count < 0 { failure = Errno(rawValue: CInt(-count)) }
                    return 0
                }
                var offset = 0
                while offset < count {
                    // struct linux_dirent64: inode (8), offset (8), record length (2), type (1), name.
                    let length = Int(buffer.loadUnaligned(fromByteOffset: offset + 16, as: UInt16.self))
                    let name = UnsafeRawBufferPointer(rebasing: buffer[(offset + 19)..<(offset + length)])
                    let text = String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
                    if text != "." && text != ".." { entries.append((text, buffer[offset + 18])) }
                    offset += length
                }
                return count
            }
            if let failure { throw failure }
            if count == 0 { return entries }
        }
    }
}

/// close_range(2).
package enum Descriptors {
    /// Closes all descriptors from `first` on.
    package static func close(from first: Int32) throws(Errno) {
        try checked(masu_close_range(UInt32(first), .max, 0))
    }

    /// Closes all descriptors from `first` on except `kept`.
    package static func close(from first: Int32, except kept: [FileDescriptor]) throws(Errno) {
        var next = UInt32(first)
        for number in kept.map({ UInt32(bitPattern: $0.rawValue) }).sorted() where number >= next {
            if number > next { try checked(masu_close_range(next, number - 1, 0)) }
            next = number + 1
        }
        try checked(masu_close_range(next, .max, 0))
    }

    /// Marks all descriptors from `first` on to be closed by execve.
    package static func closeOnExec(from first: Int32) throws(Errno) {
        try checked(masu_close_range(UInt32(first), .max, UInt32(CLOSE_RANGE_CLOEXEC)))
    }
}
