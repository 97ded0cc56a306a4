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

    /// A failure of the container `id` to do something. Where it ended a moment ago, that is said as of one that ended
    /// long ago.
    static func task(_ error: any Error, of id: String) -> EngineError {
        if let error = error as? TaskError, error.saysEnded { return .notRunning(id) }
        return EngineError(error)
    }
}
