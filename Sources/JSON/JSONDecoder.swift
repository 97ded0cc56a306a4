/// How members of objects are found.
struct JSONReading {
    /// Whether a member's name may be spelt in other cases than the key, as Go's decoder has it.
    var ignoresCase = false
    /// Members that are not seen.
    var rules: MemberRules?
}

/// The standard library's decoding protocol over a parsed value.
struct JSONDecoder: Decoder {
    let value: JSONValue
    let reading: JSONReading

    /// Always empty: an error's path is made when the error travels up (see `JSONError.within`).
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    init(_ value: JSONValue, _ reading: JSONReading) {
        self.value = value
        self.reading = reading
    }

    func decode<T: Decodable>(_ type: T.Type) throws -> T {
        // A tree is asked for as it is (container configurations carry some parts untouched).
        if type == JSONValue.self, let value = value as? T { return value }
        // A text is most of what there is; the long way to one asks for a container first.
        if type == String.self, case .string(let text) = value, let text = text as? T { return text }
        return try T(from: self)
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        guard case .object(let object) = value else { throw mismatch("an object") }
        return KeyedDecodingContainer(JSONKeyedDecodingContainer(object: object, reading))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard case .array(let elements) = value else { throw mismatch("an array") }
        return JSONUnkeyedDecodingContainer(elements: elements, reading: reading)
    }

    func singleValueContainer() throws -> any SingleValueDecodingContainer {
        self
    }

    func mismatch(_ expected: String) -> JSONError {
        .value(path: "", reason: "expected \(expected), found \(value.kindName)")
    }
}

extension JSONDecoder: SingleValueDecodingContainer {
    func decodeNil() -> Bool { value.isNull }

    func decode(_ type: Bool.Type) throws -> Bool {
        guard case .bool(let value) = value else { throw mismatch("a boolean") }
        return value
    }

    func decode(_ type: String.Type) throws -> String {
        guard case .string(let value) = value else { throw mismatch("a string") }
        return value
    }

    func decode(_ type: Double.Type) throws -> Double {
        guard let value = value.double else { throw mismatch("a number") }
        return value
    }

    func decode(_ type: Float.Type) throws -> Float { Float(try decode(Double.self)) }
    func decode(_ type: Int.Type) throws -> Int { try integer() }
    func decode(_ type: Int8.Type) throws -> Int8 { try integer() }
    func decode(_ type: Int16.Type) throws -> Int16 { try integer() }
    func decode(_ type: Int32.Type) throws -> Int32 { try integer() }
    func decode(_ type: Int64.Type) throws -> Int64 { try integer() }
    func decode(_ type: UInt.Type) throws -> UInt { try integer() }
    func decode(_ type: UInt8.Type) throws -> UInt8 { try integer() }
    func decode(_ type: UInt16.Type) throws -> UInt16 { try integer() }
    func decode(_ type: UInt32.Type) throws -> UInt32 { try integer() }
    func decode(_ type: UInt64.Type) throws -> UInt64 { try integer() }

    private func integer<T: FixedWidthInteger>() throws -> T {
        let result: T?
        switch value {
        case .int(let value): result = T(exactly: value)
        case .uint(let value): result = T(exactly: value)
        case .double(let value): result = T(exactly: value)
        default: throw mismatch("a whole number")
        }
        guard let result else {
            throw JSONError.value(
                path: "", reason: "the number \(value.text()) is not a whole number from \(T.min) to \(T.max)")
        }
        return result
    }
}

/// A position in an array, as part of a path.
struct JSONIndex: CodingKey {
    let index: Int
    var stringValue: String { String(index) }
    var intValue: Int? { index }

    init(_ index: Int) { self.index = index }
    init?(stringValue: String) { nil }
    init?(intValue: Int) { index = intValue }
}

