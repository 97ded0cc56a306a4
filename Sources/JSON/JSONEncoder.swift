/// A value under construction: containers handed out earlier go on writing to it.
final class JSONNode {
    private enum Part {
        case value(JSONValue)
        case node(JSONNode)

        var value: JSONValue {
            switch self {
            case .value(let value): value
            case .node(let node): node.value
            }
        }
    }

    private enum Kind {
        case single, object, array
    }

    private var kind = Kind.single
    private var single: JSONValue?
    private var keys: [String] = []
    private var parts: [Part] = []

    /// The value written so far; a type that wrote nothing becomes an empty object.
    var value: JSONValue {
        switch kind {
        case .single: return single ?? .object(JSONObject())
        case .array: return .array(parts.map(\.value))
        case .object:
            var object = JSONObject()
            for (key, part) in zip(keys, parts) { object[key] = part.value }
            return .object(object)
        }
    }

    func set(_ value: JSONValue) {
        kind = .single
        single = value
    }

    func beginObject() {
        if case .object = kind { return }
        kind = .object
    }

    func beginArray() {
        if case .array = kind { return }
        kind = .array
    }

    var count: Int { parts.count }

    func append(_ value: JSONValue, key: String? = nil) {
        if let key { keys.append(key) }
        parts.append(.value(value))
    }

    func appendNode(key: String? = nil) -> JSONNode {
        let node = JSONNode()
        if let key { keys.append(key) }
        parts.append(.node(node))
        return node
    }
}

/// The standard library's encoding protocol into a `JSONNode`.
struct JSONEncoder: Encoder {
    let node: JSONNode
    let rules: MemberRules?
    let probe: KeyTypeProbe?

    /// Always empty: an error's path is made when the error travels up (see `JSONError.within`).
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    init(_ node: JSONNode, rules: MemberRules? = nil, probe: KeyTypeProbe? = nil) {
        self.node = node
        self.rules = rules
        self.probe = probe
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        node.beginObject()
        probe?.see(type)
        return KeyedEncodingContainer(JSONKeyedEncodingContainer<Key>(node: node, rules: rules))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        node.beginArray()
        return JSONUnkeyedEncodingContainer(node: node, rules: rules)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { self }
}

extension JSONEncoder: SingleValueEncodingContainer {
    func encodeNil() { node.set(.null) }
    func encode(_ value: Bool) { node.set(.bool(value)) }
    func encode(_ value: String) { node.set(.string(value)) }
    func encode(_ value: Double) throws {
        guard value.isFinite else { throw JSONError.value(path: "", reason: "JSON has no way to write \(value)") }
        node.set(.double(value))
    }
    func encode(_ value: Float) throws { try encode(Double(value)) }
    func encode(_ value: Int) { node.set(.int(Int64(value))) }
    func encode(_ value: Int8) { node.set(.int(Int64(value))) }
    func encode(_ value: Int16) { node.set(.int(Int64(value))) }
    func encode(_ value: Int32) { node.set(.int(Int64(value))) }
    func encode(_ value: Int64) { node.set(.int(value)) }
    func encode(_ value: UInt) { encode(UInt64(value)) }
    func encode(_ value: UInt8) { node.set(.int(Int64(value))) }
    func encode(_ value: UInt16) { node.set(.int(Int64(value))) }
    func encode(_ value: UInt32) { node.set(.int(Int64(value))) }
    func encode(_ value: UInt64) { node.set(Int64(exactly: value).map(JSONValue.int) ?? .uint(value)) }

    func encode<T: Encodable>(_ value: T) throws {
        if let value = value as? JSONValue {
            node.set(value)
        } else {
            try value.encode(to: self)
        }
    }
}

private struct JSONKeyedEncodingContainer<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let node: JSONNode
    let rules: MemberRules?
    private let members: [String: MemberRules.Rule]?
    var codingPath: [any CodingKey] { [] }

    init(node: JSONNode, rules: MemberRules?) {
        self.node = node
        self.rules = rules
        members = rules?.members(Key.self)
    }

    private func encoder(_ key: some CodingKey) -> JSONEncoder {
        JSONEncoder(node.appendNode(key: key.stringValue), rules: rules)
    }

    private func append(_ value: JSONValue, _ key: Key) {
        switch members?[key.stringValue] {
        case .hidden?: return
        case .omittedWhenEmpty? where value.isOmittable: return
        case .omittedWhenEmpty?, nil: node.append(value, key: key.stringValue)
        }
    }

    func encodeNil(forKey key: Key) { append(.null, key) }
    func encode(_ value: Bool, forKey key: Key) { append(.bool(value), key) }
    func encode(_ value: String, forKey key: Key) { append(.string(value), key) }
    func encode<T: Encodable>(_ value: T, forKey key: Key) throws {
        try within(key) {
            guard let rule = members?[key.stringValue] else { return try encoder(key).encode(value) }
            if case .hidden = rule { return }
            let part = JSONNode()
            try JSONEncoder(part, rules: rules).encode(value)
            append(part.value, key)
        }
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> {
        encoder(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { encoder(key).unkeyedContainer() }
    func superEncoder() -> any Encoder { JSONEncoder(node, rules: rules) }
    func superEncoder(forKey key: Key) -> any Encoder { encoder(key) }
}

private struct JSONUnkeyedEncodingContainer: UnkeyedEncodingContainer {
    let node: JSONNode
    let rules: MemberRules?
    var codingPath: [any CodingKey] { [] }

    var count: Int { node.count }

    private func encoder() -> JSONEncoder { JSONEncoder(node.appendNode(), rules: rules) }

    func encodeNil() { node.append(.null) }
    func encode(_ value: Bool) { node.append(.bool(value)) }
    func encode(_ value: String) { node.append(.string(value)) }
    func encode<T: Encodable>(_ value: T) throws {
        try within(JSONIndex(count)) { try encoder().encode(value) }
    }

    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
        encoder().container(keyedBy: type)
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { encoder().unkeyedContainer() }

    func superEncoder() -> any Encoder { encoder() }
}

extension JSONValue: Encodable {
    package func encode(to encoder: any Encoder) throws {
        guard let encoder = encoder as? JSONEncoder else {
            throw JSONError.value(path: "", reason: "JSONValue can only be encoded by module JSON")
        }
        encoder.node.set(self)
    }
}
