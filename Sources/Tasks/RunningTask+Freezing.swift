import Logging
import ShimProtocol
import Synchronization

/// Who wants a task to be frozen: its user, and pieces of work that hold it still. It is frozen as long as one of them
/// does.
final class Freezing: Sendable {
    struct State {
        var isPaused = false
        var holds = 0
    }

    let state = Mutex(State())
    /// Freezing and thawing, one at a time.
    let gate = AsyncGate()
}

extension RunningTask {
    /// Freezes it for its user, until `resume`.
    package func pause() async throws {
        await freezing.gate.enter()
        defer { freezing.gate.leave() }
        if freezing.state.withLock({ $0.holds }) == 0 { try await freeze() }
        freezing.state.withLock { $0.isPaused = true }
    }

    /// Ends the pause of its user. As long as it is held it stays frozen all the same.
    package func resume() async throws {
        await freezing.gate.enter()
        defer { freezing.gate.leave() }
        if freezing.state.withLock({ $0.holds }) == 0 { try await call(.resume) }
        freezing.state.withLock { $0.isPaused = false }
    }

    /// Holds it still for a piece of work, until `release`. No pause of its user: nobody is shown it as one, and if
    /// this process dies the next one thaws it.
    package func hold() async throws {
        await freezing.gate.enter()
        defer { freezing.gate.leave() }
        let isFrozen = freezing.state.withLock { $0.holds > 0 || $0.isPaused }
        if !isFrozen { try await freeze() }
        freezing.state.withLock { $0.holds += 1 }
    }

    /// Ends a hold. It is no error if the task has ended, or been thawed to be ended, meanwhile.
    package func release() async {
        await freezing.gate.enter()
        defer { freezing.gate.leave() }
        let isLast = freezing.state.withLock { state in
            guard state.holds > 0 else { return false }
            state.holds -= 1
            return state.holds == 0 && !state.isPaused
        }
        if isLast { await thawIfThere() }
    }

    /// Whether it is held still by a piece of work.
    package var isHeld: Bool { freezing.state.withLock { $0.holds > 0 } }

    /// Thaws the task, also if a user has paused it, so that it can take a signal; all holds are over.
    package func thaw() async {
        await freezing.gate.enter()
        defer { freezing.gate.leave() }
        let wasFrozen = freezing.state.withLock { state in
            defer { state = Freezing.State() }
            return state.holds > 0 || state.isPaused
        }
        if wasFrozen { await thawIfThere() }
    }

    private func freeze() async throws {
        do {
            try await call(.pause)
        } catch {
            // A shim that comes to itself later freezes the task, and is told at once that nobody wants that any more.
            // It answers with a conflict if it has not.
            if (error as? TaskError)?.refusal == nil { client.post(.resume) }
            throw error
        }
    }

    private func thawIfThere() async {
        do {
            try await call(.resume)
        } catch {
            // It was killed while it was frozen; its end is told by itself.
            home.logger.debug("cannot thaw a container: \(error)", metadata: ["container": "\(id)"])
        }
    }
}

extension Freezing {
    /// It has been found frozen.
    func isPausedByUser() { state.withLock { $0.isPaused = true } }

    /// SIGKILL has thawed it.
    func isOver() { state.withLock { $0 = State() } }
}
