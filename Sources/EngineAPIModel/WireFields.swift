/// A type whose empty value the Engine API leaves out or replaces as Go's encoder does.
package protocol WireValue: Codable, Hashable, Sendable, WireShaped {
    /// What a missing or null field means.
    static var emptyValue: Self { get }
    /// Whether Go's `omitempty` would leave the value out.
    var isEmptyValue: Bool { get }
    /// Encodes the value; differs from `encode(to:)` only for dictionaries, whose keys are sorted as Go sorts them.
    func encodeWire(to encoder: any Encoder) throws
}

extension WireValue {
    package func encodeWire(to encoder: any Encoder) throws { try encode(to: encoder) }
}

/// A field that is always written: nil as `null`. Missing and `null` are read as the empty value, since clients
/// send only what they care about.
@propertyWrapper
package struct Always<Value: WireValue>: Codable, Hashable, Sendable {
    /// The value.
    package var wrappedValue: Value

    /// A field with its value.
    package init(wrappedValue: Value) {
        self.wrappedValue = wrappedValue
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        wrappedValue = container.decodeNil() ? Value.emptyValue : try Value(from: decoder)
    }

    package func encode(to encoder: any Encoder) throws {
        try wrappedValue.encodeWire(to: encoder)
    }
}

/// A field that is left out when it is empty (`omitempty`). Missing and `null` are read as the empty value.
@propertyWrapper
package struct OmittedIfEmpty<Value: WireValue>: Codable, Hashable, Sendable {
    /// The value.
    package var wrappedValue: Value

    /// A field with its value.
    package init(wrappedValue: Value) {
        self.wrappedValue = wrappedValue
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        wrappedValue = container.decodeNil() ? Value.emptyValue : try Value(from: decoder)
    }

    package func encode(to encoder: any Encoder) throws {
        try wrappedValue.encodeWire(to: encoder)
    }
}

/// A command line: always written as a list, nil as `null`; read from a list or, as older clients and hands type it,
/// from one string that is the only word.
@propertyWrapper
package struct CommandWords: Codable, Hashable, Sendable {
    /// The words; nil for null or a field that is not there.
    package var wrappedValue: [String]?

    /// A field with its words.
    package init(wrappedValue: [String]?) {
        self.wrappedValue = wrappedValue
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            wrappedValue = nil
        } else if let word = try? container.decode(String.self) {  // not a string: the list says what is wrong with it
            wrappedValue = [word]
        } else {
            wrappedValue = try container.decode([String].self)
        }
    }

    package func encode(to encoder: any Encoder) throws {
        try Always(wrappedValue: wrappedValue).encode(to: encoder)
    }
}

// The compiler's own conformances call these more specific overloads for wrapped properties.

extension KeyedDecodingContainer {
    /// Decodes a field that may be absent or null.
    package func decode<Value>(_ type: Always<Value>.Type, forKey key: Key) throws -> Always<Value> {
        Always(wrappedValue: try decodeIfPresent(Value.self, forKey: key) ?? Value.emptyValue)
    }

    /// Decodes a field that may be absent or null.
    package func decode(_ type: CommandWords.Type, forKey key: Key) throws -> CommandWords {
        try decodeIfPresent(type, forKey: key) ?? CommandWords(wrappedValue: nil)
    }

    /// Decodes a field that may be absent or null.
    package func decode<Value>(_ type: OmittedIfEmpty<Value>.Type, forKey key: Key) throws -> OmittedIfEmpty<Value> {
        OmittedIfEmpty(wrappedValue: try decodeIfPresent(Value.self, forKey: key) ?? Value.emptyValue)
    }
}

extension KeyedEncodingContainer {
    package mutating func encode<Value>(_ field: OmittedIfEmpty<Value>, forKey key: Key) throws {
        guard !field.wrappedValue.isEmptyValue else { return }
        try encodeIfPresent(field, forKey: key)
    }
}

extension String: WireValue {
    /// The value of a field that is not there.
    package static var emptyValue: String { "" }
    /// Whether the value counts as empty.
    package var isEmptyValue: Bool { isEmpty }
}

extension Bool: WireValue {
    /// The value of a field that is not there.
    package static var emptyValue: Bool { false }
    /// Whether the value counts as empty.
    package var isEmptyValue: Bool { !self }
}

extension Int: WireValue {
    /// The value of a field that is not there.
    package static var emptyValue: Int { 0 }
    /// Whether the value counts as empty.
    package var isEmptyValue: Bool { self == 0 }
}

extension Int64: WireValue {
    /// The value of a field that is not there.
    package static var emptyValue: Int64 { 0 }
    /// Whether the value counts as empty.
    package var isEmptyValue: Bool { self == 0 }
}

extension Optional: WireValue where Wrapped: WireValue {
    /// The value of a field that is not there.
    package static var emptyValue: Wrapped? { nil }
    /// Whether the value counts as empty.
    package var isEmptyValue: Bool { self == nil }

    package func encodeWire(to encoder: any Encoder) throws {
        if let self {
            try self.encodeWire(to: encoder)
        } else {
            var container = encoder.singleValueContainer()
            try container.encodeNil()
        }
    }
}

extension Array: WireValue where Element: WireValue {
    /// The value of a field that is not there.
    package static var emptyValue: [Element] { [] }
    /// Whether the value counts as empty.
    package var isEmptyValue: Bool { isEmpty }

    package func encodeWire(to encoder: any Encoder) throws {
        var container = encoder.unkeyedContainer()
        for element in self { try container.encode(Always(wrappedValue: element)) }
    }
}

extension Dictionary: WireValue where Key == String, Value: WireValue {
    /// The value of a field that is not there.
    package static var emptyValue: [String: Value] { [:] }
    /// Whether the value counts as empty.
    package var isEmptyValue: Bool { isEmpty }

    package func encodeWire(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: MemberName.self)
        for (name, value) in sorted(by: { $0.key < $1.key }) {
            try container.encode(Always(wrappedValue: value), forKey: MemberName(stringValue: name))
        }
    }
}

/// A member of an object whose keys are data.
private struct MemberName: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

/// `{}`: the value in sets that JSON writes as objects (`"ExposedPorts": {"80/tcp": {}}`).
package struct EmptyObject: WireValue {
    /// The value of a field that is not there.
    package static var emptyValue: EmptyObject { EmptyObject() }
    /// Whether the value counts as empty.
    package var isEmptyValue: Bool { false }

    /// An object whose fields have their defaults.
    package init() {}
}

/// A structure of the API: never left out by itself, empty when all its fields are.
package protocol WireObject: WireValue, WireStructure {}

extension WireObject {
    /// The value of a field that is not there.
    package static var emptyValue: Self { Self() }
    /// Whether the value counts as empty.
    package var isEmptyValue: Bool { false }
}
