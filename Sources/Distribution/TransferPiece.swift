import NIOCore

/// Some bytes on their way from or to a registry.
package struct TransferPiece: Sendable {
    var buffer: ByteBuffer

    init(_ buffer: ByteBuffer) { self.buffer = buffer }

    /// `capacity` bytes that `fill` writes; it returns how many it did write.
    package init(capacity: Int, fill: (UnsafeMutableRawBufferPointer) throws -> Int) rethrows {
        buffer = ByteBufferAllocator().buffer(capacity: capacity)
        try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: capacity) { bytes in
            try fill(UnsafeMutableRawBufferPointer(rebasing: bytes[..<capacity]))
        }
    }

    package init(_ bytes: some Sequence<UInt8>) { buffer = ByteBuffer(bytes: bytes) }

    package var count: Int { buffer.readableBytes }

    package func withUnsafeBytes<T>(_ body: (UnsafeRawBufferPointer) throws -> T) rethrows -> T {
        try buffer.withUnsafeReadableBytes(body)
    }
}
