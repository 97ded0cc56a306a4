import Logging
import ShimProtocol
import Synchronization

/// Who wants a task to be frozen: its user, and pieces of work that hold it still. It is frozen as long as one of them
/// does.
final class Freezing: Sendable {
    struct State {
        /// Whether its user has paused it; `nil` as long as a recovery has not found out.
        var isPaused: Bool? = false
        /// The holds that have not ended, by their numbers.
        var holds: Set<UInt64> = []
        /// How many holds there have been.
        var holdCount: UInt64 = 0
        /// How many requests to freeze or thaw have not been answered in time: they may yet be carried out.
        var lateCount: UInt64 = 0
        /// Whether the outcome of late requests is being waited for.
        var isUncertain = false

        /// Whether somebody wants it to be frozen.
        var isWanted: Bool { isPaused == true || !holds.isEmpty }
    }

    let state = Mutex(State())
    /// Freezing and thawing, one at a time.
    let gate = AsyncGate()
}

/// A piece of work's hold on a task, from `RunningTask.hold` to `release`.
package struct TaskHold: Sendable {
    fileprivate let task: RunningTask
    fileprivate let number: UInt64

    /// Ends the hold. It is no error if the task has ended, or been thawed to be ended, meanwhile.
    package func release() async { await task.release(number) }
}

extension RunningTask {
    /// Whether its user has paused it.
    package var isPaused: Bool { freezing.state.withLock { $0.isPaused == true } }

    /// Whether it is held still by a piece of work.
    package var isHeld: Bool { freezing.state.withLock { !$0.holds.isEmpty } }

    /// Freezes it for its user, until `resume`.
    package func pause() async throws {
        await freezing.gate.enter()
        defer { freezing.gate.leave() }
        try await freeze()
        freezing.state.withLock { $0.isPaused = true }
    }

    /// Ends the pause of its user. As long as it is held it stays frozen all the same.
    package func resume() async throws {
        await freezing.gate.enter()
        defer { freezing.gate.leave() }
        if freezing.state.withLock({ $0.holds.isEmpty }) { try await request(frozen: false) }
        freezing.state.withLock { $0.isPaused = false }
    }

    /// Holds it still for a piece of work, until the hold is released. No pause of its user: nobody is shown it as one,
    /// and if this process dies the next one thaws it.
    package func hold() async throws -> TaskHold {
        await freezing.gate.enter()
        defer { freezing.gate.leave() }
        try await freeze()
        return freezing.state.withLock { state in
            state.holdCount += 1
            state.holds.insert(state.holdCount)
            return TaskHold(task: self, number: state.holdCount)
        }
    }

    fileprivate func release(_ hold: UInt64) async {
        await freezing.gate.enter()
        defer { freezing.gate.leave() }
        // Where a recovery is still to decide about a pause, it does so about the thawing.
        let isLast = freezing.state.withLock { state in
            state.holds.remove(hold) != nil && !state.isWanted && state.isPaused != nil
        }
        if isLast { await thawIfThere() }
    }

    /// Thaws the task, also if a user has paused it, so that it can take a signal; all holds are over.
    package func thaw() async {
        await freezing.gate.enter()
        defer { freezing.gate.leave() }
        let wasFrozen = freezing.state.withLock { state in
            defer { state.isOver() }
            // Nobody has found out about a pause yet: there may be one.
            return state.isWanted || state.isUncertain || state.isPaused == nil
        }
        if wasFrozen { await thawIfThere() }
    }

    // All below happens inside the gate.

    private func freeze() async throws {
        if freezing.state.withLock({ $0.isWanted && !$0.isUncertain }) { return }
        try await request(frozen: true)
    }

    private func thawIfThere() async {
        do {
            try await request(frozen: false)
        } catch {
            // It was killed while it was frozen; its end is told by itself.
            home.logger.debug("cannot thaw a container: \(error)", metadata: ["container": "\(id)"])
        }
    }

    /// Has the shim freeze or thaw it. No error if that is how it is already.
    private func request(frozen: Bool) async throws {
        do {
            try await send(frozen: frozen)
        } catch let error as TaskError where error.kind == .conflict {
            // A request of before has been carried out late, or somebody else was faster. With this answer there are
            // those to all earlier requests, so that the state is the one after them.
            guard let found = try await findFrozen() else { throw error }
            if found != frozen { try await send(frozen: frozen) }
        }
    }

