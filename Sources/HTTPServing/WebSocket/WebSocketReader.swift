import NIOCore

/// What a client sends by WebSocket (RFC 6455), frame by frame. Payload is handed on as it comes, however large its
/// frame or message is, because the messages' borders mean nothing to a stream of bytes.
package struct WebSocketReader {
    /// What has come.
    package enum Event: Hashable {
        /// Bytes of a message, unmasked.
        case payload(ByteBuffer)
        /// The client wants to have this back in a pong.
        case ping(ByteBuffer)
        /// The answer to a ping, or a sign of life.
        case pong
        /// The client sends nothing more; why, if it says so.
        case close(WebSocketCloseCode?)
    }

    /// A control frame's payload is no longer (section 5.5).
    static let longestControl = 125

    /// What is not taken apart yet: less than a frame's head or a control frame between two calls of `next` that give
    /// nothing.
    private var unread = ByteBuffer()
    /// The frame of a message that is being read.
    private var present: (left: UInt64, mask: Mask)?
    /// Whether the message has frames to come.
    private var isInMessage = false

    /// At the beginning of what a client sends.
    package init() {}

    /// How many bytes of memory it has for what is not taken apart yet.
    package var capacity: Int { unread.capacity }

    /// Takes the next bytes that have come.
    package mutating func append(_ bytes: ByteBuffer) {
        var bytes = bytes
        if unread.readableBytes == 0 { return unread = bytes }
        // What has been read does not stay, or a client that never sends whole frames would fill the memory.
        unread.discardReadBytes()
        unread.writeBuffer(&bytes)
    }

    /// The next event; `nil` if there is none until more is appended.
    ///
    /// - Throws: `WebSocketViolation`; nothing more is to be read then.
    package mutating func next() throws(WebSocketViolation) -> Event? {
        while true {
            if let payload = takePayload() { return .payload(payload) }
            if present != nil { return nil }
            guard let head = try WebSocketHead(peeking: unread) else { return nil }
            switch head.operation {
            case .continuation, .text, .binary:
                guard (head.operation == .continuation) == isInMessage else {
                    throw isInMessage ? .interruptedMessage : .nothingToContinue
                }
                isInMessage = !head.isFinal
                unread.moveReaderIndex(forwardBy: head.size)
                if head.length > 0 { present = (head.length, Mask(head.mask)) }
            case .close, .ping, .pong:
                let length = Int(head.length)
                guard unread.readableBytes >= head.size + length else { return nil }
                unread.moveReaderIndex(forwardBy: head.size)
                var mask = Mask(head.mask)
                let payload = mask.remove(from: unread.readSlice(length: length) ?? ByteBuffer())
                switch head.operation {
                case .ping: return .ping(payload)
                case .pong: return .pong
                default: return .close(try WebSocketCloseCode(payload: payload))
                }
            }
        }
    }

    /// What has come of the present frame's payload.
    private mutating func takePayload() -> ByteBuffer? {
        guard var frame = present, unread.readableBytes > 0 else { return nil }
        let count = Int(min(UInt64(unread.readableBytes), frame.left))
        guard let slice = unread.readSlice(length: count) else { return nil }
        let payload = frame.mask.remove(from: slice)
        frame.left -= UInt64(count)
        present = frame.left == 0 ? nil : frame
        return payload
    }

    /// The four bytes that a client's payload is masked with, in turn (section 5.3).
    private struct Mask {
        private var bytes: [UInt8]
        private var position = 0

        init(_ bytes: [UInt8]) { self.bytes = bytes }

        mutating func remove(from buffer: ByteBuffer) -> ByteBuffer {
            var buffer = buffer
            let (mask, first) = (bytes, position)
            buffer.withUnsafeMutableReadableBytes { payload in
                for index in payload.indices { payload[index] ^= mask[(first + index) & 3] }
            }
            position = (first + buffer.readableBytes) & 3
            return buffer
        }
    }
}

/// The head of a client's frame (section 5.2).
private struct WebSocketHead {
    enum Operation: UInt8 {
        case continuation = 0x0
        case text = 0x1
        case binary = 0x2
        case close = 0x8
        case ping = 0x9
        case pong = 0xA
    }

    let isFinal: Bool
    let operation: Operation
    /// The payload's, in bytes.
    let length: UInt64
    let mask: [UInt8]
    /// The head's own, in bytes.
    let size: Int

    /// The head at the beginning of `buffer`; `nil` if it has not come as a whole.
    init?(peeking buffer: ByteBuffer) throws(WebSocketViolation) {
        var reader = buffer
        guard let first: UInt8 = reader.readInteger(), let second: UInt8 = reader.readInteger() else { return nil }
        isFinal = first & 0x80 != 0
        guard first & 0x70 == 0 else { throw .unknownExtension }
        guard let operation = Operation(rawValue: first & 0x0F) else { throw .unknownOperation }
        self.operation = operation
        guard second & 0x80 != 0 else { throw .unmasked }
        let short = second & 0x7F
        if operation.rawValue >= Operation.close.rawValue {
            guard isFinal, short <= WebSocketReader.longestControl else { throw .invalidControl }
        }
        switch short {
        case 126:
            guard let long: UInt16 = reader.readInteger() else { return nil }
            guard long > 125 else { throw .invalidLength }
            length = UInt64(long)
        case 127:
            guard let long: UInt64 = reader.readInteger() else { return nil }
            guard long > UInt64(UInt16.max), long >> 63 == 0 else { throw .invalidLength }
            length = long
        default: length = UInt64(short)
        }
        guard let mask = reader.readBytes(length: 4) else { return nil }
        self.mask = mask
        size = reader.readerIndex - buffer.readerIndex
    }
}

/// What a client does that the protocol forbids, whereupon the connection ends.
package enum WebSocketViolation: Error, Hashable {
    /// Bits of extensions that were not agreed upon.
    case unknownExtension
    /// A kind of frames that RFC 6455 leaves open.
    case unknownOperation
    /// A client masks all its frames.
    case unmasked
    /// A control frame in fragments, or too long.
    case invalidControl
    /// A length that has a shorter form, or that is negative.
    case invalidLength
    /// A message in the middle of another.
    case interruptedMessage
    /// A message that begins in its middle.
    case nothingToContinue
    /// A close frame with a code that is none.
    case invalidClose
}

/// Why one side ends a connection (section 7.4).
package struct WebSocketCloseCode: Hashable, Sendable {
    let number: UInt16

    static let normal = WebSocketCloseCode(number: 1000)
    static let protocolError = WebSocketCloseCode(number: 1002)

    private init(number: UInt16) { self.number = number }

    /// The code in a close frame's payload; `nil` if it is empty.
    init?(payload: ByteBuffer) throws(WebSocketViolation) {
        var payload = payload
        if payload.readableBytes == 0 { return nil }
        guard let number: UInt16 = payload.readInteger() else { throw .invalidClose }
        switch number {
        // 1004 to 1006 and 1015 are never sent, the others are not given to anything.
        case 1000...1003, 1007...1014, 3000...4999: self.number = number
        default: throw .invalidClose
        }
    }
}
