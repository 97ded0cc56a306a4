import Failure
import Text

/// Why something about volumes failed. Where Docker's clients know a text, it is Docker's.
package struct VolumesError: Failure, Hashable, Sendable {
    /// What a caller decides by.
    package let kind: FailureKind
    /// The text for the user.
    package let message: String

    /// An error that shows control characters of names instead of obeying them.
    package init(_ kind: FailureKind, _ message: String) {
        self.kind = kind
        self.message = message.showingControls()
    }

    static func invalid(_ message: String) -> VolumesError { VolumesError(.invalid, message) }
    static func system(_ message: String) -> VolumesError { VolumesError(.system, message) }

    static let noSuchVolume = VolumesError(.notFound, "no such volume")

    /// Of a name that another driver has a volume of.
    static func taken(_ name: String, by driver: String) -> VolumesError {
        VolumesError(.conflict, "driver '\(driver)' already has volume '\(name)': volume name must be unique")
    }

    static func inUse(_ users: [String]) -> VolumesError {
        VolumesError(.conflict, "volume is in use - [\(users.joined(separator: ", "))]")
    }

    /// The same with Docker's words for what was done with which volume in front.
    func during(_ operation: String, _ name: String) -> VolumesError {
        VolumesError(kind, name.isEmpty ? "\(operation): \(message)" : "\(operation) \(name): \(message)")
    }
}
