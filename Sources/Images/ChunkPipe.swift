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

    private struct State {
        /// How many chunks there are; none is made before it is needed.
        var made = 0
        var free: [[UInt8]] = []
        /// What waits for the reader, with how many bytes of it count; none is the end.
        var filled: [(chunk: [UInt8], count: Int)] = []
        var isAbandoned = false
    }

    private let state = Mutex(State())
    private let changed = Condition()

    /// Lets the writer go on without anyone reading, so that it ends.
    func abandon() {
        state.withLock { $0.isAbandoned = true }
        changed.broadcast()
    }

    /// A chunk to be filled, as soon as there is one; `nil` when the reader wants no more.
    private func takeFree() -> [UInt8]? {
        enum Found {
            case chunk([UInt8])
            case nobodyWants
        }
        let found = changed.wait {
            state.withLock { state -> Found? in
                if state.isAbandoned { return .nobodyWants }
                if let chunk = state.free.popLast() { return .chunk(chunk) }
                guard state.made < Self.count else { return nil }
                state.made += 1
                return .chunk([UInt8](repeating: 0, count: Self.capacity))
            }
        }
        if case .chunk(let chunk)? = found { return chunk }
        return nil
    }

    private func passOn(_ chunk: [UInt8], _ count: Int) {
        state.withLock { $0.filled.append((chunk, count)) }
        changed.broadcast()
    }

    private func takeFilled() -> (chunk: [UInt8], count: Int) {
        let found = changed.wait { state.withLock { $0.filled.isEmpty ? nil : $0.filled.removeFirst() } }
        return found ?? ([], 0)
    }

    private func giveBack(_ chunk: [UInt8]) {
        state.withLock { $0.free.append(chunk) }
        changed.broadcast()
    }

    /// The writing side.
    struct Writer: Sendable {
        fileprivate let pipe: ChunkPipe

        fileprivate init(_ pipe: ChunkPipe) { self.pipe = pipe }

        /// Waits for a free chunk and has `fill` put bytes in it; none means the end. Returns `false` when that was
        /// the end, or when the reader wants no more. An error of `fill` reaches the reader as the end of the
        /// stream, so the writer must see to it that the error counts.
        func send(_ fill: (UnsafeMutableRawBufferPointer) throws -> Int) throws -> Bool {
            guard var chunk = pipe.takeFree() else { return false }
            var count = 0
            defer { pipe.passOn(chunk, count) }
            count = try chunk.withUnsafeMutableBytes(fill)
            return count > 0
        }
    }

    /// Gathers what is written in pieces of any size. For one thread.
    final class Sink: Sendable {
        private struct State: Sendable {
            var pending: [UInt8] = []
            /// Whether the reader takes anything any more: one that has gone gives no chunk back.
            var isWanted = true
        }

        private let writer: Writer
        private let state = Mutex(State())

        init(_ writer: Writer) {
            self.writer = writer
            state.withLock { $0.pending.reserveCapacity(ChunkPipe.capacity) }
        }

        /// Takes bytes. Throws `cancelled` when the reader wants no more.
        func write(_ bytes: UnsafeRawBufferPointer) throws(ArchiveError) {
            try state.withLock { (state) throws(ArchiveError) in
                var rest = bytes
                while !rest.isEmpty {
                    let count = min(rest.count, ChunkPipe.capacity - state.pending.count)
                    state.pending.append(contentsOf: rest[..<count])
                    rest = UnsafeRawBufferPointer(rebasing: rest[count...])
                    if state.pending.count == ChunkPipe.capacity { try flush(&state) }
                }
            }
        }

        private func flush(_ state: inout State) throws(ArchiveError) {
            guard state.isWanted else { throw .cancelled }
            do {
                state.isWanted = try writer.send { [pending = state.pending] chunk in
                    chunk.copyBytes(from: pending)
                    return pending.count
                }
            } catch {
                state.isWanted = false
            }
            state.pending.removeAll(keepingCapacity: true)
            if !state.isWanted { throw .cancelled }
        }

        /// Hands over the rest, and says that it was that; also after an error.
        func end() {
            state.withLock { state in
                // A reader that has gone needs neither.
                if !state.pending.isEmpty { try? flush(&state) }
                guard state.isWanted else { return }
                _ = try? writer.send { _ in 0 }  // the same
            }
        }
    }

    /// The reading side.
    final class Reader: ByteSource {
        private let pipe: ChunkPipe
        private var chunk: [UInt8] = []
        private var position = 0
        private var length = 0
        private var isAtEnd = false

        fileprivate init(_ pipe: ChunkPipe) { self.pipe = pipe }

        func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
            if isAtEnd { return 0 }
            if position == length { advance() }
            let count = min(buffer.count, length - position)
            if count > 0 {
                chunk.withUnsafeBytes {
                    buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[position..<position + count]))
                }
                position += count
            }
            return count
        }

        private func advance() {
            if !chunk.isEmpty { pipe.giveBack(takeChunk()) }
            (chunk, length) = pipe.takeFilled()
            position = 0
            isAtEnd = length == 0
        }

        /// Lets go of the chunk: the writer is to fill it in place, without a copy.
        private func takeChunk() -> [UInt8] {
            defer { chunk = [] }
            return chunk
        }
    }

    /// The writing end; to be taken once.
    func writer() -> Writer { Writer(self) }

    /// The reading end; to be taken once.
    func reader() -> Reader { Reader(self) }
}
