import Flags
import Glibc
import JSON
import Text

/// What plugins want to say after a command: those that `config.json` names under `plugins.NAME.hooks` are asked.
enum PluginHooks {
    /// The argument with which a plugin is asked.
    private static let command = "docker-cli-plugin-hooks"

    /// Runs a command, and then the hooks if a person is looking. The command's end stays as it is.
    static func around(_ invocation: Invocation, _ work: () throws -> Int32) throws -> Int32 {
        guard Terminal.isTerminal(STDOUT_FILENO), invocation.path.count > 1 else { return try work() }
        let name = invocation.path.dropFirst().map(\.name).joined(separator: " ")
        do {
            let status = try work()
            run(name, invocation.flags.occurring, failure: "")
            return status
        } catch {
            run(name, invocation.flags.occurring, failure: describe(error))
            throw error
        }
    }

    /// The configured hook that fits a command; a hook for `context` fits `context ls`.
    static func match(_ hooks: String, _ command: String) -> String? {
        let words = command.split(separator: " ")
        return hooks.split(separator: ",").map { String($0) }.first { hook in
            words.starts(with: hook.split(separator: " "))
        }
    }

    private static var isEnabled: Bool {
        if let text = Console.environment("DOCKER_CLI_HOOKS"), let value = GoBoolean.parse(text) { return value }
        let text = ClientConfiguration.user.document["features"]?["hooks"]?.string ?? "true"
        return GoBoolean.parse(text) ?? false
    }

    private static func run(_ command: String, _ flags: [(name: String, text: String)], failure: String) {
        let plugins = ClientConfiguration.user.plugins
        guard !plugins.isEmpty, isEnabled else { return }
        var lines: [String] = []
        for (name, settings) in plugins {
            let always = match(settings["hooks"]?.string ?? "", command)
            let onFailure = failure.isEmpty ? nil : match(settings["error-hooks"]?.string ?? "", command)
            guard let hook = always ?? onFailure, let path = CommandPlugin.path(of: name) else { continue }
            var given = JSONObject()
            for flag in flags { given[flag.name] = .string(GoBoolean.parse(flag.text) == nil ? "" : flag.text) }
            var question = JSONObject()
            question["RootCmd"] = .string(hook)
            question["Flags"] = .object(given)
            question["CommandError"] = .string(failure)
            // A plugin that does not answer as it should says nothing.
            guard
                let answer = try? ChildProcess.output(
                    of: [path, name, Self.command, JSONValue.object(question).text()],
                    variables: [(CommandPlugin.callerVariable, ProcessArguments.program)]),
                answer.status == 0, let text = message(answer.bytes, command)
            else { continue }
            lines += text
        }
        guard !lines.isEmpty else { return }
        Console.complain("\nWhat's next:\n" + lines.map { "    " + $0 }.joined(separator: "\n"))
    }

    /// The lines of an answer; nil where there are none.
    static func message(_ answer: [UInt8], _ command: String) -> [String]? {
        // As above: such an answer says nothing.
        guard let document = try? JSON.parse(answer), document["Type"]?.int == 0,
            let template = document["Template"]?.string,
            let text = try? Template(parsing: template).rendered(["Name": .string(command)])
        else { return nil }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        return lines.allSatisfy { $0.allSatisfy(\.isWhitespace) } ? nil : lines
    }
}
