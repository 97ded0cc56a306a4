/// What a type is on the wire, for descriptions of the API.
package indirect enum WireShape: Sendable {
    case text
    case truth
    case integer
    /// Null as well.
    case optional(WireShape)
    case list(WireShape)
    /// An object whose members' names are data.
    case map(WireShape)
    /// An object of the API, which a description has once, by its name.
    case object(any WireStructure.Type)
}

/// A type that can say what it is on the wire.
package protocol WireShaped {
    /// What it is.
    static var wireShape: WireShape { get }
}

/// A field of an object, which wraps the value.
package protocol WireFieldShaped: WireShaped {
    /// Whether an empty value is left out.
    static var isOmittedWhenEmpty: Bool { get }
}

extension String: WireShaped {
    package static var wireShape: WireShape { .text }
}

extension Bool: WireShaped {
    package static var wireShape: WireShape { .truth }
}

extension Int: WireShaped {
    package static var wireShape: WireShape { .integer }
}

extension Int64: WireShaped {
    package static var wireShape: WireShape { .integer }
}

extension Optional: WireShaped where Wrapped: WireShaped {
    package static var wireShape: WireShape { .optional(Wrapped.wireShape) }
}

extension Array: WireShaped where Element: WireShaped {
    package static var wireShape: WireShape { .list(Element.wireShape) }
}

extension Dictionary: WireShaped where Key == String, Value: WireShaped {
    package static var wireShape: WireShape { .map(Value.wireShape) }
}

extension EmptyObject: WireStructure {
    package static var wireShape: WireShape { .object(Self.self) }
}

extension Always: WireFieldShaped {
    package static var wireShape: WireShape { Value.wireShape }
    package static var isOmittedWhenEmpty: Bool { false }
}

extension OmittedIfEmpty: WireFieldShaped {
    package static var wireShape: WireShape { Value.wireShape }
    package static var isOmittedWhenEmpty: Bool { true }
}

extension CommandWords: WireFieldShaped {
    package static var wireShape: WireShape { .optional(.list(.text)) }
    package static var isOmittedWhenEmpty: Bool { false }
}

/// An object of the API whose fields can be listed.
package protocol WireStructure: Codable, Sendable, WireShaped {
    /// One without any field set.
    init()
    /// What descriptions of the API call it.
    static var wireName: String { get }
}

extension WireStructure {
    /// The type's own name.
    package static var wireName: String { "\(Self.self)" }
}

extension WireObject {
    package static var wireShape: WireShape { .object(Self.self) }
}

/// A field of an object of the API.
package struct WireField: Sendable {
    /// Its name on the wire.
    package let name: String
    /// What it is.
    package let shape: WireShape
    /// Whether an empty value is left out of answers.
    package let isOmittedWhenEmpty: Bool
}

extension WireStructure {
    /// The fields, in the order in which they are written. They are learnt from the decoding of an object without any.
    package static var fields: [WireField] {
        let list = FieldList()
        // Nothing is read that could be wrong.
        _ = try? Self(from: FieldLister(list: list))
        return list.fields
    }
}

private final class FieldList {
    var fields: [WireField] = []
}

/// A decoder of nothing, which takes down what it is asked for.
private struct FieldLister: Decoder {
    let list: FieldList
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(FieldListContainer<Key>(list: list))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer { throw NoObject() }
    func singleValueContainer() throws -> any SingleValueDecodingContainer { throw NoObject() }
}

private struct NoObject: Error {}

private struct FieldListContainer<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let list: FieldList
    var codingPath: [any CodingKey] { [] }
    var allKeys: [Key] { [] }

    func contains(_ key: Key) -> Bool { false }
    func decodeNil(forKey key: Key) throws -> Bool { true }

    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T { throw NoObject() }

    func decodeIfPresent<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T? {
        if let shaped = type as? any WireShaped.Type {
            let field = type as? any WireFieldShaped.Type
            list.fields.append(
                WireField(
                    name: key.stringValue, shape: shaped.wireShape,
                    isOmittedWhenEmpty: field?.isOmittedWhenEmpty ?? false))
        }
        return nil
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> {
        throw NoObject()
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer { throw NoObject() }
    func superDecoder() throws -> any Decoder { throw NoObject() }
    func superDecoder(forKey key: Key) throws -> any Decoder { throw NoObject() }
}
