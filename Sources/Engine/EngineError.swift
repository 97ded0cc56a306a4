import Failure

/// What went wrong, in the one form every interface (Docker API, CRI) maps to its own status.
///
/// `message` is the text the client shows. Where Docker's clients match on a text
/// ("No such container: …") the message is exactly that text.
package struct EngineError: Failure, Hashable, Sendable {
    /// What kind of failure it is; it alone decides the status.
    package var kind: FailureKind
    /// For people; where clients match on it, Docker's words.
    package var message: String

    /// A failure of a kind, in words.
    package init(_ kind: FailureKind, _ message: String) {
        self.kind = kind
        self.message = message
    }
}

extension EngineError {
    static func invalid(_ message: String) -> EngineError { EngineError(.invalid, message) }
    static func conflict(_ message: String) -> EngineError { EngineError(.conflict, message) }
    static func system(_ message: String) -> EngineError { EngineError(.system, message) }
    static func notImplemented(_ message: String) -> EngineError { EngineError(.notImplemented, message) }

    /// Docker's text for an unknown container (clients match on it).
    package static func noSuchContainer(_ name: String) -> EngineError {
        EngineError(.notFound, "No such container: \(name)")
    }

    /// Docker's text for an unknown exec.
    package static func noSuchExec(_ id: String) -> EngineError {
        EngineError(.notFound, "No such exec instance: \(id)")
    }

    static func notRunning(_ id: String) -> EngineError { .conflict("container \(id) is not running") }
    static func execNotRunning(_ id: String) -> EngineError { .conflict("exec command \(id) is not running") }
    static func paused(_ id: String) -> EngineError {
        .conflict("Container \(id) is paused, unpause the container before exec")
    }
    static func restarting(_ id: String) -> EngineError {
        .conflict("Container \(id) is restarting, wait until the container is running")
    }

    /// Any error as an `EngineError`: a failure of a lower module keeps its kind, anything else is one of the system.
    /// The words are the error's own.
    package init(_ error: any Error) {
        switch error {
        case let error as EngineError: self = error
        case let error as any Failure: self.init(error.kind, error.message)
        default: self.init(.system, "\(error)")
        }
    }
}
