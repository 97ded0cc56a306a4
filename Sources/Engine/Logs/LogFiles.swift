import Glibc
import LinuxKernel
import SystemPackage

/// A container's log as the shim leaves it: the current file, and older ones `.1` (newest) to `.N` made by renaming.
///
/// Reads on over renames: a file stays open until it is read to its end, and the next one is found by the inode's place in the
/// row. All calls block for the disk alone.
package struct LogFiles: ~Copyable {
    private let path: FilePath
    /// What is being read, and where reading will go on in it.
    private var file: FileDescriptor?
    private var inode: UInt64 = 0
    private var offset: Int64 = 0
    /// The beginning of a line whose end has not been read.
    private var rest: [UInt8] = []
    /// A whole buffer's size, which one line of 16 KiB with escapes fits in.
    private static let chunk = 128 << 10

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
    }

    deinit {
        file?.discard()
    }

    /// The next complete lines, without their newlines, passed to `body` one by one; false when there is nothing new.
    package mutating func read(_ body: (UnsafeRawBufferPointer) -> Void) throws(Errno) -> Bool {
        while true {
            if file == nil {
                guard let first = try Self.opened(path).keepingFirst() else { return false }
                (file, inode, offset) = (first.descriptor, first.inode, 0)
            }
            if try readChunk(body) { return true }
            guard try advance() else { return false }
        }
    }

    /// Reads once from the current file; false at its end.
    private mutating func readChunk(_ body: (UnsafeRawBufferPointer) -> Void) throws(Errno) -> Bool {
        guard let file else { return false }
        let carried = rest.count
        var failure: Errno?
        var count = 0
        let position = offset
        let rest = self.rest
        let buffer = [UInt8](unsafeUninitializedCapacity: carried + Self.chunk) { buffer, length in
            for (index, byte) in rest.enumerated() { buffer[index] = byte }
            length = carried
            guard let base = buffer.baseAddress else { return }
            repeat {
                count = pread(file.rawValue, base + carried, Self.chunk, off_t(position))
            } while count < 0 && errno == EINTR
            if count < 0 { failure = Errno(rawValue: errno) } else { length = carried + count }
        }
        if let failure { throw failure }
        if count == 0 { return false }
        offset += Int64(count)
        buffer.withUnsafeBytes { bytes in
            var start = 0
            while start < bytes.count, let base = bytes.baseAddress,
                let newline = memchr(base + start, 0x0A, bytes.count - start)
            {
                let end = UnsafeRawPointer(newline) - base
                body(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
                start = end + 1
            }
            self.rest = Array(bytes[start...])
        }
        return true
    }

    /// Goes to the file that follows the current one, if the current one has been renamed meanwhile.
    private mutating func advance() throws(Errno) -> Bool {
        let files = try Self.opened(path)
        let place = files.lastIndex { $0.inode == inode }
        if let place, place == files.count - 1 {
            for file in files { file.descriptor.discard() }
            return false
        }
        // One that is gone was the oldest: what follows is the oldest there is.
        let next = place.map { $0 + 1 } ?? 0
        for (index, file) in files.enumerated() where index != next { file.descriptor.discard() }
        guard next < files.count else { return false }
        file?.discard()
        (file, inode, offset) = (files[next].descriptor, files[next].inode, 0)
        rest = []
        return true
    }

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
