/// The bytes of a document while it is written: what is encoded is spelled at once, no tree is made of it.
///
/// Containers that the standard library's protocols hand out are places in a stack of open arrays and objects. Whoever
/// writes to one closes all that were opened within it before.
final class JSONSink {
    private struct OpenContainer {
        let isObject: Bool
        var count = 0
    }

    private(set) var writer: JSONWriter
    private var open: [OpenContainer] = []
    /// What is left out.
    let rules: MemberRules?
    /// Who wants to know the keys of what is encoded.
    let probe: KeyTypeProbe?

    init(pretty: Bool = false, rules: MemberRules? = nil, probe: KeyTypeProbe? = nil) {
        writer = JSONWriter(pretty: pretty)
        self.rules = rules
        self.probe = probe
    }

    /// How many containers are open.
    var depth: Int { open.count }

    /// How many bytes there are.
    var size: Int { writer.bytes.count }

    /// Opens an object or array as the value that stands at `depth`; one that is open there already goes on.
    func begin(isObject: Bool, at depth: Int) {
        if open.count > depth {
            close(to: depth + 1)
            return
        }
        open.append(OpenContainer(isObject: isObject))
        writer.open(isObject ? "{" : "[")
    }

    /// How many members or elements the container at `depth` has.
    func count(at depth: Int) -> Int { depth < open.count ? open[depth].count : 0 }

    /// What stands before a member or an element of the container at `depth`.
    func separate(at depth: Int, key: String? = nil) {
        close(to: depth + 1)
        guard depth < open.count else { return }
        writer.separate(isFirst: open[depth].count == 0, indentation: depth)
        open[depth].count += 1
        if let key { writer.writeKey(key) }
    }

    /// Closes containers until `depth` are open.
    func close(to depth: Int) {
        while open.count > depth, let last = open.popLast() {
            writer.close(last.isObject ? "}" : "]", isEmpty: last.count == 0, indentation: open.count)
        }
    }

    /// Encodes a member of the object at `depth`, which leaves no trace if its value is empty.
    func encodeUnlessEmpty(at depth: Int, key: String, _ encode: () throws -> Void) rethrows {
        close(to: depth + 1)
        let (size, count) = (size, count(at: depth))
        separate(at: depth, key: key)
        let start = self.size
        try encode()
        close(to: depth + 1)
        guard writer.hasEmptyValue(from: start), depth < open.count else { return }
        writer.shorten(to: size)
        open[depth].count = count
    }

    func write(_ value: JSONValue) { writer.write(value, indentation: open.count) }
    func write(_ text: String) { writer.write(text) }
    func write(_ number: some FixedWidthInteger) { writer.write(number) }
    func write(_ value: Bool) { writer.write(value) }
    func writeNull() { writer.writeNull() }

    /// Encodes a value at the place that has been prepared for it; a type that writes nothing becomes an empty object.
    func encode<T: Encodable>(_ value: T) throws {
        let (depth, size) = (depth, size)
        try JSONEncoder(self, depth: depth).encode(value)
        if self.size == size { writer.writeEmptyObject() }
        close(to: depth)
    }
}

/// The standard library's encoding protocol into a `JSONSink`.
struct JSONEncoder: Encoder {
    let sink: JSONSink
    /// How many containers are around the value.
    let depth: Int

    /// Always empty: an error's path is made when the error travels up (see `JSONError.within`).
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    init(_ sink: JSONSink, depth: Int) {
        self.sink = sink
        self.depth = depth
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        sink.begin(isObject: true, at: depth)
        sink.probe?.see(type)
        return KeyedEncodingContainer(JSONKeyedEncodingContainer<Key>(sink: sink, depth: depth))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        sink.begin(isObject: false, at: depth)
        return JSONUnkeyedEncodingContainer(sink: sink, depth: depth)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { self }
}

extension JSONEncoder: SingleValueEncodingContainer {
    func encodeNil() { sink.writeNull() }
    func encode(_ value: Bool) { sink.write(value) }
    func encode(_ value: String) { sink.write(value) }
    func encode(_ value: Double) throws {
        guard value.isFinite else { throw JSONError.value(path: "", reason: "JSON has no way to write \(value)") }
        sink.write(.double(value))
    }
    func encode(_ value: Float) throws { try encode(Double(value)) }
    func encode(_ value: Int) { sink.write(value) }
    func encode(_ value: Int8) { sink.write(value) }
    func encode(_ value: Int16) { sink.write(value) }
    func encode(_ value: Int32) { sink.write(value) }
    func encode(_ value: Int64) { sink.write(value) }
    func encode(_ value: UInt) { sink.write(value) }
    func encode(_ value: UInt8) { sink.write(value) }
    func encode(_ value: UInt16) { sink.write(value) }
    func encode(_ value: UInt32) { sink.write(value) }
    func encode(_ value: UInt64) { sink.write(value) }

