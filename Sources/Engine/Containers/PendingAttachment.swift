import LinuxKernel
import Synchronization
import SystemPackage

/// A client's place at a container's streams, taken before there is a process.
///
/// It is taken when the client attaches, not when the client's connection is ready to be glued: between the two the
/// container may be started, and its first output must not be missed.
final class PendingAttachment: Sendable {
    private enum State {
        case idle
        case waiting(CheckedContinuation<FileDescriptor?, any Error>)
        case resolved(Result<FileDescriptor?, any Error>)
        case over
    }

    let options: AttachOptions
    private let state = Mutex(State.idle)

    init(options: AttachOptions) {
        self.options = options
    }

    /// Whether nobody will take a stream any more.
    var isOver: Bool { state.withLock { if case .over = $0 { true } else { false } } }

    /// Gives the client its stream, nil if there will be none.
    func resolve(_ result: Result<FileDescriptor?, any Error>) {
        let waiter: CheckedContinuation<FileDescriptor?, any Error>? = state.withLock { state in
            switch state {
            case .idle: state = .resolved(result)
            case .waiting(let continuation):
                state = .over
                return continuation
            case .resolved, .over:
                if case .success(let descriptor?) = result { descriptor.discard() }
            }
            return nil
        }
        waiter?.resume(with: result)
    }

    /// The stream, owned by the caller, once it is there. Called once.
    func take() async throws -> FileDescriptor? {
        try await withCheckedThrowingContinuation { continuation in
            let result: Result<FileDescriptor?, any Error>? = state.withLock { state in
                switch state {
                case .idle:
                    state = .waiting(continuation)
                    return nil
                case .resolved(let result):
                    state = .over
                    return result
                case .waiting, .over: return .success(nil)
                }
            }
            if let result { continuation.resume(with: result) }
        }
    }

    /// The client has gone.
    func cancel() {
        let waiter: CheckedContinuation<FileDescriptor?, any Error>? = state.withLock { state in
            defer { state = .over }
            switch state {
            case .waiting(let continuation): return continuation
            case .resolved(.success(let descriptor?)):
                descriptor.discard()
                return nil
            case .idle, .resolved, .over: return nil
            }
        }
        waiter?.resume(returning: nil)
    }
}
