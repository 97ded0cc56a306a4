import SystemPackage

/// Bytes that are read from front to back.
package struct ByteReader {
    private var rest: ArraySlice<UInt8>

    /// A reader of `bytes`.
    package init(_ bytes: ArraySlice<UInt8>) {
        rest = bytes
    }

    /// Whether all has been read.
    package var isAtEnd: Bool { rest.isEmpty }

    /// The bytes that are not read yet.
    package var remainder: ArraySlice<UInt8> { rest }

    /// The next number, in this machine's byte order.
    package mutating func number<Number: FixedWidthInteger>(_: Number.Type = Number.self) throws(Errno) -> Number {
        let bytes = try take(MemoryLayout<Number>.size)
        return bytes.withUnsafeBytes { $0.loadUnaligned(as: Number.self) }
    }

    /// The next `count` bytes.
    package mutating func take(_ count: Int) throws(Errno) -> ArraySlice<UInt8> {
        guard count >= 0, count <= rest.count else { throw .badMessage }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    /// The next `count` bytes, and no more what fills them up to a multiple of four. At the end those may be missing.
    fileprivate mutating func takeAligned(_ count: Int) throws(Errno) -> ArraySlice<UInt8> {
        let bytes = try take(count)
        rest = rest.dropFirst((4 - count % 4) % 4)
        return bytes
    }
}

/// A netlink message as the kernel sends it.
package struct Message: Hashable, Sendable {
    /// `RTM_…`, or one of netlink's own kinds (`NLMSG_…`).
    package var type: UInt16
    /// `NLM_F_…`.
    package var flags: UInt16
    /// That of the request it answers.
    package var sequence: UInt32
    /// What comes after the header.
    package var payload: ArraySlice<UInt8>

    /// Takes apart what one call of recvmsg(2) has brought.
    ///
    /// - Throws: `badMessage` where lengths do not fit.
    package static func all(in bytes: [UInt8]) throws(Errno) -> [Message] {
        var reader = ByteReader(bytes[...])
        var messages: [Message] = []
        while !reader.isAtEnd {
            var header = ByteReader(try reader.take(16))
            let length = Int(try header.number(UInt32.self))
            let type = try header.number(UInt16.self)
            let flags = try header.number(UInt16.self)
            let sequence = try header.number(UInt32.self)
            guard length >= 16 else { throw .badMessage }
            let payload = try reader.takeAligned(length - 16)
            messages.append(Message(type: type, flags: flags, sequence: sequence, payload: payload))
        }
        return messages
    }

    /// The errno that a message of kind `NLMSG_ERROR` carries; `nil` if that is 0, which says that all went well.
    package func failure() throws(Errno) -> Errno? {
        var reader = ByteReader(payload)
        let number = try reader.number(Int32.self)
        return number == 0 ? nil : Errno(rawValue: 0 &- number)
    }
}

/// The attributes of a message or of another attribute.
package struct Attributes {
    private var payloads: [UInt16: ArraySlice<UInt8>] = [:]

    /// Takes `bytes` apart. Of two attributes of a kind the last one counts.
    ///
    /// - Throws: `badMessage` where lengths do not fit.
    package init(_ bytes: ArraySlice<UInt8>) throws(Errno) {
        var reader = ByteReader(bytes)
        while !reader.isAtEnd {
            var header = ByteReader(try reader.take(4))
            let length = Int(try header.number(UInt16.self))
            // The upper two bits say what is inside.
            let type = try header.number(UInt16.self) & 0x3fff
            guard length >= 4 else { throw .badMessage }
            payloads[type] = try reader.takeAligned(length - 4)
        }
    }

    /// The bytes of the attribute `type`; `nil` if there is none.
    package subscript(type: UInt16) -> [UInt8]? { payloads[type].map(Array.init) }

    /// The number in the attribute `type`; `nil` if there is none.
    package func number<Number: FixedWidthInteger>(
        _ type: UInt16, as _: Number.Type = Number.self
    ) throws(Errno) -> Number? {
        guard let payload = payloads[type] else { return nil }
        var reader = ByteReader(payload)
        return try reader.number()
    }

    /// The text in the attribute `type`, without its null byte; `nil` if there is none.
    package func text(_ type: UInt16) -> String? {
        payloads[type].map { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
