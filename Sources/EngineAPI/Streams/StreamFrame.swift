import Engine
import Tasks

/// Docker's framing of two output streams on one connection: a header of eight bytes (stream, three zeros, length as a
/// big-endian 32-bit number) before each piece.
package enum StreamFrame {
    /// How long a header is.
    package static let headerLength = 8

    /// One frame.
    package static func bytes(_ payload: ArraySlice<UInt8>, on stream: OutputStream) -> [UInt8] {
        var frame: [UInt8] = []
        frame.reserveCapacity(headerLength + payload.count)
        appendHeader(to: &frame, length: payload.count, stream: stream)
        frame.append(contentsOf: payload)
        return frame
    }

    /// Adds the header of a frame of `length` bytes.
    static func appendHeader(to bytes: inout [UInt8], length: Int, stream: OutputStream) {
        bytes.append(contentsOf: [stream.rawValue, 0, 0, 0])
        let length = UInt32(length)
        for shift in stride(from: 24, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: length >> shift)) }
    }
}
