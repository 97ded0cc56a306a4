/// Messages in a stream: each comes after two bytes with its length (RFC 1035, 4.2.2).
struct StreamMessages {
    private var pending: [UInt8] = []

    /// A message with its length before it; messages have at most 65,535 bytes.
    static func frame(_ message: [UInt8]) -> [UInt8] {
        [UInt8(truncatingIfNeeded: message.count >> 8), UInt8(truncatingIfNeeded: message.count)] + message
    }

    /// Adds what was read.
    mutating func append(_ bytes: UnsafeRawBufferPointer) { pending.append(contentsOf: bytes) }

    /// How many bytes wait.
    var count: Int { pending.count }

    /// Takes the next message, once all of it is there.
    mutating func next() -> [UInt8]? {
        guard pending.count >= 2 else { return nil }
        let end = 2 + Int(pending[0]) << 8 + Int(pending[1])
        guard pending.count >= end else { return nil }
        let message = Array(pending[2..<end])
        if pending.count == end { pending = [] } else { pending.removeFirst(end) }
        return message
    }
}
