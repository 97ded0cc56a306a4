// The usual kinds of flags. All take the last occurrence unless they say that they collect.

extension Flag where Value == Bool {
    /// A switch: `--name`, `--name=false`.
    package static func boolean(
        _ name: String, short: Unicode.Scalar? = nil, _ usage: String, default value: Bool = false
    ) -> Flag<Bool> {
        Flag(
            name, short: short, type: "", usage, default: value, defaultText: value ? "true" : nil, bareValue: "true"
        ) { (result: inout Bool, text: String) throws(InvalidFlagValue) in
            result = try FlagValue.boolean(text)
        }
    }
}

extension Flag where Value == String {
    /// A text.
    package static func string(
        _ name: String, short: Unicode.Scalar? = nil, type: String = "string", _ usage: String,
        default value: String = ""
    ) -> Flag<String> {
        Flag(
            name, short: short, type: type, usage, default: value, defaultText: value.isEmpty ? nil : "\"\(value)\""
        ) { (result: inout String, text: String) throws(InvalidFlagValue) in
            result = text
        }
    }

    /// A text that must be one of the given words.
    package static func choice(
        _ name: String, short: Unicode.Scalar? = nil, _ usage: String, among words: [String], default value: String
    ) -> Flag<String> {
        Flag(
            name, short: short, type: "string", usage, default: value, defaultText: value.isEmpty ? nil : "\"\(value)\""
        ) { (result: inout String, text: String) throws(InvalidFlagValue) in
            guard words.contains(text) else {
                throw InvalidFlagValue("must be one of \(words.joined(separator: ", "))")
            }
            result = text
        }
    }
}

extension Flag where Value == [String] {
    /// Texts, one for each occurrence of the flag, in order.
    package static func list(
        _ name: String, short: Unicode.Scalar? = nil, type: String = "list", _ usage: String,
        default value: [String] = [],
        check: @escaping @Sendable (String) throws(InvalidFlagValue) -> Void = { (_: String) throws(InvalidFlagValue) in
        }
    ) -> Flag<[String]> {
        Flag(name, short: short, type: type, usage, default: value) {
            (result: inout [String], text: String) throws(InvalidFlagValue) in
            try check(text)
            result.append(text)
        }
    }
}

extension Flag {
    /// Parsed values, one for each occurrence of the flag, in order.
    package static func values<Element: Sendable>(
        _ name: String, short: Unicode.Scalar? = nil, type: String = "list", _ usage: String,
        parse: @escaping @Sendable (String) throws(InvalidFlagValue) -> Element
    ) -> Flag<[Element]> where Value == [Element] {
        Flag(name, short: short, type: type, usage, default: []) {
            (result: inout [Element], text: String) throws(InvalidFlagValue) in
            result.append(try parse(text))
        }
    }

    /// One parsed value, nil when the flag is not given.
    package static func optional<Wrapped: Sendable>(
        _ name: String, short: Unicode.Scalar? = nil, type: String, _ usage: String,
        parse: @escaping @Sendable (String) throws(InvalidFlagValue) -> Wrapped
    ) -> Flag<Wrapped?> where Value == Wrapped? {
        Flag(name, short: short, type: type, usage, default: nil) {
            (result: inout Wrapped?, text: String) throws(InvalidFlagValue) in
            result = try parse(text)
        }
    }
}

extension Flag where Value == Int {
    /// A signed 64-bit integer; `0x`, `0o`, `0b` and a leading `0` change the base.
    package static func integer(
        _ name: String, short: Unicode.Scalar? = nil, _ usage: String, default value: Int = 0
    ) -> Flag<Int> {
        Flag(
            name, short: short, type: "int", usage, default: value, defaultText: value == 0 ? nil : String(value)
        ) { (result: inout Int, text: String) throws(InvalidFlagValue) in
            result = Int(try FlagValue.integer(text))
        }
    }

    /// An unsigned integer of at most `bits` bits.
    package static func unsigned(
        _ name: String, short: Unicode.Scalar? = nil, bits: Int = 63, _ usage: String, default value: Int = 0
    ) -> Flag<Int> {
        Flag(
            name, short: short, type: bits == 63 ? "uint" : "uint\(bits)", usage, default: value,
            defaultText: value == 0 ? nil : String(value)
        ) { (result: inout Int, text: String) throws(InvalidFlagValue) in
            result = Int(try FlagValue.unsigned(text, bits: bits))
        }
    }

    /// Counts the occurrences of a flag without a value: `-vvv` is 3; `--verbose=5` sets the count.
    package static func count(_ name: String, short: Unicode.Scalar? = nil, _ usage: String) -> Flag<Int> {
        Flag(name, short: short, type: "count", usage, default: 0, bareValue: "+1") {
            (result: inout Int, text: String) throws(InvalidFlagValue) in
            result = text == "+1" ? result + 1 : Int(try FlagValue.integer(text))
        }
    }
}

extension Flag where Value == Int64 {
    /// A size in bytes with an optional binary unit (`512`, `64k`, `1.5g`, `2GiB`).
    ///
    /// - Parameter minusOne: whether the text `-1` is accepted too (“unlimited”).
    package static func bytes(
        _ name: String, short: Unicode.Scalar? = nil, _ usage: String, default value: Int64 = 0, minusOne: Bool = false
    ) -> Flag<Int64> {
        Flag(name, short: short, type: "bytes", usage, default: value) {
            (result: inout Int64, text: String) throws(InvalidFlagValue) in
            result = minusOne && text == "-1" ? -1 : try FlagValue.bytes(text)
        }
    }

    /// A duration in Go's notation (`1h30m`, `250ms`), in nanoseconds.
    package static func duration(
        _ name: String, short: Unicode.Scalar? = nil, _ usage: String, default value: Int64 = 0,
        defaultText: String = "0s"
    ) -> Flag<Int64> {
        Flag(name, short: short, type: "duration", usage, default: value, defaultText: defaultText) {
            (result: inout Int64, text: String) throws(InvalidFlagValue) in
            result = try FlagValue.duration(text)
        }
    }
}
