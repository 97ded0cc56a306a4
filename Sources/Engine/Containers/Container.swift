import GRDB
import LinuxKernel
import Logging
import OCISpec
import Synchronization
import SystemPackage
import Tasks
import Text

/// One container: its row, its task while it runs, and everybody who waits for something.
///
/// What changes its state passes the gate, one at a time; what only sends something to a living process does not. The
/// state others see (`current`) changes when the actor's does.
actor Container {
    nonisolated let id: String
    nonisolated let services: EngineServices
    nonisolated private let published: Mutex<ContainerRecord>
    nonisolated private let publishedNetwork = Mutex<NetworkPresence?>(nil)

    var record: ContainerRecord {
        didSet {
            let record = record
            published.withLock { $0 = record }
        }
    }
    /// What runs while a process lives.
    var task: RunningTask?
    /// What is being started, from its creation until it is `task`.
    var starting: RunningTask?
    /// Whether its shim has not answered this daemon yet.
    var isSilent = false
    /// An end that the daemon has found at its start, until what follows from it is done.
    var unseenEnd: TaskExit?
    let gate = AsyncGate()
    /// Held while its `/etc/hosts` is changed, by itself or on behalf of a container that it is linked to.
    let filesGate = AsyncGate()
    nonisolated let transfers = FileTransfers()

    /// Attached clients that wait for the next start.
    var pendingAttachments: [PendingAttachment] = []
    var stopWaiters: [Int: AsyncStream<WaitResult>.Continuation] = [:]
    var removalWaiters: [Int: AsyncStream<WaitResult>.Continuation] = [:]
    var nextWaiter = 0
    /// Readers of the log that follow the present run.
    var followers: [WeakLogChange] = []
    var execs: [String: Exec] = [:]

    /// The pause before the next start by the restart policy, and the task that waits for it.
    var restartDelay: Duration = .zero
    var restartTask: Task<Void, Never>?
    /// Checks the health while the container runs and is not paused; see `Container+Health`.
    var healthMonitor: Task<Void, Never>?
    /// How many restarts by hand wait for the end of the present run: an end that somebody asked for as a part of
    /// something else is not the one that `--rm` waits for.
    var restartsByHand = 0
    /// Whether a removal has begun.
    var isRemoving = false
    /// Whether nothing of it is left: nobody will answer those who wait.
    var isGone = false

    init(record: ContainerRecord, services: EngineServices) {
        id = record.id
        self.record = record
        self.services = services
        published = Mutex(record)
    }

    /// The container as of now, without waiting for anything.
    nonisolated var current: ContainerRecord { published.withLock { $0 } }

    /// What is asked of the container as of now, without a copy of its record, which is large: for looks at all.
    nonisolated func read<Value: Sendable>(_ body: (ContainerRecord) -> Value) -> Value {
        published.withLock { body($0) }
    }

    /// What it has of its networks while it runs; nil if it has none of its own.
    nonisolated var networkPresence: NetworkPresence? { publishedNetwork.withLock { $0 } }

    func setNetworkPresence(_ presence: NetworkPresence?) { publishedNetwork.withLock { $0 = presence } }

    /// The task's directory: there while the container runs.
    nonisolated var bundle: FilePath { services.tasks.bundle(of: id) }
    /// The container's own files and its log.
    nonisolated var files: FilePath { services.files.appending(id) }
    nonisolated var logPath: FilePath { files.appending(id + "-json.log") }
    /// Bound to /dev/shm when the memory is shared with other containers.
    nonisolated var sharedMemory: FilePath { services.sharedMemory.appending(id) }

    nonisolated var logger: Logger {
        var logger = services.logger
        logger[metadataKey: "container"] = "\(RandomIdentifier.short(id))"
        return logger
    }

    // MARK: Keeping

    /// Writes the state's part of the row.
    func save() async throws {
        let record = record
        do {
            try await services.database.write { try record.updateState(in: $0) }
        } catch {
            throw EngineError.system("cannot record the state of container \(id): \(error)")
        }
    }

    /// Like `save` where something has already happened that cannot be undone. The log is then all that can be told;
    /// memory stays right, and at the next start of the daemon the shim or its exit file is asked again.
    func saveOrLog() async {
        do { try await save() } catch { logger.error("\(error)") }
    }

    /// Takes a new name, which the caller has reserved; on an error the old one stays.
    func rename(to name: String) async throws {
        await gate.enter()
        defer { gate.leave() }
        if isRemoving { throw EngineError.noSuchContainer(id) }
        let old = record.name
        record.name = name
        do {
            try await save()
        } catch {
            record.name = old
            throw error
        }
        services.registry.release(name: old, of: id)
        do {
            try await services.networks.rename(id, to: name)
        } catch {
            // It has its name; the next start gives it to the networks, too.
            logger.error("others on the container's networks find it by its old name: \(error)")
        }
        emit("rename", ["oldName": "/" + old])
    }

    // MARK: Telling

    /// Publishes an event of this container.
    nonisolated func emit(_ action: String, _ attributes: [String: String] = [:]) {
        let record = current
        var all = record.configuration.labels
        all["image"] = record.configuration.image
        all["name"] = record.name
        all.merge(attributes) { _, new in new }
        services.events.publish(EngineEvent(kind: .container, action: action, actorID: id, attributes: all))
    }

    func wait(_ condition: WaitCondition) -> ContainerWait {
        let (stream, continuation) = AsyncStream.makeStream(of: WaitResult.self, bufferingPolicy: .bufferingOldest(1))
        let isMet = isGone || condition == .notRunning && !record.state.isRunning
        if isMet {
            continuation.yield(waitResult)
            continuation.finish()
            return ContainerWait(stream: stream)
        }
        nextWaiter += 1
        let number = nextWaiter
        if condition == .removed {
            removalWaiters[number] = continuation
        } else {
            stopWaiters[number] = continuation
        }
        continuation.onTermination = { [weak self] reason in
            guard case .cancelled = reason else { return }
            Task { [weak self] in await self?.forgetWaiter(number) }
        }
        return ContainerWait(stream: stream)
    }

    private func forgetWaiter(_ number: Int) {
        stopWaiters[number] = nil
        removalWaiters[number] = nil
    }

    private var waitResult: WaitResult {
        let error = record.state.error
        return WaitResult(exitCode: record.state.exitCode, error: error.isEmpty ? nil : error)
    }

    /// Answers those who wait for the end of the run.
    func notifyStopped() {
        answer(&stopWaiters)
        for follower in followers { follower.change?.end() }
        followers = []
    }

    /// Answers everybody: the container is gone.
    func notifyRemoved() {
        answer(&removalWaiters)
        answer(&stopWaiters)
    }

    private func answer(_ waiters: inout [Int: AsyncStream<WaitResult>.Continuation]) {
        let result = waitResult
        for waiter in waiters.values {
            waiter.yield(result)
            waiter.finish()
        }
        waiters = [:]
    }

    // MARK: Logs

    /// Opens the log; with `follow` until the end of the present run.
    func logs(_ options: LogOptions) async throws -> LogStream {
        let tty = record.configuration.tty
        guard record.configuration.host.log.isReadable else {
            throw EngineError.notImplemented("configured logging driver does not support reading")
        }
        var change: LogChange?
        if options.follow, record.state.isRunning {
            let new = LogChange()
            followers.removeAll { $0.change == nil }
            followers.append(WeakLogChange(change: new))
            change = new
        }
        let path = logPath
        let pool = services.pool
        let reader = try await pool.run { [change] in
            try LogReader(path: path, options: options, change: change, pool: pool)
        }
        return LogStream(tty: tty) { try await reader.next() }
    }

    /// Throws unless a process lives and can be worked with.
    func requireActive() throws(EngineError) {
        switch record.state {
        case .running(let running):
            // A process would only begin when the operation that holds the container frozen is done.
            if running.isPaused || task?.isHeld ?? false { throw .paused(id) }
        case .restarting: throw .restarting(id)
        default: throw .notRunning(id)
        }
    }

    /// The task of a running container.
    func requireTask() throws(EngineError) -> RunningTask {
        guard record.state.running != nil, let task else { throw .notRunning(id) }
        return task
    }
}

/// Does not keep a reader alive whose client has gone.
struct WeakLogChange {
    weak var change: LogChange?
}
