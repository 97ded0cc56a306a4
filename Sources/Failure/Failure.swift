/// The class of a failure: what a caller decides by, and what a protocol in front of it turns into a status of its own.
///
/// There is one vocabulary for all modules. HTTP statuses are derived from it in one place (`HTTPServing`).
package enum FailureKind: String, Hashable, Sendable, Codable, CaseIterable {
    /// The request is wrong, whatever the state of things: a value out of range, a text that cannot be read.
    case invalid
    /// The object does not exist.
    case notFound
    /// The request does not fit the present state of the object: a name in use, a container that does not run.
    case conflict
    /// Credentials are missing or wrong.
    case unauthorized
    /// Not allowed, whatever the credentials.
    case forbidden
    /// Not possible at the moment: the other side cannot be reached, does not answer, or is about to end.
    case unavailable
    /// Not offered by this version.
    case notImplemented
    /// Something that is limited is used up: the disk, a pool of addresses, a quota.
    case exhausted
    /// The caller has given up, or somebody has ended the operation.
    case cancelled
    /// The machine failed: a system call, the disk, another program.
    case system
}

/// An error that says of which kind it is. Every module's own error type is one, so that the caller of several modules
/// decides by `kind` alone; what only one module's callers need to know (a status, a text of a registry) is the type's
/// own.
package protocol Failure: Error, CustomStringConvertible {
    /// What a caller decides by.
    var kind: FailureKind { get }
    /// What a person reads: what was asked, what failed, what to do. One line where possible, without a full stop.
    var message: String { get }
}

extension Failure {
    package var description: String { message }
}
