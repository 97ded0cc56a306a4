import Glibc

/// Sizes and ids as people read them, rounded as docker rounds.
package enum HumanText {
    /// A size in decimal units with three digits: `1.98MB`.
    package static func size(_ bytes: Double, digits: Int = 3) -> String {
        scaled(bytes, 1000, ["B", "kB", "MB", "GB", "TB", "PB", "EB"], digits)
    }

    /// A size in binary units with four digits: `23.54GiB`.
    package static func binarySize(_ bytes: Double) -> String {
        scaled(bytes, 1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"], 4)
    }

    private static func scaled(_ bytes: Double, _ base: Double, _ units: [String], _ digits: Int) -> String {
        var value = bytes
        var index = 0
        while value >= base, index < units.count - 1 {
            value /= base
            index += 1
        }
        return significant(value, digits: digits) + units[index]
    }

    /// A host's address and a port in one: an IPv6 address is in brackets.
    static func joined(host: String, port: String) -> String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// C's `%.*g`.
    static func significant(_ value: Double, digits: Int) -> String {
        printed("%.\(digits)g", value)
    }

    /// C's `%.*f`.
    static func fixed(_ value: Double, digits: Int) -> String {
        printed("%.\(digits)f", value)
    }

    private static func printed(_ format: String, _ value: Double) -> String {
        withVaList([value]) { list in
            var buffer = [CChar](repeating: 0, count: 400)
            let count = vsnprintf(&buffer, buffer.count, format, list)
            return String(decoding: buffer.prefix(Int(max(0, count))).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }

    /// The seconds since 1970.
    static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Cuts a text to a width, ending in an ellipsis if there is room for one.
    static func ellipsis(_ text: String, _ width: Int) -> String {
        guard text.count > width else { return text }
        return width < 1 ? "" : String(text.prefix(width - 1)) + "…"
    }

    /// The first twelve digits of an id.
    static func shortID(_ id: String) -> String {
        String((id.removing(prefix: "sha256:") ?? id).prefix(12))
    }
}

/// Points in time in this machine's time zone.
package enum LocalTime {
    /// `2026-11-21 08:17:34 +0000 UTC`, as Go prints a time.
    package static func goString(_ seconds: Int64) -> String {
        let parts = broken(seconds)
        let name = parts.tm_zone.map { String(cString: $0) } ?? "UTC"
        return "\(date(parts)) \(clock(parts)) \(offset(parts, colon: false)) \(name)"
    }

    /// RFC 3339 with nine digits of nanoseconds.
    package static func precise(_ nanoseconds: Int64) -> String {
        let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        let parts = broken(seconds)
        let digits = String(rest)
        let fraction = String(repeating: "0", count: 9 - digits.count) + digits
        return "\(date(parts))T\(clock(parts)).\(fraction)\(zone(parts))"
    }

    /// RFC 3339 to the second.
    package static func rfc3339(_ seconds: Int64) -> String {
        let parts = broken(seconds)
        return "\(date(parts))T\(clock(parts))\(zone(parts))"
    }

    private static func broken(_ seconds: Int64) -> tm {
        var time = time_t(seconds)
        var parts = tm()
        localtime_r(&time, &parts)
        return parts
    }

    private static func date(_ parts: tm) -> String {
        "\(padded(Int(parts.tm_year) + 1900, 4))-\(padded(Int(parts.tm_mon) + 1))-\(padded(Int(parts.tm_mday)))"
    }

    private static func clock(_ parts: tm) -> String {
        "\(padded(Int(parts.tm_hour))):\(padded(Int(parts.tm_min))):\(padded(Int(parts.tm_sec)))"
    }

    private static func zone(_ parts: tm) -> String {
        parts.tm_gmtoff == 0 ? "Z" : offset(parts, colon: true)
    }

    private static func offset(_ parts: tm, colon: Bool) -> String {
        let minutes = abs(Int(parts.tm_gmtoff)) / 60
        return (parts.tm_gmtoff < 0 ? "-" : "+") + padded(minutes / 60) + (colon ? ":" : "") + padded(minutes % 60)
    }

    private static func padded(_ number: Int, _ width: Int = 2) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
