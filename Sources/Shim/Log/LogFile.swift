import Glibc
import LinuxKernel
import SystemPackage

/// A log's file and its predecessors: `path`, `path.1` (the one before), `path.2`, …
///
/// Nothing that happens to the file, least of all a full disk, may stop the container: what cannot be written is
/// dropped in whole records, and counted.
final class LogFile {
    private let path: FilePath
    private let maxSize: Int64?
    private let maxFiles: Int
    private var descriptor: FileDescriptor
    private var size: Int64
    /// How many records could not be written.
    private(set) var droppedRecords: UInt64 = 0
    /// Whether the file did not exist before.
    let isNew: Bool

    /// Opens `path` to append to it, or makes it.
    init(_ path: FilePath, maxSize: Int64?, maxFiles: Int) throws(Errno) {
        self.path = path
        self.maxSize = maxSize
        self.maxFiles = maxFiles
        isNew = !Files.exists(path)
        descriptor = try Self.open(path)
        do throws(Errno) {
            size = try FileStatus.of(descriptor).size
        } catch {
            descriptor.discard()
            throw error
        }
        endBrokenRecord()
    }

    deinit {
        descriptor.discard()
    }

    private static func open(_ path: FilePath) throws(Errno) -> FileDescriptor {
        try Files.open(path, [.readWrite, .append, .create, .noFollow], mode: 0o640)
    }

    /// Whether the file has its full size once `more` bytes have been written to it.
    func isFull(after more: Int) -> Bool {
        guard let maxSize, size + Int64(more) >= maxSize else { return false }
        // Somebody else may have emptied it since.
        size = min(size, sizeOnDisk)
        return size + Int64(more) >= maxSize
    }

    private var sizeOnDisk: Int64 {
        // Fails for no open file.
        (try? FileStatus.of(descriptor).size) ?? size
    }

    /// Appends whole records.
    func append(_ bytes: UnsafeRawBufferPointer) {
        var offset = 0
        writing: while offset < bytes.count {
            switch Transfer.write(descriptor, UnsafeRawBufferPointer(rebasing: bytes[offset...])) {
            case .bytes(let count): offset += count
            case .wouldBlock, .ended, .failed: break writing
            }
        }
        if offset < bytes.count {
            // Half a record would make the next one unreadable too.
            let kept = bytes[..<offset].lastIndex(of: 0x0a).map { $0 + 1 } ?? 0
            ftruncate(descriptor.rawValue, off_t(max(0, sizeOnDisk - Int64(offset - kept))))
            for byte in bytes[kept...] where byte == 0x0a { droppedRecords += 1 }
            offset = kept
        }
        size += Int64(offset)
    }

    /// Sets the file aside and begins a new one.
    func rotate() {
        // Whatever fails here is tried again when as much more has been written; until then records go where they went.
        defer { size = 0 }
        guard maxFiles > 1 else { return replace() }
        // The first free number, or the last there may be: those before it move up.
        var free = 1
        while free < maxFiles - 1, Files.exists(FilePath("\(path).\(free)")) { free += 1 }
        for number in stride(from: free, to: 1, by: -1) { rename("\(path).\(number - 1)", "\(path).\(number)") }
        rename(path.string, "\(path).1")
        // As said above.
        guard let next = try? Self.open(path) else { return }
        descriptor.discard()
        descriptor = next
    }

    /// Puts a new file in the place of the only one there may be. The old one is not emptied: its followers read the
    /// rest.
    private func replace() {
        let name = FilePath("\(path).next")
        do throws(Errno) {
            let next = try Files.open(name, [.readWrite, .append, .create, .truncate, .noFollow], mode: 0o640)
            do throws(Errno) {
                try Files.rename(name, to: path)
            } catch {
                next.discard()
                throw error
            }
            descriptor.discard()
            descriptor = next
        } catch {
            // No room for another file, or a directory that is gone: better a reader that misses lines than a file that
            // grows.
            ftruncate(descriptor.rawValue, 0)
            try? Files.remove(name)  // Mostly it has not come into being.
        }
    }

    /// Removes a file that has been made in vain.
    func removeIfNew() {
        if isNew, size == 0 { try? Files.remove(path) }  // Nobody can be told in whose way it is.
    }

    /// A shim that was killed while it wrote may have left half a record.
    private func endBrokenRecord() {
        guard size > 0 else { return }
        var last: UInt8 = 0
        guard pread(descriptor.rawValue, &last, 1, off_t(size - 1)) == 1, last != 0x0a else { return }
        var newline: UInt8 = 0x0a
        withUnsafeBytes(of: &newline) { append($0) }
    }
}
