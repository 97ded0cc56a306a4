/// The flags found on a command line; ask it with the declared flag as the key.
package struct ParsedFlags: Sendable {
    /// In the order given. A command line is short: searching it costs less than making a dictionary.
    private var occurrences: [(name: String, text: String)] = []

    /// No flags: each has its default.
    package init() {}

    /// The value of a flag: all its occurrences folded in order, or its default.
    ///
    /// Every text was checked when it was parsed, so this cannot fail.
    package subscript<Value>(flag: Flag<Value>) -> Value {
        var value = flag.defaultValue
        for occurrence in occurrences where occurrence.name == flag.definition.name {
            do {
                try flag.accumulate(&value, occurrence.text)
            } catch {
                preconditionFailure(
                    "flag --\(flag.definition.name) was asked with another declaration than it was parsed")
            }
        }
        return value
    }

    /// All occurrences in the order given, each with its text.
    package var occurring: [(name: String, text: String)] { occurrences }

    /// Whether a flag was given at all, even with its default as the value.
    package func isSet(_ flag: some FlagDeclaration) -> Bool {
        let name = flag.definition.name
        return occurrences.contains { $0.name == name }
    }

    /// The value of a flag if it was given, otherwise nil.
    package func given<Value>(_ flag: Flag<Value>) -> Value? {
        isSet(flag) ? self[flag] : nil
    }

    mutating func record(_ definition: FlagDefinition, _ text: String) throws(FlagSyntaxError) {
        do {
            try definition.check(text)
        } catch {
            throw FlagSyntaxError(
                "invalid argument \"\(text)\" for \"\(definition.spelling)\" flag: \(error.reason)")
        }
        occurrences.append((definition.name, text))
    }
}

/// A command line that does not follow the grammar, in pflag's words.
struct FlagSyntaxError: Error {
    let message: String

    init(_ message: String) {
        self.message = message
    }
}

/// Takes the flags out of one command's arguments.
struct FlagScanner {
    /// The flags that may be given here.
    let definitions: [FlagDefinition]
    /// Whether flags may also stand after the first argument that is not one.
    let interspersed: Bool

    /// Records all flags and returns the other arguments in order.
    ///
    /// With `interspersed` off, everything from the first non-flag on is returned untouched. A leading `--` is dropped.
    func scan(_ arguments: ArraySlice<String>, into flags: inout ParsedFlags) throws(FlagSyntaxError) -> [String] {
        var operands: [String] = []
        var rest = arguments
        while let argument = rest.popFirst() {
            if argument == "--" {
                operands += rest
                break
            } else if argument.utf8.starts(with: [0x2D, 0x2D]) {
                try long(argument.dropFirst(2), whole: argument, &rest, &flags)
            } else if argument.utf8.first == 0x2D, argument.utf8.count > 1 {
                try cluster(argument, &rest, &flags)
            } else {
                operands.append(argument)
                if !interspersed {
                    operands += rest
                    break
                }
            }
        }
        return operands
    }

    private func long(
        _ body: Substring, whole: String, _ rest: inout ArraySlice<String>, _ flags: inout ParsedFlags
    ) throws(FlagSyntaxError) {
        guard body.utf8.first != UInt8(ascii: "="), body.utf8.first != UInt8(ascii: "-") else {
            throw FlagSyntaxError("bad flag syntax: \(whole)")
        }
        let equals = body.utf8.firstIndex(of: UInt8(ascii: "="))
        let name = String(body[..<(equals ?? body.endIndex)])
        guard let definition = definitions.first(where: { $0.name == name }) else {
            throw FlagSyntaxError("unknown flag: --\(name)")
        }
        if let equals {
            try flags.record(definition, String(body[body.index(after: equals)...]))
        } else if let bare = definition.bareValue {
            try flags.record(definition, bare)
        } else if let value = rest.popFirst() {
            try flags.record(definition, value)
        } else {
            throw FlagSyntaxError("flag needs an argument: --\(name)")
        }
    }

    private func cluster(
        _ argument: String, _ rest: inout ArraySlice<String>, _ flags: inout ParsedFlags
    ) throws(FlagSyntaxError) {
        var letters = argument.unicodeScalars.dropFirst()
        while let letter = letters.first {
            let remaining = String(Substring(letters))
            guard let definition = definitions.first(where: { $0.short == letter }) else {
                throw FlagSyntaxError("unknown shorthand flag: '\(letter)' in -\(remaining)")
            }
            letters = letters.dropFirst()
            if letters.count > 1, letters.first == "=" {
                try flags.record(definition, String(Substring(letters.dropFirst())))
                return
            } else if let bare = definition.bareValue {
                try flags.record(definition, bare)
            } else if !letters.isEmpty {
                try flags.record(definition, String(Substring(letters)))
                return
            } else if let value = rest.popFirst() {
                try flags.record(definition, value)
                return
            } else {
                throw FlagSyntaxError("flag needs an argument: '\(letter)' in -\(remaining)")
            }
        }
    }
}
