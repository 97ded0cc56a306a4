/// Values as people write them: GLib's text format of variants (`'text'`, `uint32 5`, `[true, false]`, `@as []`).
package struct VariantText {
    /// The value that `text` stands for. A number without a type is an int32, or a double if it has a point or
    /// exponent.
    ///
    /// - Throws: if the text is malformed, something follows the value, or a value does not have the type that it must.
    package static func parse(_ text: String) throws(DBusError) -> DBusValue {
        var parser = VariantText(rest: Array(text.utf8)[...], text: text)
        let node = try parser.node()
        parser.skipSpace()
        guard parser.rest.isEmpty else { throw parser.malformed("something follows the value") }
        return try parser.value(of: node, as: parser.type(of: node))
    }

    private var rest: ArraySlice<UInt8>
    private let text: String

    /// A value as it was read, of which the type may not be known yet.
    private indirect enum Node {
        case boolean(Bool)
        case number(String)
        case string(String)
        case bytes([UInt8])
        case array([Node])
        case dictionary([(Node, Node)])
        case variant(Node)
        case typed(DBusType, Node)
    }

    private func malformed(_ why: String) -> DBusError { DBusError("\"\(text)\" is not a value: \(why)") }

    private static let typeNames: [String: DBusType] = [
        "boolean": .boolean, "byte": .byte, "int16": .int16, "uint16": .uint16, "int32": .int32, "uint32": .uint32,
        "int64": .int64, "uint64": .uint64, "double": .double, "string": .string, "objectpath": .objectPath,
        "signature": .signature,
    ]

    // MARK: Reading

    private mutating func skipSpace() {
        while let byte = rest.first, byte == 0x20 || (0x09...0x0d).contains(byte) { rest.removeFirst() }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        skipSpace()
        guard rest.first == byte else { return false }
        rest.removeFirst()
        return true
    }

    private mutating func word(_ isPart: (UInt8) -> Bool) -> String {
        let word = rest.prefix(while: isPart)
        rest = rest[word.endIndex...]
        return String(decoding: word, as: UTF8.self)
    }

    private mutating func node(depth: Int = 0) throws(DBusError) -> Node {
        guard depth < 64 else { throw malformed("it is nested too deeply") }
        skipSpace()
        guard let first = rest.first else { throw malformed("it ends too soon") }
        switch first {
        case UInt8(ascii: "["):
            rest.removeFirst()
            return .array(try list(until: UInt8(ascii: "]"), depth))
        case UInt8(ascii: "{"):
            rest.removeFirst()
            return .dictionary(try entries(depth))
        case UInt8(ascii: "<"):
            rest.removeFirst()
            let inner = try node(depth: depth + 1)
            guard take(UInt8(ascii: ">")) else { throw malformed("a \">\" is missing") }
            return .variant(inner)
        case UInt8(ascii: "'"), UInt8(ascii: "\""): return .string(try quoted())
        case UInt8(ascii: "@"):
            rest.removeFirst()
            let types = try DBusType.list(word { !($0 == 0x20 || (0x09...0x0d).contains($0)) })
            guard types.count == 1 else { throw malformed("one type must follow \"@\"") }
            return .typed(types[0], try untyped(depth))
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
            return .number(word { $0 >= 0x30 && $0 <= 0x39 || "+-.".utf8.contains($0) || Self.isLetter($0) })
        case UInt8(ascii: "b") where rest.dropFirst().first == 0x27 || rest.dropFirst().first == 0x22:
            rest.removeFirst()
            // Bytes end with a null byte, as strings in C do.
            return .bytes(Array(try quoted().utf8) + [0])
        default:
            let name = word { Self.isLetter($0) || $0 >= 0x30 && $0 <= 0x39 }
            if name == "true" || name == "false" { return .boolean(name == "true") }
            guard let type = Self.typeNames[name] else { throw malformed("\"\(name)\" is neither a value nor a type") }
            return .typed(type, try untyped(depth))
        }
    }

    private static func isLetter(_ byte: UInt8) -> Bool { byte >= 0x61 && byte <= 0x7a || byte >= 0x41 && byte <= 0x5a }

    private mutating func untyped(_ depth: Int) throws(DBusError) -> Node {
        let node = try node(depth: depth + 1)
        if case .typed = node { throw malformed("a value has two types") }
        return node
    }

    private mutating func list(until end: UInt8, _ depth: Int) throws(DBusError) -> [Node] {
        var nodes: [Node] = []
        if take(end) { return nodes }
        while true {
            nodes.append(try node(depth: depth + 1))
            if take(end) { return nodes }
            guard take(UInt8(ascii: ",")) else { throw malformed("a comma is missing") }
        }
    }

    private mutating func entries(_ depth: Int) throws(DBusError) -> [(Node, Node)] {
        var entries: [(Node, Node)] = []
        if take(UInt8(ascii: "}")) { return entries }
        while true {
            let key = try node(depth: depth + 1)
            guard take(UInt8(ascii: ":")) else { throw malformed("a colon is missing") }
            entries.append((key, try node(depth: depth + 1)))
            if take(UInt8(ascii: "}")) { return entries }
            guard take(UInt8(ascii: ",")) else { throw malformed("a comma is missing") }
        }
    }

    private static let escapes: [UInt8: UInt8] = [
        UInt8(ascii: "a"): 7, UInt8(ascii: "b"): 8, UInt8(ascii: "f"): 12, UInt8(ascii: "n"): 10, UInt8(ascii: "r"): 13,
        UInt8(ascii: "t"): 9, UInt8(ascii: "v"): 11,
    ]

    private mutating func quoted() throws(DBusError) -> String {
        let quote = rest.removeFirst()
        var bytes: [UInt8] = []
        while let byte = rest.popFirst() {
            if byte == quote {
                guard let string = String(validating: bytes, as: UTF8.self) else { throw malformed("it is not UTF-8") }
                return string
            }
            guard byte == UInt8(ascii: "\\") else {
                bytes.append(byte)
                continue
            }
            guard let escaped = rest.popFirst() else { break }
            switch escaped {
            case UInt8(ascii: "u"): bytes += try scalar(digits: 4)
            case UInt8(ascii: "U"): bytes += try scalar(digits: 8)
            case 0x0a: break
            default: bytes.append(Self.escapes[escaped] ?? escaped)
            }
        }
        throw malformed("a quotation mark is missing")
    }

    private mutating func scalar(digits: Int) throws(DBusError) -> [UInt8] {
        let hexadecimal = String(decoding: rest.prefix(digits), as: UTF8.self)
        guard hexadecimal.utf8.count == digits, let number = UInt32(hexadecimal, radix: 16),
            let scalar = Unicode.Scalar(number)
        else { throw malformed("\(digits) hexadecimal digits must follow \"\\u\"") }
        rest = rest.dropFirst(digits)
        return Array(String(Character(scalar)).utf8)
    }

    // MARK: Types

    /// The type that a value has by itself.
    private func type(of node: Node) throws(DBusError) -> DBusType {
        switch node {
        case .boolean: .boolean
        case .number(let digits): Self.isFloating(digits) ? .double : .int32
        case .string: .string
        case .bytes: .array(.byte)
        case .variant: .variant
        case .typed(let type, _): type
        case .array(let nodes): .array(try common(nodes))
        case .dictionary(let entries): .array(.entry(try common(entries.map(\.0)), try common(entries.map(\.1))))
        }
    }

    private static func isFloating(_ digits: String) -> Bool {
        !digits.hasPrefix("0x") && digits.contains { ".eE".contains($0) }
    }

    private func common(_ nodes: [Node]) throws(DBusError) -> DBusType {
        for case .typed(let type, _) in nodes { return type }
        guard let first = nodes.first else { throw malformed("an empty value needs a type") }
        for case .number(let digits) in nodes where Self.isFloating(digits) { return .double }
        return try type(of: first)
    }

    private func value(of node: Node, as type: DBusType) throws(DBusError) -> DBusValue {
        switch (node, type) {
        case (.typed(let own, let inner), _) where own == type: return try value(of: inner, as: type)
        case (.boolean(let flag), .boolean): return .boolean(flag)
        case (.string(let text), .string): return .string(text)
        case (.string(let text), .objectPath): return .objectPath(text)
        case (.string(let text), .signature):
            _ = try DBusType.list(text)
            return .signature(text)
        case (.bytes(let bytes), .array(.byte)): return .bytes(bytes)
        case (.variant(let inner), .variant): return .variant(try value(of: inner, as: self.type(of: inner)))
        case (.array(let nodes), .array(let element)):
            var values: [DBusValue] = []
            for node in nodes { values.append(try value(of: node, as: element)) }
            return .array(element, values)
        case (.dictionary(let entries), .array(.entry(let keyType, let valueType))):
            var values: [DBusValue] = []
            for (key, entry) in entries {
                values.append(.entry(try value(of: key, as: keyType), try value(of: entry, as: valueType)))
            }
            return .array(.entry(keyType, valueType), values)
        case (.number(let digits), _):
            guard let number = Self.number(digits, type) else {
                throw malformed("\(digits) is not of type \(type.signature)")
            }
            return number
        default: throw malformed("a part of it is not of type \(type.signature)")
        }
    }

    /// Numbers are in base 16 after `0x` and in base 8 after `0`, as in C.
    private static func number(_ digits: String, _ type: DBusType) -> DBusValue? {
        func integer<Integer: FixedWidthInteger>(_: Integer.Type) -> Integer? {
            let isNegative = digits.hasPrefix("-")
            let unsigned = isNegative || digits.hasPrefix("+") ? digits.dropFirst() : digits[...]
            guard let first = unsigned.utf8.first, (0x30...0x39).contains(first) else { return nil }
            let sign = isNegative ? "-" : ""
            if unsigned.hasPrefix("0x") { return Integer(sign + unsigned.dropFirst(2), radix: 16) }
            return Integer(sign + unsigned, radix: unsigned.hasPrefix("0") && unsigned.utf8.count > 1 ? 8 : 10)
        }
        return switch type {
        case .byte: integer(UInt8.self).map { .byte($0) }
        case .int16: integer(Int16.self).map { .int16($0) }
        case .uint16: integer(UInt16.self).map { .uint16($0) }
        case .int32: integer(Int32.self).map { .int32($0) }
        case .uint32: integer(UInt32.self).map { .uint32($0) }
        case .int64: integer(Int64.self).map { .int64($0) }
        case .uint64: integer(UInt64.self).map { .uint64($0) }
        case .double: Double(digits).map { .double($0) }
        default: nil
        }
    }
}
