import Failure
import Text

/// Why an image operation failed. The texts are what Docker's clients expect.
package struct ImagesError: Failure, Hashable, Sendable {
    /// What kind of failure it is.
    package let kind: FailureKind
    /// The text for the user.
    package let message: String

    /// A failure of a kind, in words.
    package init(_ kind: FailureKind, _ message: String) {
        self.kind = kind
        self.message = message.showingControls()
    }

    static func noSuchImage(_ name: String) -> ImagesError { ImagesError(.notFound, "No such image: \(name)") }
}
