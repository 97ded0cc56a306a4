/// A command of a program: its name, flags, arguments, help and sub-commands.
///
/// Commands are plain values; lists of sub-commands and flags are closures, so that a program with many commands
/// builds only the ones it walks through.
package struct Command: Sendable {
    /// The work of a command; returns the exit status of the program.
    package typealias Action = @Sendable (Invocation) throws -> Int32

    /// The word on the command line.
    package let name: String
    /// Other words that mean the same.
    package let aliases: [String]
    /// The operands as the usage line shows them, for example `IMAGE [COMMAND] [ARG...]`.
    package let operands: String
    /// One line for lists of commands.
    package let summary: String
    /// A paragraph for the command's own help; the summary when empty.
    package let discussion: String
    /// Complete command lines with a word on what they do; shown at the end of help.
    package let examples: [Example]
    /// Other full spellings of the same command (`masu container run`), for help.
    package let spellings: [String]
    /// The heading under which lists show the command; nil is the plain list.
    package let group: String?
    /// Whether lists leave the command out.
    package let isHidden: Bool
    /// How many operands there must be.
    package let arity: Arity
    /// Whether flags may follow operands.
    package let interspersed: Bool
    /// Whether all arguments are handed over as they are, flags included.
    package let takesRawArguments: Bool
    /// The flags.
    package let flags: @Sendable () -> [any FlagDeclaration]
    /// The sub-commands; empty for a command that works itself.
    package let subcommands: @Sendable () -> [Command]
    /// Finds one sub-command without making the others; nil searches the list.
    package let findSubcommand: (@Sendable (String) -> Command?)?
    /// The work; nil for commands that only group others, and for programs that decide by themselves.
    package let action: Action?

    /// A command line worth learning from.
    package struct Example: Sendable {
        /// What it does.
        package let purpose: String
        /// What to type.
        package let line: String

        /// An example with its purpose.
        package init(_ purpose: String, _ line: String) {
            self.purpose = purpose
            self.line = line
        }
    }

    /// How many operands a command takes.
    package enum Arity: Sendable, Hashable {
        case none
        case any
        case exactly(Int)
        case atLeast(Int)
        case atMost(Int)
        case between(Int, Int)
    }

    /// A command.
    ///
    /// - Parameters:
    ///   - interspersed: whether flags may follow operands.
    ///   - takesRawArguments: whether everything behind the name is an operand.
    ///   - findSubcommand: makes the subcommand of a name without making the others; nil looks through `subcommands`.
    ///   - action: what the command does; nil for one that only has subcommands.
    package init(
        _ name: String, aliases: [String] = [], operands: String = "", arity: Arity = .none, _ summary: String,
        discussion: String = "", examples: [Example] = [], spellings: [String] = [], group: String? = nil,
        isHidden: Bool = false, interspersed: Bool = true, takesRawArguments: Bool = false,
        flags: @escaping @Sendable () -> [any FlagDeclaration] = { [] },
        subcommands: @escaping @Sendable () -> [Command] = { [] },
        findSubcommand: (@Sendable (String) -> Command?)? = nil, action: Action? = nil
    ) {
        self.name = name
        self.aliases = aliases
        self.operands = operands
        self.summary = summary
        self.discussion = discussion
        self.examples = examples
        self.spellings = spellings
        self.group = group
        self.isHidden = isHidden
        self.arity = arity
        self.interspersed = interspersed
        self.takesRawArguments = takesRawArguments
        self.flags = flags
        self.subcommands = subcommands
        self.findSubcommand = findSubcommand
        self.action = action
    }

    /// The sub-command that a word means.
    func subcommand(_ word: String) -> Command? {
        findSubcommand?(word) ?? subcommands().first { $0.answers(to: word) }
    }

    /// Whether the command groups others.
    var hasSubcommands: Bool {
        findSubcommand != nil || !subcommands().isEmpty
    }

    /// The help text of the command as a program's own, wrapped to a terminal's width in columns.
    package func help(width: Int = 80) -> String {
        HelpText(path: [self], width: width).rendered()
    }

    /// Whether a word on the command line means this command.
    package func answers(to word: String) -> Bool {
        name == word || aliases.contains(word)
    }
}

/// A parsed command line: which command, with what.
package struct Invocation: Sendable {
    /// The commands from the program itself down to the one to run. Never empty.
    package let path: [Command]
    /// The flags of all commands of the path. Where two levels declare the same name, both see all occurrences.
    package let flags: ParsedFlags
    /// The arguments that are not flags.
    package let operands: [String]
    /// Whether `--help` was given: print ``help(width:)`` instead of acting. Nothing else was checked then.
    package let wantsHelp: Bool

    /// The command to run.
    package var command: Command { path[path.count - 1] }
    /// The command's full spelling: `masu container run`.
    package var commandPath: String { path.map(\.name).joined(separator: " ") }

    /// The help text of the command, wrapped to a terminal's width in columns.
    package func help(width: Int = 80) -> String {
        HelpText(path: path, width: width).rendered()
    }
}
