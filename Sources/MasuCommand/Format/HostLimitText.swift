import EngineAPIModel
import Text

/// The limits of a machine as `masu system check` prints them.
package enum HostLimitText {
    /// A table with a line for each limit, and one that sums up; for `onlyShort`, a line without a title for each that
    /// is short, and nothing else.
    package static func lines(_ report: HostLimitReport, onlyShort: Bool) -> [String] {
        let short = report.limits.filter(\.isShort)
        if onlyShort {
            return short.map {
                "\($0.name) is short for \(report.containers) containers: \(number($0.present)), needed \($0.need); "
                    + $0.remedy
            }
        }
        let rows = report.limits.map { limit in
            [
                limit.name, number(limit.present), String(limit.need),
                limit.present == nil ? "-" : limit.isShort ? "short" : "ok",
                limit.isShort ? limit.remedy : limit.purpose,
            ]
        }
        let title = ["LIMIT", "PRESENT", "NEED", "STATE", "RAISED BY, OR WHAT IT LIMITS"]
        return Columns.aligned([title] + rows, minimum: 0, gap: 3) + [
            "limits for \(report.containers) containers: "
                + (short.isEmpty ? "all are high enough" : "\(short.count) of \(report.limits.count) are short")
        ]
    }

    private static func number(_ value: Int64?) -> String {
        guard let value else { return "not shown" }
        return value < 0 ? "unlimited" : String(value)
    }
}
