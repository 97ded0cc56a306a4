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
    /// Whether an ADD has failed whose DEL has failed as well: then something of the attachment may be there still, and
    /// DEL has to be asked for again.
    package private(set) var hasRemains = false

    /// An error that shows control characters of what plugins say instead of obeying them.
    package init(_ kind: FailureKind, _ message: String, code: Int64? = nil) {
        self.kind = kind
        self.message = message.showingControls()
        self.code = code
    }

    /// An ADD that has failed, and the DEL after it.
    static func remains(of addition: CNIError, _ deletion: CNIError) -> CNIError {
        var error = CNIError(
            addition.kind, "\(addition.message); what it had made may be there still: \(deletion.message)",
            code: addition.code)
        error.hasRemains = true
        return error
    }

    /// What several plugins, each asked whatever became of the others, have said.
    static func joined(_ errors: [CNIError]) -> CNIError? {
        guard let first = errors.first else { return nil }
        if errors.count == 1 { return first }
        return CNIError(first.kind, errors.map(\.message).joined(separator: "; "), code: first.code)
    }
}
