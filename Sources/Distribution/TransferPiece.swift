import NIOCore
import Synchronization

/// Some bytes on their way from or to a registry.
package struct TransferPiece: Sendable {
    /// The bytes, in SwiftNIO's form.
    package var buffer: ByteBuffer

    init(_ buffer: ByteBuffer) { self.buffer = buffer }

    /// `capacity` bytes that `fill` writes; it returns how many it did write.
    package init(capacity: Int, fill: (UnsafeMutableRawBufferPointer) throws -> Int) rethrows {
        buffer = ByteBufferAllocator().buffer(capacity: capacity)
        try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: capacity) { bytes in
            try fill(UnsafeMutableRawBufferPointer(rebasing: bytes[..<capacity]))
        }
    }

    /// A copy of the bytes.
    package init(_ bytes: some Sequence<UInt8>) { buffer = ByteBuffer(bytes: bytes) }

    /// How many bytes there are.
    package var count: Int { buffer.readableBytes }

    /// Calls `body` with the bytes; they are valid during the call only.
    package func withUnsafeBytes<T>(_ body: (UnsafeRawBufferPointer) throws -> T) rethrows -> T {
        try buffer.withUnsafeReadableBytes(body)
    }
}

/// Memory for bytes to come, of pieces that have been used: fresh memory of that size is mapped and cleared by the
/// kernel each time.
///
/// The task that takes a buffer out is its only owner, so it can write to the buffer in place.
final class SpareBuffers: Sendable {
    private let buffers = Mutex<[ByteBuffer]>([])

    func put(_ buffer: ByteBuffer) { buffers.withLock { $0.append(buffer) } }

    /// An empty buffer, or `nil`.
    func take() -> ByteBuffer? {
        guard var buffer = buffers.withLock({ $0.popLast() }) else { return nil }
        buffer.clear()
        return buffer
    }
}
