import JSON

/// What the `filters` parameter of list requests says: for each key the values asked for.
package struct FilterArguments: Hashable, Sendable {
    /// The values by key, in the order sent.
    package private(set) var values: [String: [String]] = [:]

    /// No filter at all.
    package init() {}

    /// Filters from values by key.
    package init(_ values: [String: [String]]) { self.values = values }

    /// Reads both shapes that clients send: `{"key":{"value":true}}` and the older `{"key":["value"]}`.
    ///
    /// - Throws: `APIError` (invalid) for anything else.
    package init(json: String) throws {
        guard !json.isEmpty else { return }
        guard let object = (try? JSON.parse(json))?.object else { throw APIError.invalid("invalid filter") }
        for (key, value) in object {
            switch value {
            case .object(let members):
                guard members.values.allSatisfy({ $0.bool != nil }) else { throw APIError.invalid("invalid filter") }
                values[key] = members.keys
            case .array(let elements):
                let texts = elements.compactMap(\.string)
                guard texts.count == elements.count else { throw APIError.invalid("invalid filter") }
                values[key] = texts
            case .null:
                values[key] = []
            default:
                throw APIError.invalid("invalid filter")
            }
        }
    }

    /// The values of `key`; empty if it is not filtered by.
    package subscript(key: String) -> [String] { values[key] ?? [] }

    /// Whether nothing is filtered.
    package var isEmpty: Bool { values.allSatisfy { $0.value.isEmpty } }

    /// Refuses keys that the request does not know.
    ///
    /// - Throws: `APIError` (invalid): `invalid filter 'x'`.
    package func validate(_ accepted: Set<String>) throws {
        for key in values.keys.sorted() where !accepted.contains(key) {
            throw APIError.invalid("invalid filter '\(key)'")
        }
    }

    /// A filter that is either true or false; `nil` if it was not given.
    ///
    /// - Throws: `APIError` (invalid) for other values, or both at once.
    package func truth(_ key: String) throws -> Bool? {
        let given = Set(self[key])
        guard !given.isEmpty else { return nil }
        let isTrue = !given.isDisjoint(with: ["1", "true"])
        let isFalse = !given.isDisjoint(with: ["0", "false"])
        guard isTrue != isFalse else { throw APIError.invalid("invalid filter '\(key)=\(given.sorted())'") }
        return isTrue
    }
}
