import BuildInformation
import Flags
import Text

/// The help of a command, laid out as that of runc, of which scripts read the first lines.
struct HelpPage {
    /// The commands from the program itself down to the one that is described.
    let path: [Command]

    private var command: Command { path[path.count - 1] }
    private var isProgram: Bool { path.count == 1 }

    var text: String {
        let spelled = path.map(\.name).joined(separator: " ")
        var sections = [section("NAME", ["\(spelled) - \(command.summary)"])]
        sections.append(section("USAGE", [usage(spelled)]))
        if isProgram { sections.append(section("VERSION", [MasuVersion.version])) }
        if !command.discussion.isEmpty { sections.append(section("DESCRIPTION", Self.wrapped(command.discussion))) }
        if !command.examples.isEmpty {
            sections.append(section("EXAMPLES", command.examples.flatMap { ["# \($0.purpose)", "\($0.line)"] }))
        }
        let commands = command.subcommands().filter { !$0.isHidden }
        if !commands.isEmpty {
            let rows = commands.map { (([$0.name] + $0.aliases).joined(separator: ", "), $0.summary) }
            sections.append(section("COMMANDS", Self.table(rows)))
        }
        let help = ("--help, -h", "Show help")
        if !isProgram { sections.append(section("OPTIONS", Self.table(rows(of: command) + [help]))) }
        sections.append(
            section("GLOBAL OPTIONS", Self.table(rows(of: path[0]) + (isProgram ? [help] : []))))
        return sections.joined(separator: "\n")
    }

    private func usage(_ spelled: String) -> String {
        if isProgram { return "\(spelled) [global options] COMMAND [command options]" }
        return "\(spelled) [options]" + (command.operands.isEmpty ? "" : " \(command.operands)")
    }

    private func section(_ title: String, _ lines: [String]) -> String {
        "\(title):\n" + lines.map { "   \($0)\n" }.joined()
    }

    private func rows(of command: Command) -> [(String, String)] {
        command.flags().map(\.definition).filter { !$0.isHidden }.map { flag in
            let value = flag.typeName.isEmpty ? "" : " \(flag.typeName)"
            let spellings = ["--\(flag.name)\(value)"] + (flag.short.map { ["-\($0)\(value)"] } ?? [])
            return (
                spellings.joined(separator: ", "), flag.usage + (flag.defaultText.map { " (default: \($0))" } ?? "")
            )
        }
    }

    private static func table(_ rows: [(String, String)]) -> [String] {
        Columns.aligned(rows.map { [$0.0, $0.1] }, gap: 2)
    }

    private static func wrapped(_ text: String) -> [String] {
        var lines: [String] = []
        for paragraph in text.split(separator: "\n", omittingEmptySubsequences: false) {
            var line = ""
            for word in paragraph.split(separator: " ") {
                if !line.isEmpty, line.utf8.count + 1 + word.utf8.count > 76 {
                    lines.append(line)
                    line = ""
                }
                line += line.isEmpty ? word : " " + word
            }
            lines.append(line)
        }
        return lines
    }
}
