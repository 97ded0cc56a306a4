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

    /// How far it had come with a process, which callers of a runtime's program are told in front of the message.
    package enum Stage: String, Hashable, Sendable {
        /// There was none yet: what was asked for is wrong or cannot be done.
        case request
        /// The process was being made, and what belongs to it.
        case process
        /// The new process was on its way into the container.
        case initialization
        /// All was done but the execution of its program, which the kernel refused.
        case execution
    }

    /// What a caller decides by.
    package var kind: Kind
    /// What a person reads: what was tried, on what, and the kernel's words.
    package var message: String
    /// How far it had come.
    package var stage = Stage.request

    /// An error of kind `kind`.
    package init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    /// The same at `stage`, if it is not known to be of a later one.
    func at(_ stage: Stage) -> RuntimeError {
        guard self.stage == .request else { return self }
        var error = self
        error.stage = stage
        return error
    }
}

extension RuntimeError: CustomStringConvertible {
    package var description: String { message }
}
