/// A message of protocol buffers while it is written (protobuf.dev, "Encoding"): as much of it as CRIU's few messages
/// need.
package struct ProtocolBufferWriter {
    /// The message so far.
    package private(set) var bytes: [UInt8] = []

    /// An empty message.
    package init() {}

    /// A field of one of the unsigned types, or of an enumeration.
    package mutating func add(_ field: UInt64, _ value: UInt64) {
        addNumber(field << 3)
        addNumber(value)
    }

    /// A field of type `int32`; a negative value is written as one of 64 bits.
    package mutating func add(_ field: UInt64, _ value: Int32) {
        add(field, UInt64(bitPattern: Int64(value)))
    }

    /// A field of type `bool`.
    package mutating func add(_ field: UInt64, _ value: Bool) {
        add(field, value ? 1 : 0 as UInt64)
    }

    /// A field of type `string`.
    package mutating func add(_ field: UInt64, _ value: String) {
        add(field, bytes: Array(value.utf8))
    }

    /// A field that is a message itself.
    package mutating func add(_ field: UInt64, _ build: (inout ProtocolBufferWriter) -> Void) {
        var inner = ProtocolBufferWriter()
        build(&inner)
        add(field, bytes: inner.bytes)
    }

    private mutating func add(_ field: UInt64, bytes value: [UInt8]) {
        addNumber(field << 3 | 2)
        addNumber(UInt64(value.count))
        bytes += value
    }

    /// Seven bits a byte, the lowest first; the eighth says that more follow.
    private mutating func addNumber(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}

/// The fields of a message of protocol buffers, as they are on the wire.
package struct ProtocolBufferFields: Hashable, Sendable {
    /// What is in a field before its type is known.
    private enum Value: Hashable, Sendable {
        case number(UInt64)
        case bytes([UInt8])
    }

    private var values: [UInt64: Value] = [:]

    /// Why bytes are no message.
    package struct Malformed: Error, Hashable, Sendable {}

    /// Takes a message apart. Of a field that is there more than once the last one counts, as everywhere.
    package init(_ message: some Collection<UInt8>) throws(Malformed) {
        var rest = ArraySlice(Array(message))
        while !rest.isEmpty {
            let key = try Self.number(&rest)
            guard key >> 3 != 0 else { throw Malformed() }
            switch key & 7 {
            case 0: values[key >> 3] = .number(try Self.number(&rest))
            case 1: values[key >> 3] = .number(try Self.fixed(&rest, 8))
            case 2:
                let count = try Self.number(&rest)
                guard count <= UInt64(rest.count) else { throw Malformed() }
                values[key >> 3] = .bytes(Array(rest.prefix(Int(count))))
                rest = rest.dropFirst(Int(count))
            case 5: values[key >> 3] = .number(try Self.fixed(&rest, 4))
            default: throw Malformed()
            }
        }
    }

    private static func number(_ rest: inout ArraySlice<UInt8>) throws(Malformed) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard let byte = rest.popFirst() else { throw Malformed() }
            // The tenth byte has room for one bit.
            guard shift < 63 || byte <= 1 else { throw Malformed() }
            value |= UInt64(byte & 0x7f) << shift
            if byte & 0x80 == 0 { return value }
        }
        throw Malformed()
    }

    private static func fixed(_ rest: inout ArraySlice<UInt8>, _ count: Int) throws(Malformed) -> UInt64 {
        guard rest.count >= count else { throw Malformed() }
        let value = rest.prefix(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
        rest = rest.dropFirst(count)
        return value
    }

    /// A field of an unsigned type or of an enumeration; `nil` if it is not there.
    package func number(_ field: UInt64) -> UInt64? {
        if case .number(let value)? = values[field] { value } else { nil }
    }

    /// A field of type `int32`.
    package func int32(_ field: UInt64) -> Int32? {
        number(field).map { Int32(truncatingIfNeeded: $0) }
    }

    /// A field of type `bool`.
    package func bool(_ field: UInt64) -> Bool? {
        number(field).map { $0 != 0 }
    }

    /// A field of type `string`.
    package func string(_ field: UInt64) -> String? {
        if case .bytes(let bytes)? = values[field] { String(decoding: bytes, as: UTF8.self) } else { nil }
    }

    /// A field that is a message itself.
    package func message(_ field: UInt64) throws(Malformed) -> ProtocolBufferFields? {
        guard case .bytes(let bytes)? = values[field] else { return nil }
        return try ProtocolBufferFields(bytes)
    }
}
