import OCISpec
import Text

/// The filters of `docker images --filter`, parsed once.
package struct ImageFilters: Hashable, Sendable {
    /// `true`: only untagged images; `false`: only tagged ones.
    package var dangling: Bool?
    /// Patterns as path.Match has them, on `name` or `name:tag`, in the short or the full form
    /// (`docker.io/library/name`).
    package var references: [String] = []
    /// Names or ids of images; only older ones are listed.
    package var before: [String] = []
    /// Names or ids of images; only newer ones are listed.
    package var since: [String] = []
    /// `key` or `key=value`.
    package var labels: [String] = []
    /// Only images made before this time are listed.
    package var until: Timestamp?

    /// No filter.
    package init() {}

    /// Reads the API's `filters` parameter, already decoded: name → values.
    package init(_ filters: [String: [String]]) throws(ImagesError) {
        for (name, values) in filters.sorted(by: { $0.key < $1.key }) {
            switch name {
            case "dangling":
                for value in values {
                    guard let flag = GoBoolean.parse(value) else { throw Self.invalid(name, value) }
                    if let known = dangling, known != flag { throw Self.invalid(name, value) }
                    dangling = flag
                }
            case "reference": references = values
            case "before": before = values
            case "since": since = values
            case "label": labels = values
            case "until":
                // Of several the latest counts.
                for value in values {
                    guard let moment = Self.moment(value) else { throw Self.invalid(name, value) }
                    until = max(until ?? moment, moment)
                }
            default: throw ImagesError(.invalid, "invalid filter '\(name)'")
            }
        }
    }

    private static func invalid(_ name: String, _ value: String) -> ImagesError {
        ImagesError(.invalid, "invalid filter '\(name)=[\(value)]'")
    }

    /// RFC 3339, seconds since 1970, or a time ago (`24h`, `1h30m`).
    private static func moment(_ value: String) -> Timestamp? {
        if let timestamp = Timestamp(value) { return timestamp }
        let parts = value.split(separator: ".", omittingEmptySubsequences: false)
        if parts.count <= 2, let seconds = Int64(parts[0]) { return Timestamp(seconds: seconds) }
        // No duration either: then it is no point in time at all.
        guard let ago = try? GoDuration.nanoseconds(value) else { return nil }
        let now = Timestamp.now()
        return Timestamp(seconds: now.seconds - ago / 1_000_000_000, nanoseconds: now.nanoseconds)
    }
}
