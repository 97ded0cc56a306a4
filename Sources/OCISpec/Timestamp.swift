import Glibc

/// A moment in UTC to the nanosecond, written as RFC 3339 (`2026-11-21T07:46:46.123456789Z`).
///
/// The image and runtime specifications, Docker's logs and its API all use this form.
package struct Timestamp: Hashable, Sendable {
    /// Whole seconds since 1970-01-01T00:00:00Z; before it, negative.
    package var seconds: Int64
    /// Nanoseconds after `seconds`, 0 to 999,999,999.
    package var nanoseconds: Int32

    /// The moment `seconds` and `nanoseconds` after 1970-01-01T00:00:00Z.
    package init(seconds: Int64, nanoseconds: Int32 = 0) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    /// Docker's "never": the zero time of the Go language, `0001-01-01T00:00:00Z`.
    package static let zero = Timestamp(seconds: -62_135_596_800)

    /// The present, by the real-time clock.
    package static func now() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(seconds: Int64(time.tv_sec), nanoseconds: Int32(time.tv_nsec))
    }

    /// Whether this is `zero`.
    package var isZero: Bool { self == .zero }

    /// Nanoseconds since 1970, saturating (Docker's `timeNano`).
    package var nanosecondsSinceEpoch: Int64 {
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        return product.addingReportingOverflow(Int64(nanoseconds)).partialValue
    }

    /// Seconds from `other` to this moment.
    package func since(_ other: Timestamp) -> Double {
        Double(seconds - other.seconds) + Double(nanoseconds - other.nanoseconds) / 1e9
    }
}

extension Timestamp: Comparable {
    package static func < (left: Timestamp, right: Timestamp) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }
}

extension Timestamp: CustomStringConvertible, LosslessStringConvertible {
    /// RFC 3339 in UTC, with as many digits after the second as it takes to be exact (none for a whole second).
    package var description: String { text(fixedFraction: false) }

    /// RFC 3339 in UTC with always nine digits after the second, as `docker logs --timestamps` prints it.
    package var fixedWidthDescription: String { text(fixedFraction: true) }

    private func text(fixedFraction: Bool) -> String {
        var days = seconds / 86400
        var second = seconds % 86400
        if second < 0 {
            second += 86400
            days -= 1
        }
        let (year, month, day) = Self.civil(fromDays: days)
        var text = Self.padded(year, 4) + "-" + Self.padded(Int64(month), 2) + "-" + Self.padded(Int64(day), 2)
        text += "T" + Self.padded(second / 3600, 2) + ":" + Self.padded(second / 60 % 60, 2)
        text += ":" + Self.padded(second % 60, 2)
        if fixedFraction {
            text += "." + Self.padded(Int64(nanoseconds), 9)
        } else if nanoseconds != 0 {
            var fraction = Self.padded(Int64(nanoseconds), 9)
            while fraction.last == "0" { fraction.removeLast() }
            text += "." + fraction
        }
        return text + "Z"
    }

    /// Reads RFC 3339 (any offset; a fraction of any length, digits past the ninth are dropped). `nil` for anything
    /// else.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        var position = 0
        func digits(_ count: Int) -> Int64? {
            guard position + count <= bytes.count else { return nil }
            var value: Int64 = 0
            for byte in bytes[position..<position + count] {
                guard (0x30...0x39).contains(byte) else { return nil }
                value = value * 10 + Int64(byte - 0x30)
            }
            position += count
            return value
        }
        func take(_ characters: String) -> UInt8? {
            guard position < bytes.count, characters.utf8.contains(bytes[position]) else { return nil }
            position += 1
            return bytes[position - 1]
        }
        guard let year = digits(4), take("-") != nil, let month = digits(2), take("-") != nil, let day = digits(2),
            take("Tt ") != nil, let hour = digits(2), take(":") != nil, let minute = digits(2), take(":") != nil,
            let second = digits(2), (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60,
            second <= 60
        else { return nil }
        var fraction: Int64 = 0
        if take(".") != nil {
            var scale: Int64 = 100_000_000
            let start = position
            while let digit = digits(1) {
                fraction += digit * scale
                scale /= 10
            }
            guard position > start else { return nil }
        }
        var offset: Int64 = 0
        guard let zone = take("Zz+-") else { return nil }
        if zone == UInt8(ascii: "+") || zone == UInt8(ascii: "-") {
            guard let hours = digits(2), take(":") != nil, let minutes = digits(2) else { return nil }
            offset = (hours * 60 + minutes) * 60 * (zone == UInt8(ascii: "-") ? -1 : 1)
        }
        guard position == bytes.count else { return nil }
        let days = Self.days(fromYear: year, month: Int(month), day: Int(day))
        self.init(
            seconds: days * 86400 + hour * 3600 + minute * 60 + second - offset, nanoseconds: Int32(fraction))
    }

    private static func padded(_ value: Int64, _ width: Int) -> String {
        let digits = String(value.magnitude)
        let zeros = String(repeating: "0", count: max(0, width - digits.utf8.count))
        return (value < 0 ? "-" : "") + zeros + digits
    }

    /// Days from 1970-01-01 in the proleptic Gregorian calendar; years begin in March so that the leap day comes last.
    private static func days(fromYear year: Int64, month: Int, day: Int) -> Int64 {
        let year = month <= 2 ? year - 1 : year
        let era = (year >= 0 ? year : year - 399) / 400
        let yearOfEra = year - era * 400
        let dayOfYear = Int64((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1)
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    private static func civil(fromDays days: Int64) -> (year: Int64, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = Int(dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
        let month = Int(shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9)
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}

extension Timestamp: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = Timestamp(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "\"\(text)\" is not a date and time as RFC 3339 writes it")
        }
        self = value
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
