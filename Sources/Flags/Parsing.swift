extension Command {
    /// Parses the arguments after the program's name.
    ///
    /// Walks down the sub-commands, each level taking its own flags, and checks the number of operands.
    ///
    /// - Throws: ``UsageError``, whose `description` is the whole text for the user.
    package func parse(_ arguments: [String]) throws(UsageError) -> Invocation {
        var path = [self]
        var flags = ParsedFlags()
        var persistent: [FlagDefinition] = []
        var rest = arguments[...]

        while true {
            let command = path[path.count - 1]
            if command.takesRawArguments {
                return Invocation(path: path, flags: flags, operands: Array(rest), wantsHelp: false)
            }
            let groupsOthers = command.hasSubcommands
            let own = command.flags().map { $0.definition }
            var definitions = own + persistent.filter { outer in !own.contains { $0.name == outer.name } }
            definitions.append(Self.helpFlag(besides: definitions))
            persistent += own.filter(\.isPersistent)

            let scanner = FlagScanner(definitions: definitions, interspersed: !groupsOthers && command.interspersed)
            let operands: [String]
            do {
                operands = try scanner.scan(rest, into: &flags)
            } catch {
                throw UsageError(.flag, error.message, path: path, flags: flags)
            }
            if flags.isSet(Self.help) {
                return Invocation(path: path, flags: flags, operands: operands, wantsHelp: true)
            }
            guard groupsOthers, let word = operands.first else {
                let invocation = Invocation(path: path, flags: flags, operands: operands, wantsHelp: false)
                try Self.checkArity(invocation)
                return invocation
            }
            guard let child = command.subcommand(word) else {
                throw UsageError(.unknownCommand, word, path: path, flags: flags)
            }
            path.append(child)
            rest = operands.dropFirst()
        }
    }

    private static let help = Flag.boolean("help", "Print usage").hidden()
    private static let helpWithLetter = Flag.boolean("help", short: "h", "Print usage").hidden()

    /// `--help` is everywhere; `-h` too, unless the command uses the letter itself.
    private static func helpFlag(besides definitions: [FlagDefinition]) -> FlagDefinition {
        definitions.contains { $0.short == "h" } ? help.definition : helpWithLetter.definition
    }

    private static func checkArity(_ invocation: Invocation) throws(UsageError) {
        let count = invocation.operands.count
        let complaint: String
        switch invocation.command.arity {
        case .any: return
        case .none:
            if count == 0 { return }
            complaint = "accepts no arguments"
        case .exactly(let wanted):
            if count == wanted { return }
            complaint = "requires \(wanted) \(arguments(wanted))"
        case .atLeast(let least):
            if count >= least { return }
            complaint = "requires at least \(least) \(arguments(least))"
        case .atMost(let most):
            if count <= most { return }
            complaint = "requires at most \(most) \(arguments(most))"
        case .between(let least, let most):
            if (least...most).contains(count) { return }
            complaint = "requires at least \(least) and at most \(most) \(arguments(most))"
        }
        throw UsageError(
            .arguments, complaint, path: invocation.path, flags: invocation.flags, operandCount: count)
    }

    private static func arguments(_ count: Int) -> String {
        count == 1 ? "argument" : "arguments"
    }
}

/// A command line that cannot be run, with the text for the user in the words and layout of the docker CLI.
package struct UsageError: Error, CustomStringConvertible {
    /// What kind of mistake it is; decides the exit status.
    package enum Kind: Sendable {
        /// A flag that does not exist or does not parse.
        case flag
        /// Too many or too few operands.
        case arguments
        /// A word that names no command.
        case unknownCommand
    }

    /// What kind of mistake it is.
    package let kind: Kind
    /// The complaint alone, without the usage line.
    package let message: String
    /// The whole text for standard error.
    package let description: String

    /// The error in a few words; for an unknown command, that word.
    package let complaint: String
    /// The commands from the program down to the one that was asked for, as far as it is known.
    package let path: [Command]
    /// The flags that were read up to the mistake.
    package let flags: ParsedFlags
    /// How many operands there were, where their number is the mistake.
    package let operandCount: Int

    /// 125 for flags, 1 for the rest, as the docker CLI exits.
    package var exitStatus: Int32 { kind == .flag ? 125 : 1 }

    init(_ kind: Kind, _ complaint: String, path: [Command], flags: ParsedFlags, operandCount: Int = 0) {
        self.complaint = complaint
        self.path = path
        self.flags = flags
        self.operandCount = operandCount
        let program = path[0].name
        let spelled = path.map(\.name).joined(separator: " ")
        let usage = "Usage:  \(HelpText.usageLine(path))"
        self.kind = kind
        switch kind {
        case .flag:
            message = complaint
            description = "\(complaint)\n\n\(usage)\n\nRun '\(spelled) --help' for more information"
        case .arguments:
            message = "'\(spelled)' \(complaint)"
            var verb = "Run"
            if case .atLeast = path[path.count - 1].arity { verb = "See" }
            description = "\(program): \(message)\n\n\(usage)\n\n\(verb) '\(spelled) --help' for more information"
        case .unknownCommand:
            message = "unknown command: \(spelled) \(complaint)"
            var middle = path.count > 1 ? "\n\n\(usage)" : ""
            let near = NearestWords.of(complaint, among: path[path.count - 1])
            if !near.isEmpty {
                let spellings = near.map { "'\(spelled) \($0)'" }.joined(separator: " or ")
                middle = "\n\nDid you mean \(spellings)?" + middle
            }
            description = "\(program): \(message)\(middle)\n\nRun '\(spelled) --help' for more information"
        }
    }
}
