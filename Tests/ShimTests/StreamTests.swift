import Glibc
import LinuxKernel
import Shim
import SystemPackage
import TemporaryDirectories
import Testing

@Suite("Streams for attached clients")
struct StreamTests {
    @Test(
        "what goes into a queue comes out in order, from memory or from a file",
        arguments: [10, 100_000, SpillQueue.memoryLimit, SpillQueue.memoryLimit + 1, 3_000_000], [1, 7, 4096, 100_000])
    func spill(_ total: Int, _ portion: Int) throws {
        let directory = try TemporaryDirectory(mode: 0o755)
        let queue = SpillQueue(budget: SpillBudget(directory: directory.path))
        let bytes = (0..<total).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
        // More goes in than out until all is in.
        var read: [UInt8] = []
        for part in Self.parts(of: bytes, size: max(portion, total / 1000)) {
            try Self.add(part, to: queue)
            read += try Self.take(part.count / 2, from: queue)
        }
        #expect(queue.count == total - read.count)
        while !queue.isEmpty { read += try Self.take(50_000, from: queue) }
        #expect(read == bytes)
        #expect(!queue.isSpilled, "the file is given back when all has been read")
        #expect(try Files.names(in: directory.path).isEmpty, "the file has no name")
    }

    private static func parts(of bytes: [UInt8], size: Int) -> [[UInt8]] {
        stride(from: 0, to: bytes.count, by: size).map { Array(bytes[$0..<min($0 + size, bytes.count)]) }
    }

    @inline(never)  // The optimiser of Swift 6.3 crashes on this in a loop.
    private static func add(_ bytes: [UInt8], to queue: SpillQueue) throws {
        try bytes.withUnsafeBytes { bytes in try queue.append(bytes) }
    }

    /// Takes at most `count` bytes out of a queue.
    @inline(never)  // As above.
    private static func take(_ count: Int, from queue: SpillQueue) throws -> [UInt8] {
        let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 8)
        defer { scratch.deallocate() }
        var taken: [UInt8] = []
        try queue.consume(scratch: scratch) { bytes in
            taken = Array(bytes.prefix(count))
            return taken.count
        }
        return taken
    }

    @Test("all queues of a budget share its limit, and what has been sent is given back")
    func budget() throws {
        let directory = try TemporaryDirectory(mode: 0o755)
        let budget = SpillBudget(directory: directory.path, limit: 1 << 20)
        let bytes = [UInt8](repeating: 1, count: 400_000)
        let (first, second) = (SpillQueue(budget: budget), SpillQueue(budget: budget))
        for queue in [first, second] { try Self.add(bytes, to: queue) }
        #expect(throws: Errno.noSpace) { try Self.add(bytes, to: first) }
        while !second.isEmpty { _ = try Self.take(50_000, from: second) }
        try Self.add(bytes, to: first)
    }

    @Test("seven eighths of what is free on the disk stay free", .enabled(if: geteuid() == 0, "needs root"))
    func reserve() throws {
        let directory = try TemporaryDirectory(mode: 0o755)
        #expect(mount("tmpfs", directory.path.string, "tmpfs", 0, "size=4m") == 0)
        defer { umount2(directory.path.string, Int32(MNT_DETACH)) }
        let queue = SpillQueue(budget: SpillBudget(directory: directory.path))
        try Self.add([UInt8](repeating: 1, count: 400_000), to: queue)
        #expect(throws: Errno.noSpace) { try Self.add([UInt8](repeating: 1, count: 200_000), to: queue) }
    }

    @Test("little stays in memory, more goes to a file")
    func limits() throws {
        let directory = try TemporaryDirectory(mode: 0o755)
        let queue = SpillQueue(budget: SpillBudget(directory: directory.path))
        let bytes = [UInt8](repeating: 1, count: SpillQueue.memoryLimit)
        try Self.add(bytes, to: queue)
        #expect(!queue.isSpilled)
        try Self.add([2], to: queue)
        #expect(queue.isSpilled)
    }
}
