/// Why the runtime could not do what it was asked.
package struct RuntimeError: Error, Hashable, Sendable {
    /// What went wrong, as far as a caller decides by it.
    package enum Kind: String, Hashable, Sendable, Codable {
        /// The program does not exist in the container (Docker and shells: exit status 127).
        case commandNotFound
        /// The program exists and cannot be executed (exit status 126).
        case notExecutable
        /// The configuration or an argument is wrong.
        case invalid
        /// There is no such container or process.
        case notFound
        /// The container is not in a state in which this can be done, or the id is taken.
        case conflict
        /// The kernel refused.
        case system
    }

    /// What a caller decides by.
    package var kind: Kind
    /// What a person reads: what was tried, on what, and the kernel's words.
    package var message: String

    /// An error of kind `kind`.
    package init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }
}

extension RuntimeError: CustomStringConvertible {
    package var description: String { message }
}
