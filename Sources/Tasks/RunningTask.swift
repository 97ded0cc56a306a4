import DNS
import Failure
import LinuxKernel
import Logging
import OCISpec
import PublishedPorts
import ShimProtocol
import Synchronization
import SystemPackage

/// A task that has been created or taken over: its shim on the other side of a connection. See `Tasks`.
package final class RunningTask: Sendable {
    private struct State {
        var pid: Int32
        var shimPID: Int32
        /// Whether a start is under way that nobody has been told of.
        var isStarting = false
        var isLetGo = false
        /// Follows the shim; its value is the end.
        var pump: Task<TaskExit?, Never>?
    }

    package let id: String
    /// What happens to it; see `TaskEvent`. For one consumer. Ends with the task, or when it is let go.
    package let events: AsyncStream<TaskEvent>
    let home: Tasks
    let client: ShimClient
    let cgroup: TaskCgroup?
    /// The runtime's program, if the shim executes one.
    let program: ShimConfiguration.Runtime?
    /// The ports of the host that its shim has bound at the launch; of a task that was taken over ask `currentPorts`.
    package let publishedPorts: [PublishedPort]
    let freezing = Freezing()
    /// Its execs that are being started.
    package let execStarts = ExecStarts()
    private let eventContinuation: AsyncStream<TaskEvent>.Continuation
    private let state: Mutex<State>

    init(
        _ id: String, of home: Tasks, client: ShimClient, pid: Int32, shimPID: Int32, cgroup: TaskCgroup?,
        program: ShimConfiguration.Runtime?, ports: [PublishedPort] = []
    ) {
        self.id = id
        self.home = home
        self.client = client
        self.cgroup = cgroup
        self.program = program
        publishedPorts = ports
        (events, eventContinuation) = AsyncStream.makeStream(of: TaskEvent.self)
        state = Mutex(State(pid: pid, shimPID: shimPID))
    }

    /// The first process, as the host numbers it; 0 as long as the shim has not said it.
    package var pid: Int32 { state.withLock { $0.pid } }

    /// The shim, which is its parent.
    package var shimPID: Int32 {
        let known = state.withLock { $0.shimPID }
        if known != 0 { return known }
        guard let (pid, handle) = client.process() else { return 0 }
        handle.close()
        state.withLock { $0.shimPID = pid }
        return pid
    }

    // MARK: Life

    /// Lets the program begin, and says when that was, by the shim's clock. After an error the task is gone, and its
    /// bundle with it.
    @discardableResult
    package func start() async throws -> Timestamp {
        state.withLock { $0.isStarting = true }
        let answer: ShimResponse
        do {
            answer = try await call(.start)
        } catch {
            await discard()
            throw error
        }
        tellStart()
        home.prepareForNext()
        if case .state(let state) = answer, let startedAt = state.startedAt { return startedAt }
        // An earlier shim does not say it unless it is asked. If its task has ended by now, the end says when it began.
        if case .state(let state)? = try? await call(.state), let startedAt = state.startedAt { return startedAt }
        return .now()
    }

    /// Tells of the start once, and before everything else: a short program may have ended before `start` has its
    /// answer.
    private func tellStart() {
        state.withLock { state in
            if state.isStarting { eventContinuation.yield(.started) }
            state.isStarting = false
        }
    }

    /// Suspends until the task has ended, and says how; `nil` if it was let go before.
    package func exit() async -> TaskExit? { await state.withLock { $0.pump }?.value }

    /// Ends it, by whatever means, and removes its bundle. Events may be missed.
    package func discard() async {
        do {
            try await signal(.kill, toAll: true)
        } catch {
            // It has ended, which is what is wanted, or its shim is killed now.
            home.logger.debug("killing a container that is not wanted: \(error)", metadata: ["container": "\(id)"])
        }
        await endByForce(after: home.configuration.patience.kill)
        letGo()
        await home.remove(id)
    }

    /// Waits for an end that is due. If it does not come within `patience` the shim is killed, and the task with it.
    package func endByForce(after patience: Duration) async {
        begin()
        let end = Task { await exit() }
        if await end.outcome(within: patience) != nil { return }
        client.killShim()
        // A process that the kernel does not let go, for want of a disk, cannot be waited for.
        _ = await end.outcome(within: patience)
    }

    /// Ends the connection; the task goes on by itself, until somebody takes it over.
    package func letGo() {
        state.withLock { $0.isLetGo = true }
        client.close()
        eventContinuation.finish()
    }

    // MARK: Requests

    /// Sends a signal to the first process, or to all.
    ///
    /// SIGKILL also works where the shim or the files of the task do not any more: a shim that does not carry it out in
    /// time is killed, and the task ends as lost.
    package func signal(_ signal: Signal, toAll: Bool = false, within limit: Duration? = nil) async throws {
        do {
            try await call(.kill(signal: signal, all: toAll), within: limit)
        } catch let error as TaskError where error.refusal == nil && error.kind == .unavailable && signal == .kill {
            client.killShim()
            return
        } catch let error as TaskError {
            // A runtime looks its containers up in the bundle. If that was deleted they still have a process.
            let isRefused = error.refusal != nil && (signal == .kill || program == nil)
            guard isRefused, sendDirectly(signal) else { throw error }
        }
        if signal == .kill { freezing.isOver() }
    }

    /// Sends a signal to the first process without the shim; false if it does not live, or may not be that process any
    /// more.
    private func sendDirectly(_ signal: Signal) -> Bool { sendDirectly(signal, to: pid) }

    /// The same for another process of which the shim is the parent.
    func sendDirectly(_ signal: Signal, to pid: Int32) -> Bool {
        // Either fails for a process that has ended.
        guard pid > 0, let process = try? PIDFD.open(pid) else { return false }
        defer { process.close() }
        // The pid may be another process's by now: one that is not the shim's child is not the task's.
        guard let parent = try? ProcessStatusFile.parent(of: pid), parent == shimPID else { return false }
        do throws(Errno) {
            try process.send(signal: signal.rawValue)
            return true
        } catch {
            return false
        }
    }

    /// Ends the standard input, whether a client is attached to it or not.
    package func closeInput(execID: String? = nil) async throws { try await call(.closeStdin(execID: execID)) }

    /// Changes limits; those that are not given stay.
    package func update(_ resources: LinuxResources) async throws { try await call(.update(resources: resources)) }

    /// Changes what the task's resolver answers, starts it, or with `nil` ends it.
    package func resolve(by resolver: ResolverConfiguration?) async throws { try await call(.resolve(by: resolver)) }

    /// The pids of all processes, as the host numbers them.
    package func processes() async throws -> [Int32] {
        guard case .processes(let pids) = try await call(.processes) else { throw nonsense("processes") }
        return pids
    }

    /// What the task has used, and what became of its log.
    package func statistics() async throws -> ShimStatistics {
        guard case .statistics(let statistics) = try await call(.statistics) else { throw nonsense("statistics") }
        return statistics
    }

    func nonsense(_ request: String) -> TaskError {
        .system("the shim of \(id) answered something else than it was asked (\(request))")
    }

    /// Asks the shim, within the time that it has for such a request.
    @discardableResult
    func call(_ request: ShimRequest, within limit: Duration? = nil) async throws -> ShimResponse {
        let usual = home.configuration.patience.limit(for: request, program: program)
        let limit = min(limit ?? usual, usual)
        do {
            return try await client.call(request, within: limit)
        } catch is ShimClient.Silence {
            throw TaskError.silent(id, request, limit)
        } catch let error as ShimError {
            throw TaskError(error)
        }
    }

    // MARK: Events

    /// Has events sent, and begins to follow them.
    func subscribe() async throws {
        try await call(.subscribe)
        begin()
    }

    /// What a shim says at the recovery.
    struct Found: Sendable {
        var state: ShimState
        var execs: [ShimExec]
    }

    /// The same at a recovery, without following them, however long it takes.
    func subscribeAgain() async throws -> Found {
        // Before the subscription, with which the shim forgets those that have ended.
        let execs = try await execs()
        guard case .state(let state) = try await client.call(.subscribe, within: nil) else {
            throw nonsense("subscribe")
        }
        return Found(state: state, execs: execs)
    }

    private func execs() async throws -> [ShimExec] {
        do {
            guard case .execs(let execs) = try await client.call(.execs, within: nil) else { throw nonsense("execs") }
            return execs
        } catch let error as ShimError where error.reason == .invalid {
            return []  // An earlier shim, which does not know this request.
        }
    }

    /// Follows the shim from now on, unless that is done already.
    func begin() {
        state.withLock { state in
            if state.pump == nil { state.pump = Task { await follow() } }
        }
    }

    /// Takes over what a shim has said at the recovery: it runs.
    func adopt(pid: Int32, startedAt: Timestamp, isFrozen: Bool, _ execs: [ShimExec], staysPaused: Bool) async
        -> TaskPresence
    {
        state.withLock { $0.pid = pid }
        let isPaused = await adoptFreezing(found: isFrozen, staysPaused: staysPaused)
        return TaskPresence(
            pid: pid, startedAt: startedAt, isPaused: isPaused, execs: execs.compactMap { TaskExec($0) })
    }

    /// Follows a shim that has not said anything yet.
    func begin(after answer: Task<Found, any Error>, staysPaused: Bool) {
        let pump = Task { () -> TaskExit? in
            // If there is none the connection has ended, which is noticed next.
            if let found = try? await answer.value {
                switch found.state {
                case .running(let pid, let startedAt, let isFrozen):
                    tell(
                        .answered(
                            await adopt(
                                pid: pid, startedAt: startedAt, isFrozen: isFrozen, found.execs,
                                staysPaused: staysPaused)))
                case .exited(let record):
                    return conclude(.exited(TaskExit(record, found.execs)))
                case .created:
                    client.post(.kill(signal: .kill, all: true))
                }
            }
            return await follow()
        }
        state.withLock { $0.pump = pump }
    }

    func tell(_ event: TaskEvent) { eventContinuation.yield(event) }

    private func follow() async -> TaskExit? {
        for await event in client.events {
            switch event {
            case .exited(let record):
                // What the shim could not clean up, because its files are gone.
                if record.warning != nil, let cgroup {
                    await home.pool.complete { [home, id] in home.removeCgroup(cgroup, of: id) }
                }
                return conclude(.exited(TaskExit(record)))
            case .execStarted(let id, let pid):
                if execStarts.hasBegun(id, pid: pid) {
                    tell(.execStarted(id: id, pid: pid))
                } else {
                    endAbandonedExec(id, pid: pid)
                }
            case .execExited(let id, let code, let at):
                if execStarts.hasEnded(id) { tell(.execExited(id: id, code: code, at: at)) }
            case .outOfMemory(let at): tell(.outOfMemory(at: at))
            case .detached(let execID): tell(.detached(execID: execID))
            }
        }
        if state.withLock({ $0.isLetGo }) { return nil }
        return conclude(await endWithoutShim())
    }

    private func conclude(_ event: TaskEvent) -> TaskExit? {
        client.close()
        let exit: TaskExit? =
            switch event {
            case .exited(let exit), .lost(let exit): exit
            default: nil
            }
        if exit?.startedAt != nil { tellStart() }
        tell(event)
        eventContinuation.finish()
        return exit
    }
}

extension Task {
    /// The value if there is one by then, else nil; the task goes on.
    fileprivate func settled(within limit: Duration) async -> Result<Success, Failure>? {
        let (results, continuation) = AsyncStream.makeStream(of: Result<Success, Failure>?.self)
        let waiting = Task<Void, Never> { continuation.yield(await result) }
        let timer = Task<Void, Never> {
            // Cancelled when the result has come.
            try? await Task<Never, Never>.sleep(for: limit)
            continuation.yield(nil)
        }
        defer {
            waiting.cancel()
            timer.cancel()
        }
        for await first in results { return first }
        return nil
    }
}

extension Task where Failure == any Error {
    /// The value if there is one by then, else nil; the task goes on.
    func value(within limit: Duration) async throws -> Success? { try await settled(within: limit)?.get() }
}

extension Task where Failure == Never {
    /// The value if there is one by then, else nil; the task goes on.
    func outcome(within limit: Duration) async -> Success? {
        switch await settled(within: limit) {
        case .success(let value)?: value
        case nil: nil
        }
    }
}
