import CShim
import Glibc
import LinuxKernel
import SystemPackage

/// Bytes on their way to a client that does not take them fast enough: first in memory, then in a file without a name.
///
/// A slow client must neither stall the container nor lose output.
package final class SpillQueue {
    /// How much is kept in memory.
    package static let memoryLimit = 256 << 10
    /// How much of the file is given back to the disk at a time.
    private static let holeSize = 8 << 20

    private let budget: SpillBudget
    private var memory: [UInt8] = []
    private var memoryStart = 0
    private var file: FileDescriptor?
    private var fileStart = 0
    private var fileEnd = 0
    private var holeEnd = 0

    /// A queue whose file, should it need one, is made at the expense of `budget`.
    package init(budget: SpillBudget) {
        self.budget = budget
    }

    deinit {
        budget.giveBack(fileEnd - fileStart)
        file?.discard()
    }

    /// How many bytes wait.
    package var count: Int { memory.count - memoryStart + fileEnd - fileStart }

    /// Whether none wait.
    package var isEmpty: Bool { count == 0 }

    /// Whether there is a file.
    package var isSpilled: Bool { file != nil }

    /// Adds bytes at the end.
    ///
    /// - Throws: `.noSpace` beyond the budget; what the disk says.
    package func append(_ bytes: UnsafeRawBufferPointer) throws(Errno) {
        // As long as there is something in the file, what comes later has to go there too.
        if fileStart == fileEnd, memory.count - memoryStart + bytes.count <= Self.memoryLimit {
            memory.append(contentsOf: bytes)
            return
        }
        let file = try openFile()
        guard budget.take(bytes.count) else { throw .noSpace }
        var offset = 0
        defer { budget.giveBack(bytes.count - offset) }
        while offset < bytes.count {
            let written = pwrite(
                file.rawValue, bytes.baseAddress.map { $0 + offset }, bytes.count - offset, off_t(fileEnd))
            if written > 0 {
                offset += written
                fileEnd += written
            } else if written < 0, errno != EINTR {
                throw Errno(rawValue: errno)
            }
        }
    }

    /// Passes the first bytes to `body`, which says how many of them it has used.
    ///
    /// - Parameter scratch: Memory for bytes that come from the file.
    package func consume(
        scratch: UnsafeMutableRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Int
    ) throws(Errno) {
        if memoryStart < memory.count {
            memoryStart += memory.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[memoryStart...])) }
            if memoryStart == memory.count {
                memory = []
                memoryStart = 0
            } else if memoryStart > Self.memoryLimit / 2 {
                memory.removeFirst(memoryStart)
                memoryStart = 0
            }
            return
        }
        guard let file, fileStart < fileEnd else { return }
        let wanted = min(scratch.count, fileEnd - fileStart)
        let got = pread(file.rawValue, scratch.baseAddress, wanted, off_t(fileStart))
        guard got > 0 else { throw got < 0 ? Errno(rawValue: errno) : .ioError }
        let used = body(UnsafeRawBufferPointer(rebasing: scratch[..<got]))
        fileStart += used
        budget.giveBack(used)
        giveBack(file)
    }

    private func openFile() throws(Errno) -> FileDescriptor {
        if let file { return file }
        let file = try Self.makeFile(in: budget.directory)
        self.file = file
        return file
    }

    private static func makeFile(in directory: FilePath) throws(Errno) -> FileDescriptor {
        do {
            return try Files.open(directory, [.readWrite, OpenFlags(rawValue: temporaryFile)], mode: 0o600)
        } catch .notSupported, .isDirectory, .invalidArgument {
            // A file system or kernel without O_TMPFILE.
            let path = directory.appending(".attach-\(getpid())")
            let file = try Files.open(path, [.readWrite, .create, .exclusive, .noFollow], mode: 0o600)
            try Files.remove(path)
            return file
        }
    }

    private func giveBack(_ file: FileDescriptor) {
        if fileStart == fileEnd {
            file.discard()
            self.file = nil
            (fileStart, fileEnd, holeEnd) = (0, 0, 0)
        } else if fileStart - holeEnd >= Self.holeSize {
            // On file systems that cannot do this the space comes back when all has been sent.
            _ = masu_punch_hole(file.rawValue, Int64(holeEnd), Int64(fileStart - holeEnd))
            holeEnd = fileStart
        }
    }
}

/// `O_TMPFILE`, which is a macro of two flags.
private let temporaryFile: CInt = 0o20200000
