import Glibc
import NIOHTTP1

/// `Retry-After` (RFC 9110, 10.2.3): seconds, or a date in one of HTTP's three forms (5.6.7).
package enum RetryAfter {
    /// How long to wait; `nil` where the answer does not say, or not in a way that can be read. A date is seen by the
    /// clock of the one who sent it, if it tells the time.
    package static func delay(in headers: HTTPHeaders, now: time_t = time(nil)) -> Duration? {
        guard let text = headers.first(name: "Retry-After") else { return nil }
        if let seconds = Int64(text) { return .seconds(max(0, min(seconds, 1 << 31))) }
        guard let date = seconds(text) else { return nil }
        let present = headers.first(name: "Date").flatMap(seconds) ?? now
        return .seconds(max(0, min(date - present, 1 << 31)))
    }

    private static let months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]

    /// `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` or `Sun Nov  6 08:49:37 1994` as seconds since
    /// 1970.
    static func seconds(_ text: String) -> time_t? {
        let words = text.split { $0 == " " || $0 == "," || $0 == "-" }.map { $0.lowercased() }
        let isOld = words.count == 5
        guard isOld || words.count == 6 && words[5] == "gmt" else { return nil }
        let (day, month, year, clock) =
            isOld ? (words[2], words[1], words[4], words[3]) : (words[1], words[2], words[3], words[4])
        let times = clock.split(separator: ":", omittingEmptySubsequences: false).map { Int32($0) }
        guard let number = months.firstIndex(of: month), let day = Int32(day), (1...31).contains(day),
            var year = Int32(year), (0...9999).contains(year), times.count == 3,
            let hour = times[0], let minute = times[1], let second = times[2],
            (0...23).contains(hour), (0...59).contains(minute), (0...60).contains(second)
        else { return nil }
        if year < 100 { year += year < 70 ? 2000 : 1900 }
        var parts = tm()
        (parts.tm_sec, parts.tm_min, parts.tm_hour) = (second, minute, hour)
        (parts.tm_mday, parts.tm_mon, parts.tm_year) = (day, Int32(number), year - 1900)
        return timegm(&parts)
    }
}
