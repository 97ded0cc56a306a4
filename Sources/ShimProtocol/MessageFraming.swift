import JSON

/// Messages on a control connection: four bytes of length, most significant first, then that much JSON.
package enum MessageFraming {
    /// The longest message. A process with a large environment takes a few hundred KiB.
    package static let limit = 16 << 20

    /// The bytes of `message`, its length before it.
    package static func frame(_ message: some Encodable) throws(ShimError) -> [UInt8] {
        let body: [UInt8]
        do {
            body = try JSON.encode(message)
        } catch {
            throw ShimError(.invalid, "cannot encode a shim message: \(error)")
        }
        guard body.count <= limit else {
            throw ShimError(.invalid, "a shim message of \(body.count) bytes is too long")
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(body.count + 4)
        withUnsafeBytes(of: UInt32(body.count).bigEndian) { bytes.append(contentsOf: $0) }
        bytes += body
        return bytes
    }

    /// The message in `body`.
    package static func message<T: Decodable>(
        _ type: T.Type, from body: some Collection<UInt8>
    ) throws(ShimError) -> T {
        do {
            return try JSON.decode(type, from: body)
        } catch {
            throw ShimError(.invalid, "not a shim message: \(error)")
        }
    }

    /// The length that four bytes spell.
    static func length(_ bytes: some Collection<UInt8>) throws(ShimError) -> Int {
        let length = bytes.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        guard length <= limit else { throw ShimError(.invalid, "a shim message of \(length) bytes is too long") }
        return length
    }
}

/// Cuts a stream of bytes, which come in any portions, into the bodies of messages.
package struct FrameReader {
    /// What has come and has not been taken. After a request that makes the connection raw, this is its first input.
    package private(set) var pending: [UInt8] = []

    /// Nothing has come yet.
    package init() {}

    /// Adds what was read.
    package mutating func append(_ bytes: some Collection<UInt8>) {
        pending.append(contentsOf: bytes)
    }

    /// The next whole body; `nil` until more has come.
    ///
    /// - Throws: `invalid` for a length beyond the limit; the connection is of no use then.
    package mutating func next() throws(ShimError) -> [UInt8]? {
        guard pending.count >= 4 else { return nil }
        let length = try MessageFraming.length(pending)
        guard pending.count >= 4 + length else { return nil }
        let body = Array(pending[4..<(4 + length)])
        if pending.count == 4 + length { pending = [] } else { pending.removeFirst(4 + length) }
        return body
    }
}
