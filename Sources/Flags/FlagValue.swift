import Text

/// Parsers for the texts of flags. Each is a pure function that accepts what Go's standard library and Docker's
/// `go-units` accept, and refuses with their words.
package enum FlagValue {
    /// `1`, `t`, `T`, `true`, `TRUE`, `True` and their opposites.
    package static func boolean(_ text: String) throws(InvalidFlagValue) -> Bool {
        guard let value = GoBoolean.parse(text) else { throw syntax("ParseBool", text) }
        return value
    }

    /// A signed 64-bit integer in the base that its prefix says.
    package static func integer(_ text: String) throws(InvalidFlagValue) -> Int64 {
        var digits = Substring(text)
        let isNegative = digits.hasPrefix("-")
        if isNegative || digits.hasPrefix("+") { digits.removeFirst() }
        let magnitude: UInt64
        switch parseMagnitude(digits) {
        case .value(let value): magnitude = value
        case .tooLarge: throw range("ParseInt", text)
        case .malformed: throw syntax("ParseInt", text)
        }
        if isNegative {
            guard magnitude <= UInt64(Int64.max) + 1 else { throw range("ParseInt", text) }
            return Int64(truncatingIfNeeded: 0 &- magnitude)
        }
        guard let value = Int64(exactly: magnitude) else { throw range("ParseInt", text) }
        return value
    }

    /// An unsigned integer of at most `bits` bits in the base that its prefix says.
    package static func unsigned(_ text: String, bits: Int = 64) throws(InvalidFlagValue) -> UInt64 {
        switch parseMagnitude(Substring(text)) {
        case .value(let value):
            guard bits >= 64 || value < (1 << UInt64(bits)) else { throw range("ParseUint", text) }
            return value
        case .tooLarge: throw range("ParseUint", text)
        case .malformed: throw syntax("ParseUint", text)
        }
    }

    /// A size with an optional unit, whose letters mean powers of 1024 (`k`, `m`, `g`, `t`, `p`, each also with `b`
    /// or `ib`).
    package static func bytes(_ text: String) throws(InvalidFlagValue) -> Int64 {
        let utf8 = Array(text.utf8)
        let isPartOfNumber = { (byte: UInt8) in
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: ".")
                || byte == UInt8(ascii: " ")
        }
        guard let last = utf8.lastIndex(where: isPartOfNumber) else {
            throw InvalidFlagValue("invalid size: '\(text)'")
        }
        let end = utf8[last] == UInt8(ascii: " ") ? last : last + 1
        let number = String(decoding: utf8[..<end], as: UTF8.self)
        let unit = String(decoding: utf8[(last + 1)...], as: UTF8.self).lowercased()
        guard let size = Double(number), size.isFinite else { throw syntax("ParseFloat", number) }
        guard size >= 0 else { throw InvalidFlagValue("invalid size: '\(text)'") }

        let multiplier: Double
        switch unit {
        case "", "b": multiplier = 1
        case "k", "kb", "kib": multiplier = 1024
        case "m", "mb", "mib": multiplier = 1_048_576
        case "g", "gb", "gib": multiplier = 1_073_741_824
        case "t", "tb", "tib": multiplier = 1_099_511_627_776
        case "p", "pb", "pib": multiplier = 1_125_899_906_842_624
        default: throw InvalidFlagValue("invalid suffix: '\(unit)'")
        }
        let product = size * multiplier
        guard product < 9_223_372_036_854_775_808 else { throw InvalidFlagValue("invalid size: '\(text)'") }
        return Int64(product)
    }

    /// A duration in Go's notation (see `GoDuration`), in nanoseconds.
    package static func duration(_ text: String) throws(InvalidFlagValue) -> Int64 {
        do throws(GoDuration.Invalid) {
            return try GoDuration.nanoseconds(text)
        } catch {
            throw InvalidFlagValue(error.reason)
        }
    }

    private enum Magnitude {
        case value(UInt64)
        case tooLarge
        case malformed
    }

    private static func parseMagnitude(_ text: Substring) -> Magnitude {
        var digits = text
        var radix = 10
        if digits.hasPrefix("0"), digits.count > 1 {
            switch digits.dropFirst().first {
            case "x", "X": (radix, digits) = (16, digits.dropFirst(2))
            case "o", "O": (radix, digits) = (8, digits.dropFirst(2))
            case "b", "B": (radix, digits) = (2, digits.dropFirst(2))
            default: (radix, digits) = (8, digits.dropFirst())
            }
        }
        guard !digits.isEmpty else { return .malformed }
        let isDigit = { (character: Character) in character.isASCII && (character.hexDigitValue ?? 16) < radix }
        guard digits.allSatisfy(isDigit) else { return .malformed }
        guard let value = UInt64(digits, radix: radix) else { return .tooLarge }
        return .value(value)
    }

    private static func syntax(_ function: String, _ text: String) -> InvalidFlagValue {
        InvalidFlagValue("strconv.\(function): parsing \"\(text)\": invalid syntax")
    }

    private static func range(_ function: String, _ text: String) -> InvalidFlagValue {
        InvalidFlagValue("strconv.\(function): parsing \"\(text)\": value out of range")
    }
}
