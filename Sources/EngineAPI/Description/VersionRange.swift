/// Versions 1.x of the API.
package struct VersionRange: Hashable, Sendable {
    /// The first of them; `nil` for all from the oldest on.
    package let first: Int?
    /// The first that is not one of them any more; `nil` for all to the newest.
    package let end: Int?

    /// Every version.
    package static let all = VersionRange(first: nil, end: nil)
    /// No version.
    package static let none = VersionRange(first: nil, end: 0)

    /// That version 1.x and all after it.
    package static func from(_ minor: Int) -> VersionRange { VersionRange(first: minor, end: nil) }

    /// All versions before that version 1.x.
    package static func before(_ minor: Int) -> VersionRange { VersionRange(first: nil, end: minor) }

    /// That version 1.x alone.
    package static func only(_ minor: Int) -> VersionRange { VersionRange(first: minor, end: minor + 1) }

    /// Whether it is one of them.
    package func contains(_ version: APIVersion) -> Bool { contains(version.minor) }

    func contains(_ minor: Int) -> Bool { (first ?? 0) <= minor && minor < (end ?? .max) }

    /// In words, such as `since 1.44`; empty for every version.
    package var text: String {
        switch (first, end) {
        case (nil, nil): ""
        case (let first?, nil): "since 1.\(first)"
        case (nil, 0?): "never"
        case (nil, let end?): "until 1.\(end - 1)"
        case (let first?, let end?) where end == first + 1: "in 1.\(first)"
        case (let first?, let end?): "1.\(first) to 1.\(end - 1)"
        }
    }
}
