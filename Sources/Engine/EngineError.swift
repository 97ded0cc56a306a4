/// What went wrong, in the one form every interface (Docker API, CRI) maps to its own status.
///
/// `kind` alone decides the HTTP status; `message` is the text the client shows. Where Docker's clients match on a text
/// ("No such container: …") the message is exactly that text.
package struct EngineError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The class of a failure.
    package enum Kind: String, Hashable, Sendable {
        /// The request is wrong (HTTP 400).
        case invalid
        /// The object does not exist (404).
        case notFound
        /// The request does not fit the object's present state (409).
        case conflict
        /// Credentials are missing or wrong (401).
        case unauthorized
        /// Not allowed whoever asks (403).
        case forbidden
        /// Cannot be done right now (503).
        case unavailable
        /// Not offered by this version (501).
        case notImplemented
        /// Nothing to do, the state is already as wanted (304).
        case notModified
        /// The machine failed: a system call, the disk, the runtime (500).
        case system
    }

    package var kind: Kind
    package var message: String

    package init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    package var description: String { message }
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
    static func paused(_ id: String) -> EngineError {
        .conflict("Container \(id) is paused, unpause the container before exec")
    }
    static func restarting(_ id: String) -> EngineError {
        .conflict("Container \(id) is restarting, wait until the container is running")
    }

    /// Any error as an `EngineError`; what is none yet becomes `system` with its own words.
    package init(_ error: any Error) {
        self = (error as? EngineError) ?? EngineError(.system, "\(error)")
    }
}
