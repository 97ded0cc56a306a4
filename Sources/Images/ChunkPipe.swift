import Archive
import LinuxKernel
import Synchronization

/// Hands a stream of bytes from one thread to another, a few large chunks at a time.
///
/// The writing thread fills chunks that the reading thread has given back; each waits for the other when it is ahead
/// by all of them. Each side calls only the methods meant for it.
final class ChunkPipe: Sendable {
    private static let count = 6
    private static let capacity = 512 << 10

    private let isAbandoned = Atomic<Bool>(false)
    // Each chunk, and its length, belongs to one side at a time: the semaphores say to which, and order the accesses.
    nonisolated(unsafe) private let memory: UnsafeMutableRawPointer
    nonisolated(unsafe) private let lengths: UnsafeMutablePointer<Int>
    private let free = Semaphore(ChunkPipe.count)
    private let filled = Semaphore()

    init() {
        memory = .allocate(byteCount: Self.count * Self.capacity, alignment: 4096)
        lengths = .allocate(capacity: Self.count)
        lengths.initialize(repeating: 0, count: Self.count)
    }

    deinit {
        memory.deallocate()
        lengths.deallocate()
    }

    private func chunk(_ index: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: memory + (index % Self.count) * Self.capacity, count: Self.capacity)
    }

    /// The writing side.
    struct Writer {
        fileprivate let pipe: ChunkPipe
        private var index = 0

        fileprivate init(_ pipe: ChunkPipe) { self.pipe = pipe }

        /// Waits for a free chunk and has `fill` put bytes in it; none means the end. Returns `false` when that was
        /// the end, or when the reader wants no more. An error of `fill` reaches the reader as the end of the
        /// stream, so the writer must see to it that the error counts.
        mutating func send(
            _ fill: (UnsafeMutableRawBufferPointer) throws -> Int
        ) throws -> Bool {
            pipe.free.wait()
            if pipe.isAbandoned.load(ordering: .acquiring) { return false }
            let chunk = pipe.chunk(index)
            var count = 0
            defer {
                pipe.lengths[index % ChunkPipe.count] = count
                index += 1
                pipe.filled.signal()
            }
            count = try fill(chunk)
            return count > 0
        }
    }

    /// Gathers what is written in pieces of any size.
    final class Sink {
        private var writer: Writer
        private var pending: [UInt8] = []
        /// Whether the reader takes anything any more: one that has gone gives no chunk back.
        private var isWanted = true

        init(_ writer: Writer) {
            self.writer = writer
            pending.reserveCapacity(ChunkPipe.capacity)
        }

        /// Takes bytes. Throws `cancelled` when the reader wants no more.
        func write(_ bytes: UnsafeRawBufferPointer) throws(ArchiveError) {
            var rest = bytes
            while !rest.isEmpty {
                let count = min(rest.count, ChunkPipe.capacity - pending.count)
                pending.append(contentsOf: rest[..<count])
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
                if pending.count == ChunkPipe.capacity { try flush() }
            }
        }

        private func flush() throws(ArchiveError) {
            guard isWanted else { throw .cancelled }
            do {
                isWanted = try writer.send { chunk in
                    chunk.copyBytes(from: pending)
                    return pending.count
                }
            } catch {
                isWanted = false
            }
            pending.removeAll(keepingCapacity: true)
            if !isWanted { throw .cancelled }
        }

        /// Hands over the rest, and says that it was that; also after an error.
        func end() {
            // A reader that has gone needs neither.
            if !pending.isEmpty { try? flush() }
            guard isWanted else { return }
            _ = try? writer.send { _ in 0 }  // the same
        }
    }

    /// The reading side.
    final class Reader: ByteSource {
        private let pipe: ChunkPipe
        private var index = 0
        private var position = 0
        private var length = 0
        private var holds = false
        private var isAtEnd = false

        fileprivate init(_ pipe: ChunkPipe) { self.pipe = pipe }

        func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
            if isAtEnd { return 0 }
            if position == length { advance() }
            let count = min(buffer.count, length - position)
            if count > 0 {
                let chunk = pipe.chunk(index)
                buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: chunk[position..<position + count]))
                position += count
            }
            return count
        }

        private func advance() {
            if holds {
                index += 1
                pipe.free.signal()
            }
            pipe.filled.wait()
            holds = true
            position = 0
            length = pipe.lengths[index % ChunkPipe.count]
            isAtEnd = length == 0
        }

        /// Lets the writer go on without anyone reading, so that it ends.
        func abandon() {
            pipe.isAbandoned.store(true, ordering: .releasing)
            pipe.free.signal()
        }
    }

    /// The writing end; to be taken once.
    func writer() -> Writer { Writer(self) }

    /// The reading end; to be taken once.
    func reader() -> Reader { Reader(self) }
}
