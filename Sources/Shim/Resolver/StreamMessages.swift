/// Messages in a stream: each comes after two bytes with its length (RFC 1035, 4.2.2).
struct StreamMessages {
    private var pending: [UInt8] = []
    /// Where the first message that has not been taken begins.
    private var start = 0

    /// A message with its length before it; messages have at most 65,535 bytes.
    static func frame(_ message: [UInt8]) -> [UInt8] {
        [UInt8(truncatingIfNeeded: message.count >> 8), UInt8(truncatingIfNeeded: message.count)] + message
    }

    /// Adds what was read.
    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        // Moved once for all that was taken: there may be thousands of short messages.
        pending.removeFirst(start)
        start = 0
        pending.append(contentsOf: bytes)
    }

    /// How many bytes wait.
    var count: Int { pending.count - start }

    /// Takes the next message, once all of it is there.
    mutating func next() -> [UInt8]? {
        guard count >= 2 else { return nil }
        let end = start + 2 + Int(pending[start]) << 8 + Int(pending[start + 1])
        guard pending.count >= end else { return nil }
        let message = Array(pending[(start + 2)..<end])
        start = end
        if count == 0 { (pending, start) = ([], 0) }
        return message
    }
}
