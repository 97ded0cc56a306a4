import Failure

/// An error of the interface itself, before or beside the engine: the request makes no sense, or asks for what is not
/// there yet.
package struct APIError: Failure, Hashable {
    /// What decides the status of the response.
    package let kind: FailureKind
    /// The text for the user.
    package let message: String

    /// An error of a kind.
    package init(_ kind: FailureKind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    /// A request that makes no sense (400).
    package static func invalid(_ text: String) -> APIError { APIError(.invalid, text) }

    /// A request for what this version cannot do (501). `what` names it, such as "building images".
    package static func notImplemented(_ what: String) -> APIError {
        APIError(.notImplemented, "\(what) is not supported by this version of masud")
    }
}
