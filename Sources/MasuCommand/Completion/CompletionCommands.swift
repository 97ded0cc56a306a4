import Flags
import Glibc
import Text

/// `masu completion SHELL`, and the hidden command that the scripts of the shells call.
enum CompletionCommands {
    static var all: [Command] { [completion, complete(describes: true), complete(describes: false)] }

    private static let completion = Command(
        "completion", operands: "bash|zsh|fish", arity: .exactly(1),
        "Print what a shell needs to complete commands",
        examples: [
            .init("In bash, now", "source <(masu completion bash)"),
            .init("In zsh, always", "masu completion zsh > ~/.zfunc/_masu"),
            .init("In fish, always", "masu completion fish > ~/.config/fish/completions/masu.fish"),
        ],
        action: { invocation in
            let shell = invocation.operands[0]
            guard let text = CompletionScript.of(shell, for: "masu") else {
                throw CommandError("masu: there is no completion for the shell '\(shell)': bash, zsh or fish")
            }
            try Console.write(text)
            return 0
        })

    private static func complete(describes: Bool) -> Command {
        Command(
            describes ? "__complete" : "__completeNoDesc", operands: "[WORD...]", "Complete a command line",
            isHidden: true, takesRawArguments: true,
            action: { invocation in
                let words = invocation.operands
                let request = CompletionRequest(words, root: MasuProgram.root) { CommandPlugin.path(of: $0) != nil }
                let flags = globalFlags(words)
                if let directory = flags.given(GlobalFlags.config) { setenv("DOCKER_CONFIG", directory, 1) }
                if case .plugin(let name) = request.place, let path = CommandPlugin.path(of: name) {
                    // The plugin has the same hidden command.
                    var variables = [(CommandPlugin.callerVariable, ProcessArguments.program)]
                    // Without a daemon it completes what needs none.
                    variables += (try? PluginRun.daemon(flags, in: .own)) ?? []
                    let answer = try ChildProcess.output(
                        of: [path, invocation.command.name] + words, variables: variables)
                    try answer.bytes.withUnsafeBytes { try Console.pass($0, to: STDOUT_FILENO) }
                    return answer.status
                }
                let (candidates, directive) = answer(request, flags)
                var text = ""
                for candidate in candidates {
                    text += candidate.word
                    if describes, !candidate.meaning.isEmpty { text += "\t\(candidate.meaning)" }
                    text += "\n"
                }
                try Console.print(text + ":\(directive.rawValue)")
                return 0
            })
    }

    /// The flags before the command, which say whom to ask; what is not complete yet is left out.
    private static func globalFlags(_ words: [String]) -> ParsedFlags {
        let probe = Command(
            "masu", operands: "", arity: .any, "", interspersed: false, flags: { GlobalFlags.all }, action: { _ in 0 })
        // A line that cannot be parsed yet chooses no daemon.
        return (try? probe.parse(Array(words.dropLast())))?.flags ?? ParsedFlags()
    }

    private static func answer(
        _ request: CompletionRequest, _ flags: ParsedFlags
    ) -> (candidates: [CompletionRequest.Candidate], directive: CompletionRequest.Directive) {
        if var candidates = request.structural {
            if request.place == .command, request.path.count == 1 {
                candidates += CommandPlugin.candidates().filter { CommandPlugin.isName($0.name) }
                    .map { ($0.name, "A plugin") }
            }
            return (candidates.filter { $0.word.hasPrefix(request.word) }.sorted { $0.word < $1.word }, .noFiles)
        }
        var prefix = ""
        if case .value(_, let start) = request.place { prefix = start }
        let sources = CompletionSource.sources(for: request)
        var directive: CompletionRequest.Directive = sources.contains(.files) ? [] : .noFiles
        if sources.contains(.directories) { directive = .directories }
        let typed = request.word.dropFirst(prefix.count)
        var seen: Set<String> = []
        let words = sources.flatMap { $0.words(flags) }
            .filter { $0.hasPrefix(typed) && !$0.hasControls && seen.insert($0).inserted }
        if words.count == 1, words[0].hasSuffix("=") { directive.insert(.noSpace) }
        return (words.map { (prefix + $0, "") }, directive)
    }
}

extension String {
    /// Whether there are control characters, which have no place in a shell's line.
    fileprivate var hasControls: Bool { unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F } }
}
