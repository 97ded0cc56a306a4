import Flags
import Glibc

/// Points in time as users give them (`--since`, `--until`).
package enum TimeText {
    /// Turns a duration before now (`10m`), an RFC 3339 time or part of one, or seconds since 1970 into
    /// `seconds.nanoseconds` for the API.
    ///
    /// - Parameter now: seconds since 1970.
    /// - Throws: ``CommandError`` in docker's words.
    package static func apiTimestamp(_ text: String, now: Double = HumanText.now()) throws(CommandError) -> String {
        if text.isEmpty { return "" }
        // As for docker, a bare `0` is a time, the beginning of 1970, not a duration.
        if text != "0", let nanoseconds = try? FlagValue.duration(text) {  // not a duration: another form is tried
            let time = Int64(now * 1e9) - nanoseconds
            return "\(time / 1_000_000_000).\(padded(time % 1_000_000_000))"
        }
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        if let seconds = Int64(parts[0]), parts.count == 1 || Int64(parts[1]) != nil {
            let fraction = parts.count == 2 ? String((parts[1] + "000000000").prefix(9)) : "000000000"
            return "\(seconds).\(fraction)"
        }
        guard let (seconds, nanoseconds) = parse(text) else {
            throw CommandError("failed to parse value as time or duration: \"\(text)\"")
        }
        return "\(seconds).\(padded(nanoseconds))"
    }

    /// An RFC 3339 time, which the API sends, as Go prints a time.
    package static func goString(_ text: String) -> String {
        guard let mark = text.firstIndex(of: "T") else { return text }
        let date = text[..<mark]
        let time = text[text.index(after: mark)...]
        if time.hasSuffix("Z") { return "\(date) \(time.dropLast()) +0000 UTC" }
        let zone = time.suffix(6).filter { $0 != ":" }
        return "\(date) \(time.dropLast(6)) \(zone) \(zone)"
    }

    /// `2026-11-21[THH[:MM[:SS[.fraction]]]][Z|±HH:MM]`; without a zone, this machine's.
    private static func parse(_ text: String) -> (seconds: Int64, nanoseconds: Int64)? {
        var rest = text[...]
        func number(_ digits: Int, after mark: Character? = nil) -> Int? {
            if let mark {
                guard rest.first == mark else { return nil }
                rest.removeFirst()
            }
            let word = rest.prefix(digits)
            guard word.count == digits, word.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
            rest = rest.dropFirst(digits)
            return Int(word)
        }
        guard let year = number(4), let month = number(2, after: "-"), let day = number(2, after: "-"),
            (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        var time = tm()
        time.tm_year = Int32(year - 1900)
        time.tm_mon = Int32(month - 1)
        time.tm_mday = Int32(day)
        time.tm_isdst = -1
        var nanoseconds: Int64 = 0
        if rest.first == "T" {
            guard let hour = number(2, after: "T") else { return nil }
            time.tm_hour = Int32(hour)
            if rest.first == ":" {
                guard let minute = number(2, after: ":") else { return nil }
                time.tm_min = Int32(minute)
            }
            if rest.first == ":" {
                guard let second = number(2, after: ":") else { return nil }
                time.tm_sec = Int32(second)
            }
            if rest.first == "." {
                let digits = rest.dropFirst().prefix { $0.isASCII && $0.isNumber }
                guard let fraction = Int64((digits + "000000000").prefix(9)) else { return nil }
                nanoseconds = fraction
                rest = rest.dropFirst(digits.count + 1)
            }
        }
        if rest.isEmpty { return (Int64(mktime(&time)), nanoseconds) }
        time.tm_isdst = 0
        if rest == "Z" { return (Int64(timegm(&time)), nanoseconds) }
        guard let sign = rest.first, sign == "+" || sign == "-" else { return nil }
        rest.removeFirst()
        guard let hours = number(2), let minutes = number(2, after: ":"), rest.isEmpty else { return nil }
        let offset = (hours * 60 + minutes) * 60 * (sign == "-" ? -1 : 1)
        return (Int64(timegm(&time)) - Int64(offset), nanoseconds)
    }

    private static func padded(_ nanoseconds: Int64) -> String {
        let digits = String(nanoseconds)
        return String(repeating: "0", count: max(0, 9 - digits.count)) + digits
    }
}
