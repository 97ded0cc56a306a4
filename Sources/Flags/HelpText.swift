import Text

/// Lays out the help of a command: usage line, description, spellings, options, commands, examples.
struct HelpText {
    let path: [Command]
    /// The terminal's width in columns.
    let width: Int

    /// `masu run [OPTIONS] IMAGE [COMMAND] [ARG...]`.
    static func usageLine(_ path: [Command]) -> String {
        let command = path[path.count - 1]
        var line = path.map(\.name).joined(separator: " ")
        if command.flags().contains(where: { !$0.definition.isHidden }) { line += " [OPTIONS]" }
        if !command.operands.isEmpty {
            line += " " + command.operands
        } else if !command.subcommands().isEmpty {
            line += " COMMAND"
        }
        return line
    }

    func rendered() -> String {
        let command = path[path.count - 1]
        var sections = ["Usage:  \(Self.usageLine(path))"]
        sections.append(wrapped(command.discussion.isEmpty ? command.summary : command.discussion))
        if !command.spellings.isEmpty {
            sections.append("Aliases:\n  " + command.spellings.joined(separator: ", "))
        }
        let commands = command.subcommands().filter { !$0.isHidden }
        sections += lists(of: commands)
        let flags = command.flags().map(\.definition).filter { !$0.isHidden }
        if !flags.isEmpty {
            sections.append(
                (path.count == 1 && !commands.isEmpty ? "Global Options:" : "Options:") + "\n" + table(of: flags))
        }
        if !command.examples.isEmpty {
            let lines = command.examples.map { "  # \($0.purpose)\n  $ \($0.line)" }
            sections.append((lines.count == 1 ? "Example:\n" : "Examples:\n") + lines.joined(separator: "\n\n"))
        }
        if !commands.isEmpty {
            let spelled = path.map(\.name).joined(separator: " ")
            sections.append("Run '\(spelled) COMMAND --help' for more information on a command.")
        }
        return sections.joined(separator: "\n\n") + "\n"
    }

    private func lists(of commands: [Command]) -> [String] {
        var titles: [String] = []
        for command in commands where !titles.contains(command.group ?? "Commands") {
            titles.append(command.group ?? "Commands")
        }
        let column = (commands.map(\.name.count).max() ?? 0) + 2
        return titles.map { title in
            let members = commands.filter { ($0.group ?? "Commands") == title }
            let lines = members.map { "  " + $0.name.padded(to: max(column, 12)) + $0.summary }
            return "\(title):\n" + lines.joined(separator: "\n")
        }
    }

    private func table(of flags: [FlagDefinition]) -> String {
        let rows = flags.sorted { $0.name < $1.name }.map { flag in
            let letter = flag.short.map { "-\($0), " } ?? "    "
            let left = "  \(letter)--\(flag.name)" + (flag.typeName.isEmpty ? "" : " \(flag.typeName)")
            let right = flag.usage + (flag.defaultText.map { " (default \($0))" } ?? "")
            return (left, right)
        }
        let column = (rows.map(\.0.count).max() ?? 0) + 3
        return rows.map { left, right in
            left.padded(to: column)
                + wrapped(right, width: max(width - column - 1, 24), indent: "".padded(to: column))
        }.joined(separator: "\n")
    }

    private func wrapped(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false)
            .map { wrapped(String($0), width: width - 1, indent: "") }
            .joined(separator: "\n")
    }

    private func wrapped(_ text: String, width: Int, indent: String) -> String {
        var lines: [String] = []
        for paragraph in text.split(separator: "\n", omittingEmptySubsequences: false) {
            var line = ""
            for word in paragraph.split(separator: " ", omittingEmptySubsequences: false) {
                if !line.isEmpty, line.count + 1 + word.count > width {
                    lines.append(line)
                    line = String(word)
                } else {
                    line = line.isEmpty ? String(word) : line + " " + word
                }
            }
            lines.append(line)
        }
        return lines.joined(separator: "\n" + indent)
    }
}