    func encode<T: Encodable>(_ value: T) throws {
        // The types come first: asking a value what it is costs more than writing it.
        if T.self == JSONValue.self, let value = value as? JSONValue {
            sink.write(value)
        } else if T.self == String.self, let value = value as? String {
            sink.write(value)
        } else {
            try value.encode(to: self)
        }
    }
}

private struct JSONKeyedEncodingContainer<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let sink: JSONSink
    let depth: Int
    private let members: [String: MemberRules.Rule]?
    var codingPath: [any CodingKey] { [] }

    init(sink: JSONSink, depth: Int) {
        self.sink = sink
        self.depth = depth
        members = sink.rules?.members(Key.self)
    }

    /// An encoder for a member's value.
    private func encoder(_ key: some CodingKey) -> JSONEncoder {
        sink.separate(at: depth, key: key.stringValue)
        return JSONEncoder(sink, depth: depth + 1)
    }

    /// Encodes a member's value, unless a rule leaves it out.
    private func member(_ key: Key, _ encode: (JSONSink) throws -> Void) rethrows {
        switch members?[key.stringValue] {
        case nil:
            sink.separate(at: depth, key: key.stringValue)
            try encode(sink)
        case .hidden?: break
        case .omittedWhenEmpty?:
            try sink.encodeUnlessEmpty(at: depth, key: key.stringValue) { try encode(sink) }
        }
    }

    func encodeNil(forKey key: Key) { member(key) { $0.writeNull() } }
    func encode(_ value: Bool, forKey key: Key) { member(key) { $0.write(value) } }
    func encode(_ value: String, forKey key: Key) { member(key) { $0.write(value) } }
    func encode(_ value: Int, forKey key: Key) { member(key) { $0.write(value) } }
    func encode(_ value: Int64, forKey key: Key) { member(key) { $0.write(value) } }
    func encode<T: Encodable>(_ value: T, forKey key: Key) throws {
        try within(key) { try member(key) { try $0.encode(value) } }
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> {
        encoder(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { encoder(key).unkeyedContainer() }
    func superEncoder() -> any Encoder { JSONEncoder(sink, depth: depth) }
    func superEncoder(forKey key: Key) -> any Encoder { encoder(key) }
}

private struct JSONUnkeyedEncodingContainer: UnkeyedEncodingContainer {
    let sink: JSONSink
    let depth: Int
    var codingPath: [any CodingKey] { [] }

    var count: Int { sink.count(at: depth) }

    /// An encoder for the next element.
    private var next: JSONEncoder {
        sink.separate(at: depth)
        return JSONEncoder(sink, depth: depth + 1)
    }

    func encodeNil() { next.encodeNil() }
    func encode(_ value: Bool) { next.encode(value) }
    func encode(_ value: String) { next.encode(value) }
    func encode<T: Encodable>(_ value: T) throws {
        let index = JSONIndex(count)
        sink.separate(at: depth)
        try within(index) { try sink.encode(value) }
    }

    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
        next.container(keyedBy: type)
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { next.unkeyedContainer() }
    func superEncoder() -> any Encoder { next }
}

extension JSONValue: Encodable {
    package func encode(to encoder: any Encoder) throws {
        guard let encoder = encoder as? JSONEncoder else {
            throw JSONError.value(path: "", reason: "JSONValue can only be encoded by module JSON")
        }
        encoder.sink.write(self)
    }
}
