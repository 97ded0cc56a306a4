import NIOCore

/// What a server sends by WebSocket: frames without a mask, each a whole message (RFC 6455, section 5).
enum WebSocketFrame {
    case message(ByteBuffer, WebSocketMessages)
    case pong(ByteBuffer)
    case close(WebSocketCloseCode?)

    /// The frame as bytes.
    var bytes: ByteBuffer {
        switch self {
        case .message(let payload, let kind): Self.frame(kind == .text ? 0x1 : 0x2, payload)
        case .pong(let payload): Self.frame(0xA, payload)
        case .close(let code):
            Self.frame(0x8, code.map { ByteBuffer(integer: $0.number) } ?? ByteBuffer())
        }
    }

    private static func frame(_ operation: UInt8, _ payload: ByteBuffer) -> ByteBuffer {
        var payload = payload
        var frame = ByteBuffer()
        frame.reserveCapacity(payload.readableBytes + 10)
        frame.writeInteger(0x80 | operation)
        switch payload.readableBytes {
        case 0...125: frame.writeInteger(UInt8(payload.readableBytes))
        case 126...Int(UInt16.max): frame.writeMultipleIntegers(126 as UInt8, UInt16(payload.readableBytes))
        default: frame.writeMultipleIntegers(127 as UInt8, UInt64(payload.readableBytes))
        }
        frame.writeBuffer(&payload)
        return frame
    }
}

/// As what the bytes of a stream are sent by WebSocket.
package enum WebSocketMessages: Hashable, Sendable {
    /// Text, which clients may refuse where it is not UTF-8.
    case text
    /// Bytes.
    case binary
}