    private func send(frozen: Bool) async throws {
        do {
            try await call(frozen ? .pause : .resume)
        } catch let error as TaskError where error.refusal == nil {
            settleLater()
            throw error
        }
    }

    /// Whether it is frozen, as the shim says; `nil` if it does not run.
    private func findFrozen() async throws -> Bool? {
        guard case .state(let state) = try await call(.state) else { throw nonsense("state") }
        if case .running(_, _, let isFrozen) = state { return isFrozen }
        return nil
    }

    // MARK: Requests that were not answered in time

    /// Finds out what has become of a request that was not answered in time, as soon as the shim answers again, and
    /// sees to it that the task is as it is wanted to be.
    private func settleLater() {
        let isFirst = freezing.state.withLock { state in
            state.lateCount += 1
            defer { state.isUncertain = true }
            return !state.isUncertain
        }
        guard isFirst else { return }
        Task {
            while freezing.state.withLock({ $0.isUncertain }) {
                let known = freezing.state.withLock { $0.lateCount }
                do {
                    // Answers come in the order of requests: behind this one the late ones are over. Outside the gate,
                    // because it may take for ever.
                    try await client.call(.state, within: nil)
                } catch {
                    return  // The connection has ended, and the task with it.
                }
                await freezing.gate.enter()
                if freezing.state.withLock({ $0.lateCount == known }), await settle() {
                    // What settling has asked may have come to nothing as well.
                    freezing.state.withLock { $0.isUncertain = $0.lateCount != known }
                }
                freezing.gate.leave()
            }
        }
    }

    /// Returns whether that could be found out.
    private func settle() async -> Bool {
        let found: Bool?
        do {
            found = try await findFrozen()
        } catch let error as TaskError where error.refusal == nil && error.kind == .unavailable {
            return false  // Again no answer in time.
        } catch {
            home.logger.debug("cannot ask whether a container is frozen: \(error)", metadata: ["container": "\(id)"])
            return true
        }
        let wish = freezing.state.withLock { $0 }
        // Else a recovery decides what is right.
        guard let isPaused = wish.isPaused else { return true }
        switch found {
        case true? where !wish.isWanted:
            // A pause that nobody waits for any more.
            await thawIfThere()
            // Should that not have helped, the user is shown the truth, and can do something about it.
            if (try? await findFrozen()) == true { tellPause(true) }  // Else there is nothing to be told.
        case false? where !wish.holds.isEmpty:
            // The pause has ended while a piece of work relied on it.
            if isPaused { tellPause(false) }
            do {
                try await request(frozen: true)
            } catch {
                home.logger.warning("cannot hold a container still: \(error)", metadata: ["container": "\(id)"])
            }
        case false? where isPaused:
            tellPause(false)
        case true?, false?, nil: break
        }
        return true
    }

    private func tellPause(_ isPaused: Bool) {
        freezing.state.withLock { $0.isPaused = isPaused }
        tell(.pauseChanged)
    }

    // MARK: Recovery

    /// Decides what becomes of a task that an earlier process may have left frozen. Returns whether its user's pause
    /// holds.
    func adoptFreezing(found: Bool, staysPaused: Bool) async -> Bool {
        await freezing.gate.enter()
        defer { freezing.gate.leave() }
        // Its user may have paused or resumed it before the shim answered, and that is what holds.
        if let isPaused = freezing.state.withLock({ $0.isPaused }) { return isPaused }
        // It may have been held meanwhile. What cannot be asked is as it was found.
        let found = (try? await findFrozen()) ?? found
        if found, !staysPaused, freezing.state.withLock({ $0.holds.isEmpty }) {
            do {
                try await request(frozen: false)
            } catch {
                home.logger.warning("cannot thaw a container: \(error)", metadata: ["container": "\(id)"])
                freezing.state.withLock { $0.isPaused = true }
                return true
            }
        }
        let isPaused = found && staysPaused
        freezing.state.withLock { $0.isPaused = isPaused }
        return isPaused
    }
}

extension Freezing {
    /// An earlier process may have frozen it; a recovery finds out.
    func isToBeFound() { state.withLock { $0.isPaused = nil } }

    /// SIGKILL has thawed it.
    func isOver() { state.withLock { $0.isOver() } }
}

extension Freezing.State {
    /// Nobody wants it to be frozen any more.
    fileprivate mutating func isOver() {
        isPaused = false
        holds = []
    }
}
