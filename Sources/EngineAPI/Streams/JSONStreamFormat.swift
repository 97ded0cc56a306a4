/// How JSON documents follow each other in a stream, by their media type.
package enum JSONStreamFormat: String, CaseIterable, Sendable {
    /// A document a line (jsonlines.org).
    case lines = "application/jsonl"
    /// The same by its older name.
    case newlineDelimited = "application/x-ndjson"
    /// A record separator before each document (RFC 7464).
    case sequence = "application/json-seq"
    /// Lines under the name that they had before API 1.52. Nobody can ask for it.
    case json = "application/json"

    /// What comes before each document.
    package var opening: [UInt8] { self == .sequence ? [0x1E] : [] }

    /// What the client likes best of those it names; as in Docker, `*/*` and `application/*` name none.
    ///
    /// - Parameters:
    ///   - fields: the `Accept` fields of the request (RFC 9110, 12.5.1).
    ///   - format: what a client gets that names none.
    package init(accepting fields: [String], otherwise format: JSONStreamFormat) {
        var best: (format: JSONStreamFormat, quality: Double)?
        let offers = fields.flatMap { $0.split(separator: ",") }.map(Self.offer)
        for candidate in Self.allCases where candidate != .json {
            for (name, quality) in offers where name == candidate.rawValue && quality > best?.quality ?? 0 {
                best = (candidate, quality)
            }
        }
        self = best?.format ?? format
    }

    /// A media type and how much it is liked, from 0 to 1.
    private static func offer(_ text: Substring) -> (name: String, quality: Double) {
        let parts = text.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
        let quality = parts.dropFirst().first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) } ?? 1
        return (parts.first ?? "", quality)
    }
}
