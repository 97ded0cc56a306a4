import JSON

/// The members of a JSON object, read one by one.
///
/// A container's configuration is read by hand and not through `Decodable`: in a program that lives for four
/// milliseconds, setting up the generic machinery of some fifty types for a single use is a tenth of that.
package struct JSONFields {
    private let object: JSONObject

    /// The members of `value`, which must be an object.
    package init(_ value: JSONValue) throws(JSONError) {
        guard case .object(let object) = value else {
            throw JSONError.value(path: "", reason: "is \(value.kindName), not an object")
        }
        self.object = object
    }

    /// Reads the member `key` with `read`; `nil` if it is not there or null. Errors get the key in their path.
    package func optional<Value>(
        _ key: String, _ read: (JSONValue) throws(JSONError) -> Value
    ) throws(JSONError) -> Value? {
        guard let value = member(key) else { return nil }
        if case .null = value { return nil }
        do throws(JSONError) {
            return try read(value)
        } catch {
            throw error.below(key)
        }
    }

    /// The member called `key`, in whatever case its letters are: other runtimes read configurations that way, and
    /// there are some that say `CPU` where the specification says `cpu`. Of several the last counts, but objects are
    /// taken together.
    private func member(_ key: String) -> JSONValue? {
        var found: JSONValue?
        for (name, value) in zip(object.keys, object.values) where Self.isSame(name, key) {
            found = found?.merged(with: value) ?? value
        }
        return found
    }

    private static func isSame(_ name: String, _ key: String) -> Bool {
        guard name.utf8.count == key.utf8.count else { return false }
        return name == key
            || zip(name.utf8, key.utf8).allSatisfy {
                $0 == $1 || $0 ^ $1 == 0x20 && ($0 | 0x20) >= 0x61 && ($0 | 0x20) <= 0x7a
            }
    }

    /// As `optional`, of a member that must be there.
    package func required<Value>(
        _ key: String, _ read: (JSONValue) throws(JSONError) -> Value
    ) throws(JSONError) -> Value {
        guard let value = try optional(key, read) else { throw JSONError.value(path: key, reason: "is missing") }
        return value
    }

    /// The elements of an array.
    package func list<Value>(
        _ key: String, _ read: (JSONValue) throws(JSONError) -> Value
    ) throws(JSONError) -> [Value]? {
        try optional(key) { value throws(JSONError) in
            guard case .array(let elements) = value else {
                throw JSONError.value(path: "", reason: "is \(value.kindName), not an array")
            }
            var list: [Value] = []
            list.reserveCapacity(elements.count)
            for element in elements {
                do throws(JSONError) {
                    list.append(try read(element))
                } catch {
                    throw error.below("[\(list.count)]")
                }
            }
            return list
        }
    }

    /// The members of an object.
    package func dictionary<Value>(
        _ key: String, _ read: (JSONValue) throws(JSONError) -> Value
    ) throws(JSONError) -> [String: Value]? {
        try optional(key) { value throws(JSONError) in
            let fields = try JSONFields(value)
            var dictionary: [String: Value] = [:]
            for (name, value) in zip(fields.object.keys, fields.object.values) {
                do throws(JSONError) {
                    dictionary[name] = try read(value)
                } catch {
                    throw error.below(name)
                }
            }
            return dictionary
        }
    }

    /// A text.
    package func string(_ key: String) throws(JSONError) -> String? { try optional(key, JSONRead.string) }
    /// An array of texts.
    package func strings(_ key: String) throws(JSONError) -> [String]? { try list(key, JSONRead.string) }
    /// A truth value.
    package func bool(_ key: String) throws(JSONError) -> Bool? { try optional(key, JSONRead.bool) }

    /// A whole number that fits.
    package func integer<Value: FixedWidthInteger & Sendable>(_ key: String) throws(JSONError) -> Value? {
        try optional(key, JSONRead.integer)
    }
}

/// Single values.
package enum JSONRead {
    /// A text.
    package static func string(_ value: JSONValue) throws(JSONError) -> String {
        guard case .string(let text) = value else {
            throw JSONError.value(path: "", reason: "is \(value.kindName), not a string")
        }
        return text
    }

    /// A truth value.
    package static func bool(_ value: JSONValue) throws(JSONError) -> Bool {
        guard case .bool(let truth) = value else {
            throw JSONError.value(path: "", reason: "is \(value.kindName), not a boolean")
        }
        return truth
    }

    /// A whole number that fits.
    package static func integer<Value: FixedWidthInteger & Sendable>(_ value: JSONValue) throws(JSONError) -> Value {
        let number: Value? =
            switch value {
            case .int(let number): Value(exactly: number)
            case .uint(let number): Value(exactly: number)
            case .double(let number): Value(exactly: number)
            default: nil
            }
        guard let number else {
            let what = value.double.map { "\($0)" } ?? value.kindName
            throw JSONError.value(path: "", reason: "is \(what), not a whole number from \(Value.min) to \(Value.max)")
        }
        return number
    }
}

extension JSONValue {
    /// What a decoder has that reads this value and then `other` into the same place.
    fileprivate func merged(with other: JSONValue) -> JSONValue {
        guard case .object(var object) = self, case .object(let added) = other else { return other }
        for (name, value) in zip(added.keys, added.values) {
            object[name] = object[name]?.merged(with: value) ?? value
        }
        return .object(object)
    }
}

extension JSONError {
    /// This error, of a value inside the member or element `key`.
    fileprivate func below(_ key: String) -> JSONError {
        guard case .value(let path, let reason) = self else { return self }
        if path.isEmpty { return .value(path: key, reason: reason) }
        return .value(path: path.hasPrefix("[") ? key + path : "\(key).\(path)", reason: reason)
    }
}