private struct JSONKeyedDecodingContainer<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let object: JSONObject
    private let reading: JSONReading
    private let rules: [String: MemberRules.Rule]?
    /// Whether a name that is not found as it is may be there in another case: those of the Engine API begin with a
    /// capital.
    private let hasOtherCases: Bool
    var codingPath: [any CodingKey] { [] }

    init(object: JSONObject, _ reading: JSONReading) {
        self.object = object
        self.reading = reading
        rules = reading.rules?.members(Key.self)
        hasOtherCases =
            reading.ignoresCase
            && object.keys.contains { $0.utf8.first.map { $0 < 0x41 || $0 > 0x5a } ?? false }
    }

    private func member(_ name: String) -> JSONValue? {
        if let rules, case .hidden? = rules[name] { return nil }
        if let value = object[name] { return value }
        guard hasOtherCases else { return nil }
        let wanted = name.lowercased()
        return object.keys.first { $0.lowercased() == wanted }.flatMap { object[$0] }
    }

    var allKeys: [Key] { object.keys.compactMap(Key.init(stringValue:)) }

    func contains(_ key: Key) -> Bool { member(key.stringValue) != nil }

    private func decoder(_ key: some CodingKey) throws -> JSONDecoder {
        guard let value = member(key.stringValue) else {
            throw JSONError.value(path: key.stringValue, reason: "is missing")
        }
        return JSONDecoder(value, reading)
    }

    func decodeNil(forKey key: Key) throws -> Bool { try decoder(key).decodeNil() }

    func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool {
        let decoder = try decoder(key)
        return try within(key) { try decoder.decode(type) }
    }

    func decode(_ type: String.Type, forKey key: Key) throws -> String {
        let decoder = try decoder(key)
        return try within(key) { try decoder.decode(type) }
    }

    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T {
        let decoder = try decoder(key)
        return try within(key) { try decoder.decode(type) }
    }

    // A member that is `null` counts as absent, as it does for Go's decoder, whose clients send both.
    func decodeIfPresent<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T? {
        guard let value = member(key.stringValue), !value.isNull else { return nil }
        return try within(key) { try JSONDecoder(value, reading).decode(type) }
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> {
        let decoder = try decoder(key)
        return try within(key) { try decoder.container(keyedBy: type) }
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        let decoder = try decoder(key)
        return try within(key) { try decoder.unkeyedContainer() }
    }

    func superDecoder() throws -> any Decoder { JSONDecoder(.object(object), reading) }
    func superDecoder(forKey key: Key) throws -> any Decoder { try decoder(key) }
}

private struct JSONUnkeyedDecodingContainer: UnkeyedDecodingContainer {
    let elements: [JSONValue]
    let reading: JSONReading
    var codingPath: [any CodingKey] { [] }
    private(set) var currentIndex = 0

    init(elements: [JSONValue], reading: JSONReading) {
        self.elements = elements
        self.reading = reading
    }

    var count: Int? { elements.count }
    var isAtEnd: Bool { currentIndex >= elements.count }

    private mutating func next<T>(_ body: (JSONDecoder) throws -> T) throws -> T {
        guard !isAtEnd else {
            throw JSONError.value(path: "", reason: "expected more than \(elements.count) elements")
        }
        defer { currentIndex += 1 }
        return try within(JSONIndex(currentIndex)) {
            try body(JSONDecoder(elements[currentIndex], reading))
        }
    }

    mutating func decodeNil() throws -> Bool {
        guard !isAtEnd, elements[currentIndex].isNull else { return false }
        currentIndex += 1
        return true
    }

    mutating func decode(_ type: String.Type) throws -> String { try next { try $0.decode(type) } }
    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T { try next { try $0.decode(type) } }

    mutating func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type
    ) throws -> KeyedDecodingContainer<Nested> {
        try next { try $0.container(keyedBy: type) }
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        try next { try $0.unkeyedContainer() }
    }

    mutating func superDecoder() throws -> any Decoder { try next { $0 } }
}

extension JSONValue: Decodable {
    package init(from decoder: any Decoder) throws {
        guard let decoder = decoder as? JSONDecoder else {
            throw JSONError.value(path: "", reason: "JSONValue can only be decoded by module JSON")
        }
        self = decoder.value
    }
}
