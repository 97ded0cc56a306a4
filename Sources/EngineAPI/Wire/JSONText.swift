import JSON

/// A JSON document that is written from its beginning to its end: for those few that are so long or so frequent that
/// `Codable`, which takes some ten times as long, would cost more than all the rest.
struct JSONText {
    var bytes: [UInt8] = []

    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    // MARK: Objects and lists

    mutating func begin() { bytes.append(UInt8(ascii: "{")) }
    mutating func end() { bytes.append(UInt8(ascii: "}")) }

    /// Begins an object with its first key.
    mutating func open(_ name: StaticString) {
        begin()
        key(name)
    }

    mutating func key(_ name: StaticString) {
        if bytes.last != UInt8(ascii: "{") { bytes.append(UInt8(ascii: ",")) }
        bytes.append(UInt8(ascii: "\""))
        name.withUTF8Buffer { bytes.append(contentsOf: $0) }
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
    }

    mutating func string(_ text: String) {
        var text = text
        let isPlain = text.withUTF8 { units in
            guard units.allSatisfy({ $0 >= 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") && $0 != 0x5C }) else {
                return false
            }
            bytes.append(UInt8(ascii: "\""))
            bytes.append(contentsOf: units)
            bytes.append(UInt8(ascii: "\""))
            return true
        }
        if !isPlain { bytes += JSONValue.string(text).serialized() }
    }

    mutating func number(_ value: UInt64) {
        var digits = 1
        var rest = value
        while rest >= 10 {
            rest /= 10
            digits += 1
        }
        bytes.append(contentsOf: repeatElement(0x30, count: digits))
        var place = bytes.count - 1
        rest = value
        while rest > 0 {
            bytes[place] = 0x30 + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
            place -= 1
        }
    }

    mutating func number(_ name: StaticString, _ value: UInt64) {
        key(name)
        number(value)
    }

    mutating func nonzero(_ name: StaticString, _ value: UInt64) {
        if value != 0 { number(name, value) }
    }

    // MARK: Members

    mutating func string(_ name: StaticString, _ text: String) {
        key(name)
        string(text)
    }

    mutating func integer(_ name: StaticString, _ value: Int64) {
        key(name)
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        number(value.magnitude)
    }

    /// A value that others know how to write.
    mutating func value(_ name: StaticString, _ value: some Encodable, _ rules: MemberRules) throws {
        key(name)
        bytes += try JSON.encode(value, rules: rules)
    }

    /// The same of a list, which is empty most often.
    mutating func values(_ name: StaticString, _ elements: [some Encodable], _ rules: MemberRules) throws {
        if !elements.isEmpty { return try value(name, elements, rules) }
        key(name)
        bytes.append(contentsOf: "[]".utf8)
    }

    mutating func strings(_ name: StaticString, _ texts: [String]?) {
        key(name)
        guard let texts else { return null() }
        list(texts) { $0.string($1) }
    }

    mutating func texts(_ name: StaticString, _ texts: [String: String]?) {
        key(name)
        guard let texts else { return null() }
        members(texts) { $0.string($1) }
    }

    // MARK: Values

    mutating func null() { bytes.append(contentsOf: "null".utf8) }

    mutating func list<Element>(_ elements: [Element], _ write: (inout JSONText, Element) throws -> Void) rethrows {
        bytes.append(UInt8(ascii: "["))
        for (index, element) in elements.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            try write(&self, element)
        }
        bytes.append(UInt8(ascii: "]"))
    }

    /// An object whose keys are data, in their order.
    mutating func members<Value>(
        _ members: [String: Value], _ write: (inout JSONText, Value) throws -> Void
    ) rethrows {
        begin()
        let sorted = members.count > 1 ? members.sorted { $0.key < $1.key } : Array(members)
        for (index, member) in sorted.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            string(member.key)
            bytes.append(UInt8(ascii: ":"))
            try write(&self, member.value)
        }
        end()
    }
}
