import JSON
import Text

/// What a list command prints: rows of named columns, through `--format`.
package struct Listing {
    /// A named value of each row.
    package struct Column {
        let name: String
        let header: String

        /// A column with its title in tables.
        package init(_ name: String, _ header: String) {
            self.name = name
            self.header = header
        }
    }

    /// A row's values by column name, and what its methods answer.
    package struct Row {
        let values: JSONObject
        let labels: [String: String]

        /// A row.
        ///
        /// - Parameter labels: what `{{.Label "name"}}` looks up.
        package init(_ values: JSONObject, labels: [String: String] = [:]) {
            self.values = values
            self.labels = labels
        }
    }

    private let columns: [Column]
    private let defaultTable: String
    private let raw: String?

    /// - Parameters:
    ///   - columns: all columns there are.
    ///   - defaultTable: the template of `table` alone.
    ///   - raw: that of `raw`, for lists that docker has it for.
    package init(columns: [Column], defaultTable: String, raw: String? = nil) {
        self.columns = columns
        self.defaultTable = defaultTable
        self.raw = raw
    }

    /// The text for standard output.
    ///
    /// - Parameter format: `table`, `table TEMPLATE`, `json`, `raw`, a template, or empty for `table`.
    package func rendered(_ rows: [Row], format: String) throws(CommandError) -> String {
        var text = format
        if format.isEmpty || format == "table" { text = "table " + defaultTable }
        if format == "json" { text = "{{json .}}" }
        if format == "raw", let raw { text = raw }
        if text == "table " + defaultTable, let lines = Self.fields(of: defaultTable).flatMap({ plainTable(rows, $0) })
        {
            return Self.aligned(lines)
        }
        guard let body = text.removing(prefix: "table ") else {
            return try lines(rows, text).map { $0 + "\n" }.joined()
        }
        var headers = JSONObject()
        for column in columns { headers[column.name] = .string(column.header) }
        let template = try Self.template(body, isHeader: true)
        var table: [String]
        do {
            table = [
                try template.rendered(.object(headers)) { name, arguments in
                    name == "Label" ? .string(arguments[0]) : nil
                }
            ]
        } catch {
            throw CommandError("failed to execute template: \(error.description)")
        }
        table += try lines(rows, body)
        return Self.aligned(table)
    }

    /// The columns that a format shows; nil for all there are, as far as that can be told without its evaluation.
    package func shownColumns(_ format: String) -> Set<String>? {
        guard format.isEmpty || format == "table" else { return nil }
        return Self.fields(of: defaultTable).map { Set($0) }
    }

    /// The fields of a template that has nothing else, divided by tabs, as most tables have; nil for another one.
    private static func fields(of template: String) -> [String]? {
        var names: [String] = []
        for part in template.split(separator: "\t", omittingEmptySubsequences: false) {
            guard part.hasPrefix("{{."), part.hasSuffix("}}") else { return nil }
            let name = part.dropFirst(3).dropLast(2)
            guard !name.isEmpty, name.utf8.allSatisfy({ ($0 | 0x20) >= 0x61 && ($0 | 0x20) <= 0x7A }) else {
                return nil
            }
            names.append(String(name))
        }
        return names
    }

    /// The lines of a table without a template's evaluation, which for a thousand rows takes longer than all the rest;
    /// nil if it has a value or a title that is no text.
    private func plainTable(_ rows: [Row], _ names: [String]) -> [String]? {
        let titles = names.compactMap { name in columns.first { $0.name == name }?.header }
        guard titles.count == names.count else { return nil }
        var lines = [titles.joined(separator: "\t")]
        for row in rows {
            var line = ""
            for name in names {
                guard case .string(let text)? = row.values[name] else { return nil }
                if !line.isEmpty || name != names[0] { line += "\t" }
                line += text
            }
            lines.append(line)
        }
        return lines
    }

    private func lines(_ rows: [Row], _ text: String) throws(CommandError) -> [String] {
        let template = try Self.template(text, isHeader: false)
        var lines: [String] = []
        for row in rows {
            do {
                let line = try template.rendered(.object(row.values)) { name, arguments in
                    guard name == "Label", arguments.count == 1 else { return nil }
                    return .string(row.labels[arguments[0]] ?? "")
                }
                lines.append(line)
            } catch {
                throw CommandError("failed to execute template: \(error.description)")
            }
        }
        return lines
    }

    private static func template(_ text: String, isHeader: Bool) throws(CommandError) -> Template {
        do {
            return try Template(parsing: Self.unescaped(text), missing: isHeader ? .noValue : .unknownField)
        } catch {
            throw CommandError("failed to parse template: \(error.description)")
        }
    }

    /// `\t` and `\n` as shells hand them over.
    static func unescaped(_ text: String) -> String {
        var result = ""
        var rest = text[...]
        while let character = rest.popFirst() {
            if character == "\\", rest.first == "t" || rest.first == "n" {
                result.append(rest.removeFirst() == "t" ? "\t" : "\n")
            } else {
                result.append(character)
            }
        }
        return result
    }

    /// Lines whose cells, divided by tabs, stand below each other; columns are at least ten wide and three apart.
    package static func aligned(_ lines: [String], minimum: Int = 10, gap: Int = 3) -> String {
        let rows = lines.flatMap { Self.parts($0[...], at: 0x0A) }.map { Self.parts($0, at: 0x09) }
        return Columns.aligned(rows, minimum: minimum, gap: gap).map { $0 + "\n" }.joined()
    }

    /// The parts between single bytes of ASCII.
    private static func parts(_ text: Substring, at separator: UInt8) -> [Substring] {
        text.utf8.split(separator: separator, omittingEmptySubsequences: false).map(Substring.init)
    }
}
