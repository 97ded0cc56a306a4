import Failure
import Text

/// Why something about network plugins failed.
package struct CNIError: Failure, Hashable, Sendable {
    /// What a caller decides by.
    package let kind: FailureKind
    /// The text for the user.
    package let message: String
    /// The number by which a plugin said what kind of failure it was: specification 1.1, section 2, "Errors"; `nil` if
    /// no plugin said one.
    package let code: Int64?

    /// An error that shows control characters of what plugins say instead of obeying them.
    package init(_ kind: FailureKind, _ message: String, code: Int64? = nil) {
        self.kind = kind
        self.message = message.showingControls()
        self.code = code
    }

    /// What several plugins, each asked whatever became of the others, have said.
    static func joined(_ errors: [CNIError]) -> CNIError? {
        guard let first = errors.first else { return nil }
        if errors.count == 1 { return first }
        return CNIError(first.kind, errors.map(\.message).joined(separator: "; "), code: first.code)
    }
}
