import OCISpec

/// A process beside the main one, from `exec create` until it is forgotten.
struct Exec: Sendable {
    enum State: Sendable {
        case created
        /// Being started; the pid follows.
        case starting
        case running(pid: Int32)
        case exited(code: Int32, at: Timestamp)
    }

    let id: String
    let configuration: ExecConfiguration
    var state: State = .created {
        didSet {
            guard case .exited(let code, _) = state else { return }
            for waiter in waiters { waiter.yield(WaitResult(exitCode: code)) }
            endWaits()
        }
    }
    /// Those who want to know when it has ended.
    private var waiters: [AsyncStream<WaitResult>.Continuation] = []

    init(id: String, configuration: ExecConfiguration) {
        self.id = id
        self.configuration = configuration
    }

    /// How long an ended exec can still be inspected, in seconds: Docker's number.
    static let memory = 300.0

    var isRunning: Bool {
        switch state {
        case .starting, .running: true
        case .created, .exited: false
        }
    }

    /// Registers a wait for its end.
    mutating func wait() -> ContainerWait {
        let (stream, continuation) = AsyncStream.makeStream(of: WaitResult.self, bufferingPolicy: .bufferingOldest(1))
        if case .exited(let code, _) = state {
            continuation.yield(WaitResult(exitCode: code))
            continuation.finish()
        } else {
            waiters.append(continuation)
        }
        return ContainerWait(stream: stream)
    }

    /// Its client has detached: callers that wait for the end stop waiting.
    mutating func endWaits() {
        for waiter in waiters { waiter.finish() }
        waiters = []
    }

    func details(containerID: String) -> ExecDetails {
        var exitCode: Int32?
        var pid: Int32 = 0
        switch state {
        case .created, .starting: break
        case .running(let running): pid = running
        case .exited(let code, _): exitCode = code
        }
        return ExecDetails(
            id: id, containerID: containerID, isRunning: isRunning, exitCode: exitCode, pid: pid,
            configuration: configuration, user: configuration.user)
    }
}
