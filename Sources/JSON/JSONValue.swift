/// Any JSON value (RFC 8259).
///
/// Integers that fit are kept exact: a memory limit or an inode number must not pass through a `Double`.
package enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case int(Int64)
    /// An integer above `Int64.max`.
    case uint(UInt64)
    case double(Double)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)
}

extension JSONValue {
    /// The text, if this is a string.
    package var string: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// The integer, if this is a whole number that fits.
    package var int: Int64? {
        switch self {
        case .int(let value): value
        case .uint(let value): Int64(exactly: value)
        case .double(let value): Int64(exactly: value)
        default: nil
        }
    }

    /// The number, if this is one.
    package var double: Double? {
        switch self {
        case .int(let value): Double(value)
        case .uint(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }

    /// The truth value, if this is `true` or `false`.
    package var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// The elements, if this is an array.
    package var array: [JSONValue]? {
        if case .array(let value) = self { value } else { nil }
    }

    /// The members, if this is an object.
    package var object: JSONObject? {
        if case .object(let value) = self { value } else { nil }
    }

    /// Whether this is `null`.
    package var isNull: Bool { self == .null }

    /// The member called `key`; `nil` if this is not an object or has no such member.
    package subscript(key: String) -> JSONValue? { object?[key] }

    /// The element at `index`; `nil` if this is not an array or is shorter.
    package subscript(index: Int) -> JSONValue? {
        guard case .array(let elements) = self, elements.indices.contains(index) else { return nil }
        return elements[index]
    }

    /// What kind of value this is, as an error message names it.
    package var kindName: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .int, .uint, .double: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

extension JSONValue {
    /// The path of a string, or of a member's name, that contains U+0000; nil if there is none. The kernel takes a text
    /// only up to that character: what is checked would not be what is done.
    package var pathOfNull: String? {
        switch self {
        case .string(let text): return text.utf8.contains(0) ? "" : nil
        case .array(let elements):
            for (index, element) in elements.enumerated() {
                if let path = element.pathOfNull { return Self.path("[\(index)]", path) }
            }
        case .object(let object):
            for (key, value) in object {
                if key.utf8.contains(0) { return "" }
                if let path = value.pathOfNull { return Self.path(key, path) }
            }
        default: break
        }
        return nil
    }

    private static func path(_ step: String, _ rest: String) -> String {
        step + (rest.isEmpty || rest.hasPrefix("[") ? "" : ".") + rest
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByFloatLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int64) { self = .int(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(floatLiteral value: Double) { self = .double(value) }
    package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    package init(nilLiteral: ()) { self = .null }
    package init(dictionaryLiteral elements: (String, JSONValue)...) {
        var object = JSONObject()
        for (key, value) in elements { object[key] = value }
        self = .object(object)
    }
}

/// The members of a JSON object, in the order they were written. A key occurs once: the last one wins.
package struct JSONObject: Hashable, Sendable {
    /// The keys in order.
    package private(set) var keys: [String] = []
    /// The values in the order of `keys`.
    package private(set) var values: [JSONValue] = []
    /// Where each key stands; made only for objects large enough for a linear search to lose.
    private var positions: [String: Int]?

    private static let linearSearchLimit = 16

    /// An object without members.
    package init() {}

    /// How many members there are.
    package var count: Int { keys.count }

    /// Whether there is no member.
    package var isEmpty: Bool { keys.isEmpty }

    /// The value of `key`. Setting `nil` removes the member; a new key is added at the end.
    package subscript(key: String) -> JSONValue? {
        get { position(of: key).map { values[$0] } }
        set {
            switch (position(of: key), newValue) {
            case (let position?, let value?):
                values[position] = value
            case (nil, let value?):
                keys.append(key)
                values.append(value)
                if positions != nil {
                    positions?[key] = keys.count - 1
                } else if keys.count > Self.linearSearchLimit {
                    index()
                }
            case (let position?, nil):
                keys.remove(at: position)
                values.remove(at: position)
                if positions != nil { index() }
            case (nil, nil):
                break
            }
        }
    }

    private func position(of key: String) -> Int? {
        if let positions { return positions[key] }
        return keys.firstIndex(of: key)
    }

    private mutating func index() {
        var positions: [String: Int] = [:]
        positions.reserveCapacity(keys.count * 2)
        for (position, key) in keys.enumerated() { positions[key] = position }
        self.positions = positions
    }

    /// Two objects are equal when they have the same members, in whatever order.
    package static func == (left: JSONObject, right: JSONObject) -> Bool {
        guard left.count == right.count else { return false }
        for (key, value) in left where right[key] != value { return false }
        return true
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(count)
        for key in keys.sorted() {
            hasher.combine(key)
            hasher.combine(self[key])
        }
    }
}

extension JSONObject: Sequence {
    package func makeIterator() -> Zip2Sequence<[String], [JSONValue]>.Iterator { zip(keys, values).makeIterator() }
}
