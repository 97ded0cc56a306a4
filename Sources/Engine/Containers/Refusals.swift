import ShimProtocol
import Tasks

extension EngineError {
    /// A refusal to start a container, in the words from which `docker` makes exit codes 126 and 127.
    static func start(_ error: TaskError) -> EngineError {
        guard let refusal = error.refusal else { return EngineError(error) }
        return start(refusal)
    }

    private static func start(_ error: ShimError) -> EngineError {
        if let operation = error.operation { return external(error, operation) }
        return switch error.reason {
        case .commandNotFound, .notExecutable, .invalid:
            .invalid("OCI runtime create failed: unable to start container process: \(error.message)")
        default: .system("OCI runtime create failed: \(error.message)")
        }
    }

    /// The words of an external runtime, with Docker's in front of them.
    private static func external(_ error: ShimError, _ operation: String) -> EngineError {
        let text = "OCI runtime \(operation) failed: \(error.message)"
        switch error.reason {
        case .commandNotFound, .notExecutable, .invalid: return .invalid(text)
        default: return .system(text)
        }
    }

    /// The same for an exec.
    static func exec(_ error: ShimError) -> EngineError {
        if let operation = error.operation { return external(error, operation) }
        let text = "OCI runtime exec failed: exec failed: unable to start container process: \(error.message)"
        switch error.reason {
        case .commandNotFound, .notExecutable, .invalid: return .invalid(text)
        default: return .system(text)
        }
    }

    /// A failure of a living container to do something.
    static func task(_ error: any Error) -> EngineError {
        // That its shim has just gone away is nothing a client could wait for.
        if let error = error as? TaskError, error.refusal?.reason == .unavailable { return .system(error.message) }
        return EngineError(error)
    }
}
