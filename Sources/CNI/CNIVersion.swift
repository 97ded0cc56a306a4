/// A version of the CNI specification.
package struct CNIVersion: Hashable, Sendable, Comparable {
    private let major: UInt16
    private let minor: UInt16
    private let patch: UInt16

    private init(_ major: UInt16, _ minor: UInt16, _ patch: UInt16) {
        self.major = major
        self.minor = minor
        self.patch = patch
    }

    /// Reads three numbers with dots between them; `nil` for anything else.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { part in part.utf8.first == 0x2B ? nil : UInt16(part) }
        guard parts.count == 3, numbers.count == 3 else { return nil }
        self.init(numbers[0], numbers[1], numbers[2])
    }

    /// What this module speaks, the oldest first. Those before 0.3.0 had no lists of plugins.
    package static let known = [
        CNIVersion(0, 3, 0), CNIVersion(0, 3, 1), CNIVersion(0, 4, 0), CNIVersion(1, 0, 0), CNIVersion(1, 1, 0),
    ]

    /// The newest that this module speaks.
    package static let newest = CNIVersion(1, 1, 0)

    /// Whether plugins know CHECK, and get the result of ADD for DEL.
    var hasCheck: Bool { self >= CNIVersion(0, 4, 0) }
    /// Whether plugins know STATUS and GC, and interfaces and routes have what 1.1 added.
    var hasStatus: Bool { self >= CNIVersion(1, 1, 0) }
    /// Whether each address of a result says whether it is IPv4 or IPv6, which 1.0 has dropped.
    var addressesHaveVersion: Bool { self < CNIVersion(1, 0, 0) }

    package static func < (left: CNIVersion, right: CNIVersion) -> Bool {
        (left.major, left.minor, left.patch) < (right.major, right.minor, right.patch)
    }
}

extension CNIVersion: CustomStringConvertible, Codable {
    package var description: String { "\(major).\(minor).\(patch)" }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let version = CNIVersion(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "this is no version of CNI")
        }
        self = version
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
