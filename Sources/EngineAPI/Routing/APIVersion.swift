import BuildInformation

/// A version of the Docker Engine API, such as 1.51.
package struct APIVersion: Hashable, Comparable, Sendable, CustomStringConvertible {
    private let components: [Int]
    /// The version as it was written.
    package let description: String

    /// Reads digits separated by dots; `nil` for anything else.
    package init?(_ text: String) {
        var components: [Int] = []
        for component in text.split(separator: ".", omittingEmptySubsequences: false) {
            guard let number = Int(component), component.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
                return nil
            }
            components.append(number)
        }
        self.components = components
        description = text
    }

    private init(_ major: Int, _ minor: Int) {
        components = [major, minor]
        description = "\(major).\(minor)"
    }

    /// A version 1.x; for comparing: `version < .v(42)`.
    package static func v(_ minor: Int) -> APIVersion { APIVersion(1, minor) }

    /// The second number; 0 if there is only one. All versions spoken are 1.x.
    package var minor: Int { components.count > 1 ? components[1] : 0 }

    /// The newest version spoken; that of a request without a version in its path.
    package static let newest = APIVersion(MasuVersion.apiVersion) ?? .v(55)

    /// The oldest version answered.
    package static let oldest = APIVersion(MasuVersion.minimumAPIVersion) ?? .v(24)

    package static func == (left: APIVersion, right: APIVersion) -> Bool { !(left < right) && !(right < left) }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(components.reversed().drop { $0 == 0 }.reversed() as [Int])
    }

    package static func < (left: APIVersion, right: APIVersion) -> Bool {
        for index in 0..<max(left.components.count, right.components.count) {
            let first = index < left.components.count ? left.components[index] : 0
            let second = index < right.components.count ? right.components[index] : 0
            if first != second { return first < second }
        }
        return false
    }
}
