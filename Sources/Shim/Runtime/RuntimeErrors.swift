import ContainerRuntime
import ShimProtocol
import SystemPackage

extension ShimError {
    /// The runtime's error in the protocol's terms.
    init(_ error: RuntimeError) {
        let reason: Reason =
            switch error.kind {
            case .commandNotFound: .commandNotFound
            case .notExecutable: .notExecutable
            case .invalid: .invalid
            case .notFound: .notFound
            case .conflict: .conflict
            case .system: .system
            }
        self.init(reason, error.message)
    }

    /// What shells and Docker say a process exited with that could not be started for this reason.
    var exitCode: Int32 {
        switch reason {
        case .commandNotFound: 127
        default: 126
        }
    }
}

/// Runs a system call; its error says what was attempted.
func attempt<T>(_ what: @autoclosure () -> String, _ body: () throws(Errno) -> T) throws(ShimError) -> T {
    do throws(Errno) {
        return try body()
    } catch {
        throw ShimError(.system, "\(what()): \(error)")
    }
}
