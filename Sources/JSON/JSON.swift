/// Reading and writing JSON (RFC 8259) without Foundation.
///
/// The programs that start with every container may not pay for Foundation (0.4 ms and 0.1 MiB each), and every
/// program is to read a number, a date or a wrong value in the same way; so all of them use this.
package enum JSON {
    /// Arrays and objects nested deeper than this are refused, so that hostile input cannot exhaust the stack.
    package static let depthLimit = 512

    /// The value that `bytes` spell.
    ///
    /// - Parameter valueLimit: how many values, those within arrays and objects included, there may be. A value takes
    ///   many times
    ///   the room of the two bytes that spell a short one.
    /// - Throws: `JSONError.syntax` where the bytes are not exactly one JSON value in UTF-8.
    package static func parse(
        _ bytes: some Collection<UInt8>, valueLimit: Int = .max
    ) throws(JSONError) -> JSONValue {
        let result = bytes.withContiguousStorageIfAvailable { parse(buffer: $0, valueLimit) }
        if let result { return try result.get() }
        let copy = Array(bytes)
        return try copy.withUnsafeBufferPointer { parse(buffer: $0, valueLimit) }.get()
    }

    /// The value that `text` spells.
    ///
    /// - Throws: `JSONError.syntax` where the text is not exactly one JSON value.
    package static func parse(_ text: String) throws(JSONError) -> JSONValue {
        try parse(text.utf8)
    }

    private static func parse(
        buffer: UnsafeBufferPointer<UInt8>, _ valueLimit: Int
    ) -> Result<JSONValue, JSONError> {
        var parser = JSONParser(buffer, valueLimit: valueLimit)
        do throws(JSONError) {
            return .success(try parser.parseDocument())
        } catch {
            return .failure(error)
        }
    }

    /// Parses `bytes` and decodes a `T` from them. Members that `T` does not know are ignored.
    ///
    /// - Throws: `JSONError`; or whatever `T`'s own `init(from:)` throws.
    package static func decode<T: Decodable>(_ type: T.Type, from bytes: some Collection<UInt8>) throws -> T {
        try decode(type, from: parse(bytes))
    }

    /// Decodes a `T` from a value; with `ignoringCase` members' names may be spelt in other cases than its keys, as for
    /// Go's decoder. Members that `rules` hide are not seen.
    ///
    /// - Throws: `JSONError.value` with the path of what does not fit; or whatever `T`'s own `init(from:)` throws.
    package static func decode<T: Decodable>(
        _ type: T.Type, from value: JSONValue, ignoringCase: Bool = false, rules: MemberRules? = nil
    ) throws -> T {
        do {
            return try JSONDecoder(value, JSONReading(ignoresCase: ignoringCase, rules: rules)).decode(type)
        } catch let error as DecodingError {
            throw JSONError(error)
        }
    }

    /// The bytes of `value`; members stand in the order in which the type encodes them, but for those that `rules`
    /// leave out.
    ///
    /// - Throws: `JSONError.value` for a number JSON cannot spell (NaN, infinity); or what the type's `encode(to:)`
    ///   throws.
    package static func encode<T: Encodable>(
        _ value: T, pretty: Bool = false, rules: MemberRules? = nil
    ) throws -> [UInt8] {
        let sink = JSONSink(pretty: pretty, rules: rules)
        try sink.encode(value)
        return sink.writer.bytes
    }

    /// `value` as a tree of JSON values.
    ///
    /// - Throws: as `encode`.
    package static func encodeValue<T: Encodable>(_ value: T, rules: MemberRules? = nil) throws -> JSONValue {
        if T.self == JSONValue.self, let value = value as? JSONValue { return value }
        return try parse(encode(value, rules: rules))
    }
}
