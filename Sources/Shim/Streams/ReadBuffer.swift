import Glibc
import SystemPackage

/// The memory that all output passes through, with room for a frame's header before the bytes.
///
/// Docker's frames (as `stdcopy` reads them) are eight bytes: the stream, three zeros, the length with its most
/// significant byte first; then the bytes.
final class ReadBuffer {
    /// The length of a frame's header.
    static let headerLength = 8
    private let buffer: PageBuffer

    init() throws(Errno) {
        buffer = try PageBuffer(count: 68 << 10)
    }

    /// Where to read to; 64 KiB, what a pipe holds.
    var space: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[Self.headerLength..<(Self.headerLength + (64 << 10))])
    }

    /// The first `count` bytes read.
    func bytes(_ count: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: space[..<count])
    }

    /// The first `count` bytes read, with a header.
    func frame(_ count: Int, stream: OutputStream) -> UnsafeRawBufferPointer {
        buffer.bytes.storeBytes(of: UInt32(stream.rawValue).littleEndian, as: UInt32.self)
        buffer.bytes.storeBytes(of: UInt32(count).bigEndian, toByteOffset: 4, as: UInt32.self)
        return UnsafeRawBufferPointer(rebasing: buffer.bytes[..<(Self.headerLength + count)])
    }

    /// Gives the memory back.
    func release() {
        buffer.release()
    }
}
