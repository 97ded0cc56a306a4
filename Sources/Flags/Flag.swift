/// A flag of a command line, declared once as a value and later used as the typed key to its value.
///
/// The grammar and all error texts are those of Go's `pflag`, because scripts written for `docker` rely on both:
/// `--name value`, `--name=value`, `-n value`, `-nvalue`, `-n=value`, clusters of bare short flags (`-it`) whose last
/// member may take a value (`-itp8080:80`), and `--` as the end of flags.
///
///     static let memory = Flag.bytes("memory", short: "m", "Memory limit")
///     …
///     let limit: Int64 = invocation.flags[memory]
package struct Flag<Value: Sendable>: FlagDeclaration {
    /// What parsing and help need to know, free of the value's type.
    package let definition: FlagDefinition

    /// The value of a flag that was not given.
    package let defaultValue: Value

    /// Folds one more occurrence of the flag into the value collected so far.
    let accumulate: @Sendable (inout Value, String) throws(InvalidFlagValue) -> Void

    /// Declares a flag of any type.
    ///
    /// - Parameters:
    ///   - name: the long name without dashes.
    ///   - short: the letter after a single dash, if there is one.
    ///   - type: the word printed after the name in help; empty for flags without a value.
    ///   - usage: one sentence for help.
    ///   - defaultValue: the value when the flag is not given.
    ///   - defaultText: the default as help prints it; nil prints nothing.
    ///   - bareValue: the text taken when the flag is given without a value (`--rm` means `--rm=true`); such a flag
    ///     never takes the next argument as its value. Nil: the flag needs a value.
    ///   - accumulate: folds one occurrence into the value; called once for each occurrence in order.
    package init(
        _ name: String, short: Unicode.Scalar? = nil, type: String, _ usage: String, default defaultValue: Value,
        defaultText: String? = nil, bareValue: String? = nil,
        accumulate: @escaping @Sendable (inout Value, String) throws(InvalidFlagValue) -> Void
    ) {
        self.defaultValue = defaultValue
        self.accumulate = accumulate
        definition = FlagDefinition(
            name: name, short: short, typeName: type, usage: usage, defaultText: defaultText, bareValue: bareValue
        ) { (text: String) throws(InvalidFlagValue) in
            var value = defaultValue
            try accumulate(&value, text)
        }
    }

    private init(_ definition: FlagDefinition, like other: Flag<Value>) {
        self.definition = definition
        defaultValue = other.defaultValue
        accumulate = other.accumulate
    }

    /// The same flag, left out of help.
    package func hidden() -> Flag<Value> {
        var changed = definition
        changed.isHidden = true
        return Flag(changed, like: self)
    }

    /// The same flag, also accepted after the name of a sub-command.
    package func persistent() -> Flag<Value> {
        var changed = definition
        changed.isPersistent = true
        return Flag(changed, like: self)
    }
}

/// Anything that declares a flag, so that flags of different types can stand in one list.
package protocol FlagDeclaration: Sendable {
    /// The declaration without the value's type.
    var definition: FlagDefinition { get }
}

/// The part of a flag's declaration that parsing and help need.
package struct FlagDefinition: FlagDeclaration {
    /// The long name, without dashes.
    package let name: String
    /// The letter after a single dash.
    package let short: Unicode.Scalar?
    /// The word after the name in help, such as `string`; empty for flags without a value.
    package let typeName: String
    /// One sentence for help.
    package let usage: String
    /// The default as help prints it.
    package let defaultText: String?
    /// The value of the flag when given without one; nil when it needs one.
    package let bareValue: String?
    /// Whether help leaves the flag out.
    package var isHidden = false
    /// Whether the flag is also accepted after the name of a sub-command.
    package var isPersistent = false
    /// Throws when a text is not a value of this flag.
    let check: @Sendable (String) throws(InvalidFlagValue) -> Void

    /// A flag.
    ///
    /// - Parameter bareValue: the text that the flag stands for when it has none; nil if it needs one.
    package init(
        name: String, short: Unicode.Scalar?, typeName: String, usage: String, defaultText: String?, bareValue: String?,
        check: @escaping @Sendable (String) throws(InvalidFlagValue) -> Void
    ) {
        self.name = name
        self.short = short
        self.typeName = typeName
        self.usage = usage
        self.defaultText = defaultText
        self.bareValue = bareValue
        self.check = check
    }

    /// The flag itself.
    package var definition: FlagDefinition { self }

    /// The flag as errors name it: `-m, --memory` or `--rm`.
    package var spelling: String {
        guard let short else { return "--\(name)" }
        return "-\(short), --\(name)"
    }
}

/// A text that is not a value of the flag it was given to; the parser adds which flag that was.
package struct InvalidFlagValue: Error, Hashable {
    /// The error in the text, for example `invalid size: 'x'`.
    package let reason: String

    /// An error with its reason.
    package init(_ reason: String) {
        self.reason = reason
    }
}
