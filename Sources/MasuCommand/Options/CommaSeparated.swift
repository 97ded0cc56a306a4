import Flags

/// Lists within one flag.
enum CommaSeparated {
    /// Fields between commas; double quotes protect commas, and double themselves.
    static func fields(_ text: String) throws(InvalidFlagValue) -> [String] {
        var fields: [String] = []
        var field = ""
        var isQuoted = false
        var rest = text[...]
        while let character = rest.popFirst() {
            if isQuoted {
                if character != "\"" {
                    field.append(character)
                } else if rest.first == "\"" {
                    field.append("\"")
                    rest.removeFirst()
                } else {
                    isQuoted = false
                }
            } else if character == "\"" && field.isEmpty {
                isQuoted = true
            } else if character == "," {
                fields.append(field)
                field = ""
            } else {
                field.append(character)
            }
        }
        guard !isQuoted else { throw InvalidFlagValue("extraneous or missing \" in quoted-field") }
        return fields + [field]
    }
}

extension Flag where Value == [String] {
    /// Texts, several of which can stand in one occurrence of the flag between commas.
    static func lists(
        _ name: String, type: String = "strings", _ usage: String,
        check: @escaping @Sendable (String) throws(InvalidFlagValue) -> Void = { (_: String) throws(InvalidFlagValue) in
        }
    ) -> Flag<[String]> {
        Flag(name, type: type, usage, default: []) {
            (result: inout [String], text: String) throws(InvalidFlagValue) in
            let fields = text.isEmpty ? [] : try CommaSeparated.fields(text)
            for field in fields { try check(field) }
            result += fields
        }
    }
}
