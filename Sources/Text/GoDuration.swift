/// Durations in Go's notation: `300ms`, `-1.5h`, `2h45m`. The units are ns, us, µs, ms, s, m and h.
package enum GoDuration {
    /// Why a text is not a duration, in Go's words.
    package struct Invalid: Error, Equatable {
        /// `time: missing unit in duration "5"` and the like.
        package let reason: String

        /// An error with its reason.
        package init(reason: String) { self.reason = reason }
    }

    /// The duration in nanoseconds.
    ///
    /// - Throws: ``Invalid``, also for a duration that 64 bits cannot hold (292 years).
    package static func nanoseconds(_ text: String) throws(Invalid) -> Int64 {
        let quoted = "\"\(text)\""
        var rest = Substring(text)
        let isNegative = rest.hasPrefix("-")
        if isNegative || rest.hasPrefix("+") { rest.removeFirst() }
        if rest == "0" { return 0 }
        guard !rest.isEmpty else { throw Invalid(reason: "time: invalid duration \(quoted)") }

        var total = 0.0
        while !rest.isEmpty {
            let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            guard let value = Double(number) else { throw Invalid(reason: "time: invalid duration \(quoted)") }
            rest = rest.dropFirst(number.count)
            let unit = rest.prefix { !($0.isASCII && ($0.isNumber || $0 == ".")) }
            guard !unit.isEmpty else { throw Invalid(reason: "time: missing unit in duration \(quoted)") }
            rest = rest.dropFirst(unit.count)
            switch unit {
            case "ns": total += value
            case "us", "µs", "μs": total += value * 1e3
            case "ms": total += value * 1e6
            case "s": total += value * 1e9
            case "m": total += value * 6e10
            case "h": total += value * 3.6e12
            default: throw Invalid(reason: "time: unknown unit \"\(unit)\" in duration \(quoted)")
            }
        }
        guard total < 9_223_372_036_854_775_808 else { throw Invalid(reason: "time: invalid duration \(quoted)") }
        return Int64(isNegative ? -total : total)
    }

    /// A duration as Go prints it: `1m30s`, `500ms`, `0s`.
    package static func text(_ duration: Duration) -> String {
        let nanoseconds = duration.components.seconds * 1_000_000_000 + duration.components.attoseconds / 1_000_000_000
        if nanoseconds == 0 { return "0s" }
        let (sign, amount) = (nanoseconds < 0 ? "-" : "", nanoseconds.magnitude)
        for (unit, size) in [("ns", 1), ("µs", 1000), ("ms", 1_000_000)] as [(String, UInt64)]
        where amount < size * 1000 {
            return sign + decimal(amount, size) + unit
        }
        let (minutes, rest) = amount.quotientAndRemainder(dividingBy: 60_000_000_000)
        var text = decimal(rest, 1_000_000_000) + "s"
        if minutes > 0 { text = "\(minutes % 60)m" + text }
        if minutes >= 60 { text = "\(minutes / 60)h" + text }
        return sign + text
    }

    /// A number of units with as many digits after the point as it takes.
    private static func decimal(_ amount: UInt64, _ unit: UInt64) -> String {
        let (whole, rest) = amount.quotientAndRemainder(dividingBy: unit)
        if rest == 0 { return "\(whole)" }
        var digits = String(String(rest + unit).dropFirst())
        while digits.last == "0" { digits.removeLast() }
        return "\(whole).\(digits)"
    }
}
