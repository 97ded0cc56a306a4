import Glibc
import LinuxKernel
import SystemPackage

/// A container's log as the shim leaves it: the current file, and older ones `.1` (newest) to `.N` made by renaming.
///
/// Reads on over renames: a file stays open until it is read to its end, and the next one is found by the inode's place
/// in the row. A file that somebody has emptied in place (`: >LOG`, logrotate's copytruncate) is read again from its
/// beginning, also if more has been written since than was there before: what was read last is looked for before each
/// read. All calls block for the disk alone.
package struct LogFiles: ~Copyable {
    private let path: FilePath
    /// What is being read, and where reading will go on in it: after the last line that was read whole.
    private var file: FileDescriptor?
    private var inode: UInt64 = 0
    private var offset: Int64 = 0
    /// The bytes before `offset`. A record ends with its time, so no other record has the same.
    private var lastRead: [UInt8] = []
    private static let lastReadLimit = 64
    /// How much is read at once; one line of 16 KiB with escapes fits in, for a longer one it grows.
    private var chunk = LogFiles.usualChunk
    private static let usualChunk = 128 << 10

    /// Begins at the oldest entry, or `tail` entries before the newest.
    package init(path: FilePath, tail: Int?) throws(Errno) {
        self.path = path
        let files = try Self.opened(path)
        var first = 0
        var start: Int64 = 0
        if let tail {
            var missing = tail
            first = max(0, files.count - 1)
            for index in files.indices.reversed() {
                first = index
                (start, missing) = try Self.seekLines(missing, fromEndOf: files[index].descriptor)
                if missing == 0 { break }
            }
        }
        for (index, file) in files.enumerated() where index != first { file.descriptor.discard() }
        guard first < files.count else { return }
        file = files[first].descriptor
        inode = files[first].inode
        offset = start
        lastRead = try Self.bytes(before: start, in: files[first].descriptor)
    }

    deinit {
        file?.discard()
    }

    /// The next complete lines, without their newlines, passed to `body` one by one; false when there is nothing new.
    package mutating func read(_ body: (UnsafeRawBufferPointer) -> Void) throws(Errno) -> Bool {
        if file == nil {
            guard let first = try Self.opened(path).keepingFirst() else { return false }
            begin(first)
        }
        if try readChunk(body) { return true }
        return try advance(body)
    }

    private mutating func begin(_ next: OpenFile) {
        file?.discard()
        (file, inode, offset) = (next.descriptor, next.inode, 0)
        lastRead = []
        chunk = Self.usualChunk
    }

    /// Reads whole lines from the current file; false if there is none.
    private mutating func readChunk(_ body: (UnsafeRawBufferPointer) -> Void) throws(Errno) -> Bool {
        guard let file else { return false }
        while true {
            let known = lastRead.count
            let bytes = try Self.read(file, at: offset - Int64(known), count: known + chunk)
            guard bytes.starts(with: lastRead) else {
                // Emptied since. The caller keeps the lines that it has read.
                offset = 0
                lastRead = []
                continue
            }
            guard let end = bytes[known...].lastIndex(of: 0x0A) else {
                if bytes.count < known + chunk { return false }
                chunk *= 2
                continue
            }
            bytes.withUnsafeBytes { bytes in
                var start = known
                while start <= end, let base = bytes.baseAddress,
                    let newline = memchr(base + start, 0x0A, end + 1 - start)
                {
                    let line = UnsafeRawPointer(newline) - base
                    body(UnsafeRawBufferPointer(rebasing: bytes[start..<line]))
                    start = line + 1
                }
            }
            offset += Int64(end + 1 - known)
            lastRead = Array(bytes[...end].suffix(Self.lastReadLimit))
            chunk = Self.usualChunk
            return true
        }
    }

    /// Goes to the file that follows the current one, if the current one has been set aside meanwhile; false if not.
    private mutating func advance(_ body: (UnsafeRawBufferPointer) -> Void) throws(Errno) -> Bool {
        let files = try Self.opened(path)
        let place = files.lastIndex { $0.inode == inode }
        // One that is gone was the oldest: what follows is the oldest there is.
        let next = place.map { $0 + 1 } ?? 0
        let isFollowed = next < files.count
        for (index, file) in files.enumerated() where index != next { file.descriptor.discard() }
        guard isFollowed else { return false }
        // The shim may have written more between the read that found the end and the moment it set the file aside.
        do throws(Errno) {
            if try readChunk(body) {
                files[next].descriptor.discard()
                return true
            }
        } catch {
            files[next].descriptor.discard()
            throw error
        }
        begin(files[next])
        return true
    }

    /// Up to `count` bytes from `offset` on; fewer at the end of the file.
    private static func read(_ file: FileDescriptor, at offset: Int64, count: Int) throws(Errno) -> [UInt8] {
        var failure: Errno?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, length in
            var result = 0
            repeat {
                result = pread(file.rawValue, buffer.baseAddress, count, off_t(offset))
            } while result < 0 && errno == EINTR
            if result < 0 { failure = Errno(rawValue: errno) } else { length = result }
        }
        if let failure { throw failure }
        return bytes
    }

    private static func bytes(before offset: Int64, in file: FileDescriptor) throws(Errno) -> [UInt8] {
        let count = min(offset, Int64(lastReadLimit))
        return try read(file, at: offset - count, count: Int(count))
    }

    /// One of the log's files, opened.
    package struct OpenFile {
        var descriptor: FileDescriptor
        var inode: UInt64
    }

    /// All files of the log, oldest first, each once, however the shim renames them meanwhile.
    private static func opened(_ path: FilePath) throws(Errno) -> [OpenFile] {
        var files: [OpenFile] = []
        var number = 0
        var missing = 0
        // From the newest on: a rename in between makes a file appear twice, never not at all.
        while missing < 2 {
            let name = number == 0 ? path : FilePath(path.string + ".\(number)")
            number += 1
            do throws(Errno) {
                let descriptor = try Files.open(name, [.readOnly, .noFollow])
                let inode = try FileStatus.of(descriptor).inode
                if files.contains(where: { $0.inode == inode }) {
                    descriptor.discard()
                } else {
                    files.append(OpenFile(descriptor: descriptor, inode: inode))
                }
            } catch {
                guard error == .noSuchFileOrDirectory else {
                    for file in files { file.descriptor.discard() }
                    throw error
                }
                missing += 1
            }
        }
        return files.reversed()
    }

    /// Where the last `count` lines begin, and how many lines fewer there are.
    private static func seekLines(
        _ count: Int, fromEndOf file: FileDescriptor
    ) throws(Errno) -> (offset: Int64, missing: Int) {
        let size = try FileStatus.of(file).size
        if count == 0 { return (size, 0) }
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        var end = size
        var newlines = 0
        while end > 0 {
            let start = max(0, end - Int64(buffer.count))
            let wanted = Int(end - start)
            let result = pread(file.rawValue, &buffer, wanted, off_t(start))
            if result < 0 {
                if errno == EINTR { continue }
                throw Errno(rawValue: errno)
            }
            guard result == wanted else { break }
            for index in stride(from: wanted - 1, through: 0, by: -1) where buffer[index] == 0x0A {
                // The newline that ends the last line does not begin one.
                if newlines == count { return (start + Int64(index) + 1, 0) }
                newlines += 1
            }
            end = start
        }
        return (0, max(0, count - newlines))
    }
}

extension [LogFiles.OpenFile] {
    fileprivate func keepingFirst() -> LogFiles.OpenFile? {
        for file in dropFirst() { file.descriptor.discard() }
        return first
    }
}
