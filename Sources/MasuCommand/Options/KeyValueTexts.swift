import Flags

/// Texts of the form `name=value`: variables, labels, options, and files full of them.
package enum KeyValueTexts {
    /// Divides at the first `=`; the value is empty when there is none.
    static func divide(_ text: String) -> (name: String, value: String, hasValue: Bool) {
        guard let equals = text.firstIndex(of: "=") else { return (text, "", false) }
        return (String(text[..<equals]), String(text[text.index(after: equals)...]), true)
    }

    /// A dictionary of `name=value` texts; later ones win.
    static func dictionary(_ texts: [String]) -> [String: String] {
        var result: [String: String] = [:]
        for text in texts {
            let (name, value, _) = divide(text)
            result[name] = value
        }
        return result
    }

    /// Refuses `=value` for variables.
    static func checkVariable(_ text: String) throws(InvalidFlagValue) {
        if text.hasPrefix("=") || text.isEmpty { throw InvalidFlagValue("invalid environment variable: \(text)") }
    }

    /// Refuses `=value` for labels.
    static func checkLabel(_ text: String) throws(InvalidFlagValue) {
        if text.hasPrefix("=") || text.isEmpty { throw InvalidFlagValue("invalid label '\(text)': empty name") }
    }

    /// A variable as the API takes it: a bare name takes its value from this environment, or stays bare and so
    /// removes the image's variable.
    static func resolved(_ variable: String, environment: (String) -> String?) -> String {
        guard !variable.contains("="), let value = environment(variable) else { return variable }
        return "\(variable)=\(value)"
    }

    /// Parses a file of variables or labels: one a line; `#` begins a comment line; leading blanks are dropped,
    /// nothing else is unquoted or expanded.
    ///
    /// - Parameters:
    ///   - content: the file's bytes.
    ///   - path: the file's name for messages.
    ///   - environment: gives bare names their value; a bare name without one is left out. Nil keeps bare names.
    /// - Throws: ``CommandError`` in docker's words.
    package static func parseFile(
        _ content: [UInt8], path: String, environment: ((String) -> String?)?
    ) throws(CommandError) -> [String] {
        var bytes = content[...]
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes = bytes.dropFirst(3) }
        var result: [String] = []
        for (index, raw) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            guard let decoded = String(validating: raw, as: UTF8.self) else {
                throw CommandError(
                    "invalid env file (\(path)): env file \(path) contains invalid utf8 bytes at line \(index + 1)")
            }
            let line = decoded.drop { $0 == " " || $0 == "\t" || $0 == "\r" }
            let text = line.last == "\r" || line.last == "\r\n" ? String(line.dropLast()) : String(line)
            if text.isEmpty || text.hasPrefix("#") { continue }
            let (name, _, hasValue) = divide(text)
            if name.isEmpty {
                throw CommandError("invalid env file (\(path)): no variable name on line '\(text)'")
            }
            if name.contains(where: { $0 == " " || $0 == "\t" }) {
                throw CommandError("invalid env file (\(path)): variable '\(name)' contains whitespaces")
            }
            if hasValue {
                result.append(text)
            } else if let environment {
                if let value = environment(name) { result.append("\(name)=\(value)") }
            } else {
                result.append(name)
            }
        }
        return result
    }
}
