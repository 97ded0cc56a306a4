import Flags
import JSON

/// The `--filter` flags, as the API takes them.
package enum Filters {
    /// Refuses a text that is not of the form `name=value`.
    static func check(_ text: String) throws(InvalidFlagValue) {
        guard text.contains("=") || text.isEmpty else {
            throw InvalidFlagValue("bad format of filter (expected name=value)")
        }
    }

    /// `{"status":{"running":true}}`, or nil when there are none. Names are in lower case, blanks around both parts
    /// are dropped.
    package static func query(_ texts: [String]) -> String? {
        var filters = JSONObject()
        for text in texts where !text.isEmpty {
            let (name, value, _) = KeyValueTexts.divide(text)
            let key = trimmed(name).lowercased()
            var values = filters[key]?.object ?? JSONObject()
            values[trimmed(value)] = true
            filters[key] = .object(values)
        }
        return filters.isEmpty ? nil : JSONValue.object(filters).text()
    }

    /// The name of a filter, in lower case.
    static func name(of text: String) -> String { trimmed(KeyValueTexts.divide(text).name).lowercased() }

    private static func trimmed(_ text: String) -> String {
        let start = text.drop { $0.isWhitespace }
        return String(start.reversed().drop { $0.isWhitespace }.reversed())
    }
}
