import Flags
import JSON

/// What could stand where the user is typing: the walk down the commands that `__complete` makes.
package struct CompletionRequest {
    /// A word that can stand there, with a word on what it is.
    package typealias Candidate = (word: String, meaning: String)

    /// What the shell does with the candidates; cobra's numbers, which docker's plugins answer with as well.
    package struct Directive: OptionSet, Hashable, Sendable {
        package let rawValue: Int
        /// A directive of cobra's.
        package init(rawValue: Int) { self.rawValue = rawValue }
        /// Nothing could be found out.
        package static let error = Directive(rawValue: 1)
        /// No space follows.
        package static let noSpace = Directive(rawValue: 2)
        /// Files are no candidates.
        package static let noFiles = Directive(rawValue: 4)
        /// Only directories are.
        package static let directories = Directive(rawValue: 16)
    }

    /// What a place on the command line takes.
    package enum Place: Equatable {
        /// The name of a command below this one.
        case command
        /// A flag.
        case flag
        /// The value of a flag; `prefix` is what stands before it in the same word.
        case value(flag: String, prefix: String)
        /// An operand; its number begins with 0.
        case operand(Int)
        /// Something of a plugin's.
        case plugin(String)
    }

    /// The commands that were walked through.
    package private(set) var path: [Command]
    /// The operands before.
    package private(set) var operands: [String] = []
    /// Flags that stand before, in order.
    package private(set) var place = Place.command
    /// What the user has typed of the word.
    package let word: String
    private var known: [FlagDefinition]

    /// Looks where the last of the words stands.
    ///
    /// - Parameter isPlugin: whether a word that is no command is a plugin's.
    package init(_ words: [String], root: Command, isPlugin: (String) -> Bool = { _ in false }) {
        path = [root]
        known = root.flags().map(\.definition)
        word = words.last ?? ""
        var rest = words.dropLast()
        var isOver = false
        while let next = rest.popFirst() {
            if !isOver, next == "--" {
                isOver = true
            } else if !isOver, next.hasPrefix("-"), next.utf8.count > 1 {
                guard let flag = pending(next) else { continue }
                guard rest.popFirst() != nil else {
                    place = .value(flag: flag.name, prefix: "")
                    return
                }
            } else if operands.isEmpty, let child = command.subcommands().first(where: { $0.answers(to: next) }) {
                path.append(child)
                known = child.flags().map(\.definition) + known.filter(\.isPersistent)
            } else if path.count == 1, operands.isEmpty, isPlugin(next) {
                place = .plugin(next)
                return
            } else {
                operands.append(next)
                if !command.interspersed { isOver = true }
            }
        }
        place = .operand(operands.count)
        if !isOver, word.hasPrefix("-") {
            place = .flag
            if let equals = word.firstIndex(of: "=") {
                let name = word[..<equals].drop { $0 == "-" }
                place = .value(flag: String(name), prefix: String(word[...equals]))
            }
        } else if operands.isEmpty, !command.subcommands().isEmpty {
            place = .command
        }
    }

    /// The command that the word belongs to.
    package var command: Command { path[path.count - 1] }

    /// The command's name without the program's.
    package var commandName: String { path.dropFirst().map(\.name).joined(separator: " ") }

    /// The flag that takes the next word as its value.
    private func pending(_ word: String) -> FlagDefinition? {
        if word.hasPrefix("--") {
            let name = word.dropFirst(2)
            guard !name.contains("=") else { return nil }
            return known.first { $0.name == name && $0.bareValue == nil }
        }
        var letters = word.unicodeScalars.dropFirst()
        while let letter = letters.popFirst() {
            guard let flag = known.first(where: { $0.short == letter }) else { return nil }
            if flag.bareValue == nil { return letters.isEmpty ? flag : nil }
        }
        return nil
    }

    /// The commands and flags that can stand there; nil where it is for others to say.
    package var structural: [Candidate]? {
        switch place {
        case .command:
            return command.subcommands().filter { !$0.isHidden }.map { ($0.name, $0.summary) }
        case .flag:
            let flags = known.filter { !$0.isHidden && !$0.name.isEmpty }
            return flags.map { ("--\($0.name)", $0.usage.prefix { !$0.isNewline }.description) } + [("--help", "")]
        case .value, .operand, .plugin: return nil
        }
    }
}
