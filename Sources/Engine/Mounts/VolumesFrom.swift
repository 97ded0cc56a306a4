/// A container whose mounts another one gets, too: `--volumes-from NAME[:ro|rw]`.
package struct VolumesFrom: Hashable, Sendable, Codable, CustomStringConvertible {
    /// As it was given.
    package let description: String
    /// The container's name or id.
    package let container: String
    /// Whether nothing can be written through the mounts.
    package let isReadOnly: Bool

    /// What is wrong with a text.
    package enum Refusal: Error, Hashable, Sendable {
        case empty
        case mode(String)
    }

    private static let modes: Set = ["ro", "rw", "z", "Z", "consistent", "cached", "delegated"]

    /// Reads `NAME[:MODE]`. Words about propagation and copying are refused: these are the other container's.
    package init(_ text: String) throws(Refusal) {
        if text.isEmpty { throw .empty }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let mode = parts.count > 1 ? parts[1] : ""
        let words = mode.isEmpty ? [] : mode.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard words.allSatisfy(Self.modes.contains), words.count(where: { $0.hasPrefix("r") }) < 2,
            words.count(where: { $0.lowercased() == "z" }) < 2, words.count(where: { $0.count > 2 }) < 2
        else { throw .mode(mode) }
        description = text
        container = parts[0]
        isReadOnly = words.contains("ro")
    }

    package init(from decoder: any Decoder) throws {
        try self.init(try decoder.singleValueContainer().decode(String.self))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
