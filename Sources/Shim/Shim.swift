import CShim
import Cgroups
import Glibc
import LinuxKernel
import OCISpec
import ShimProtocol
import SystemPackage

/// The process behind one container: owns its streams, its log and its exit status, and serves requests.
///
/// It depends on nobody: with no engine connected, or ever again, the container runs on and its end is written down.
final class Shim {
    /// Where the container is in its life. `ending` is between the end of the first process and the moment when its output
    /// is drained and everything is cleaned up.
    enum Phase {
        case created(pid: Int32)
        case running(pid: Int32, startedAt: Timestamp, isPaused: Bool)
        case ending(ExitRecord)
        case exited(ExitRecord)
    }

    /// How long processes in the background may hold up the end of the one whose output they share, in milliseconds.
    static let grace: Int64 = 300
    /// How long a client that is connected and has not asked for the exit status is waited for, in milliseconds.
    private static let farewell: Int64 = 10_000

    let bundle: Bundle
    let configuration: ShimConfiguration
    let runtime: any OCIRuntime
    let loop: EventLoop
    let context: StreamContext
    let streams: ProcessStreams
    let log: JSONFileLog?
    /// Whether the kernel ends all other processes with the first one.
    private let hasOwnPIDNamespace: Bool
    /// The container's root, held to the end of its processes: to let go of an overlay makes the kernel write the whole file system
    /// below it to disk, and whoever does that inside the container does it within the container's limits, unkillable.
    private var root: FileDescriptor?

    var phase: Phase
    var execs: [String: ExecProcess] = [:]
    private var clients: [ControlClient] = []
    private var listener: FileDescriptor?
    private var listenerWatch: EventLoop.Watch?
    private var watch: OutOfMemoryWatch?
    private var knownKills: UInt64 = 0
    private var isDrained = false
    private var isFinishing = false
    private var isToldToEnd = false
    private var isFarewellOver = false
    private var isTrimScheduled = false
    /// Whether a `start` is under way.
    var isStarting = false
    /// What the first process exited with while it was.
    var heldEnd: Int32?
    /// Whether a `pause` or `resume` is under way.
    var isChanging = false
    /// The error of a `start` that failed.
    var startFailure: ShimError?
    /// The exit codes of processes that ended before an external runtime has said that they are execs.
    var orphans: [Int32: Int32] = [:]

    init(_ launched: LaunchedContainer) throws(Errno) {
        bundle = launched.bundle
        configuration = launched.configuration
        runtime = launched.runtime
        loop = launched.loop
        context = launched.context
        streams = launched.streams
        log = launched.log
        hasOwnPIDNamespace = launched.hasOwnPIDNamespace
        phase = .created(pid: launched.pid)
        root = launched.root
        listener = launched.listener
        let signals = try SignalSet([SIGCHLD]).makeDescriptor()
        _ = try loop.watch(signals, .readable) { [unowned self] _ in
            // What it says does not matter, nor does an error: all children are asked.
            while case .some(.some) = try? Signals.next(from: signals) {}
            reap()
        }
        listenerWatch = try loop.watch(launched.listener, .readable) { [unowned self] _ in accept() }
        context.onHeavyUse = { [unowned self] in scheduleTrim() }
        context.onClientGone = { [unowned self] in endIfPossibleSoon() }
        context.onDetach = { [unowned self] streams in tell(.detached(execID: streams.execID)) }
        watchMemory()
        scheduleTrim()
    }

    // MARK: Clients

    private func accept() {
        guard let listener else { return }
        // Out of descriptors or memory: the client's loss, and it can try again.
        while let socket = try? listener.acceptConnection(nonBlocking: true) {
            do throws(Errno) {
                clients.append(
                    try ControlClient(
                        socket, loop: loop, answer: { [unowned self] in answer($1, from: $0) },
                        onGone: { [unowned self] in forget($0) }))
            } catch {
                socket.discard()
            }
        }
    }

    private func forget(_ client: ControlClient) {
        clients.removeAll { $0 === client }
        endIfPossibleSoon()
    }

    /// Tells all who want to know.
    func tell(_ event: ShimEvent) {
        for client in clients where client.isSubscribed {
            client.send(event)
            if case .exited = event { client.knowsExit = true }
        }
    }

    /// Requests are rare, and leave garbage behind.
    func scheduleTrim() {
        guard !isTrimScheduled else { return }
        isTrimScheduled = true
        loop.schedule(milliseconds: 1000) { [unowned self] in
            isTrimScheduled = false
            context.release()
            log?.release()
            masu_malloc_trim()
        }
    }

    // MARK: Memory

    private func watchMemory() {
        // Without a memory controller nothing can be watched, and nothing is limited either.
        guard let cgroup = runtime.cgroup, let watch = try? OutOfMemoryWatch(cgroup) else { return }
        let handle = try? loop.watch(watch.descriptor, .readable) { [unowned self] _ in
            watch.take()
            noteKills()
        }
        if handle == nil { watch.close() } else { self.watch = watch }
    }

    /// Tells of processes that the kernel has killed since the last time.
    private func noteKills() {
        guard let cgroup = runtime.cgroup else { return }
        let kills = cgroup.outOfMemoryKills()
        if kills > knownKills { tell(.outOfMemory(at: .now())) }
        knownKills = max(knownKills, kills)
    }

    // MARK: Ends

    /// Takes note of all children that have ended: the container's first process, execs, and orphans, which the kernel
    /// gives to us as the nearest subreaper.
    private func reap() {
        while let (pid, status) = try? ProcessControl.wait(blocking: false) {
            switch phase {
            case .created(pid), .running(pid, _, _):
                firstProcessEnded(pid, status.code)
            default:
                if let exec = execs.values.first(where: { $0.pid == pid }) {
                    ended(exec, status.code)
                } else if !runtime.childEnded(pid, code: status.code), runtime.isBusy {
                    orphans[pid] = status.code
                }
            }
        }
        if !runtime.isBusy { orphans = [:] }
    }

    func ended(_ exec: ExecProcess, _ code: Int32) {
        let time = Timestamp.now()
        exec.state = .exited(exitCode: code, at: time)
        exec.streams.drain(grace: Self.grace) { [unowned self] in
            exec.streams.close()
            tell(.execExited(execID: exec.id, exitCode: code, at: time))
            scheduleTrim()
            concludeIfDrained()
        }
    }

    func firstProcessEnded(_ pid: Int32, _ code: Int32) {
        if isStarting {
            // Short-lived: it has ended before the runtime has said that it began. That comes first.
            heldEnd = code
            return
        }
        noteKills()
        var record = ExitRecord(exitCode: code, exitedAt: .now(), oomKilled: knownKills > 0, pid: pid)
        if case .running(_, let startedAt, _) = phase { record.startedAt = startedAt }
        if let startFailure { record.exitCode = startFailure.exitCode }
        phase = .ending(record)
        if !hasOwnPIDNamespace {
            // Else the kernel has done this. What cannot be killed now, `delete` tries again.
            try? runtime.cgroup?.signalAll(SIGKILL)
        }
        streams.drain(grace: Self.grace) { [unowned self] in
            isDrained = true
            concludeIfDrained()
        }
        // Execs have been killed too, and are about to be reaped; should one not be, it is not waited for.
        loop.schedule(milliseconds: Self.grace * 4) { [unowned self] in
            isDrained = true
            conclude()
        }
    }

    private func concludeIfDrained() {
        guard isDrained, !execs.values.contains(where: { $0.pid != nil }) else { return }
        conclude()
    }

    /// Writes the end down, cleans up, and says so.
    private func conclude() {
        guard case .ending(let record) = phase, !isFinishing else { return }
        // Now, so that whoever is told of the end finds it unmounted.
        root?.discard()
        root = nil
        do throws(ShimError) {
            try bundle.write(record)
        } catch {
            // A full disk. An engine that listens writes the end down itself; and with its directory the container has been removed.
            // Else whoever asks is told by the socket, which therefore stays.
            let isNeeded = !clients.contains(where: \.isSubscribed) && Files.exists(bundle.path)
            if !isNeeded { return finish(record) }
            return loop.schedule(milliseconds: 1000) { [unowned self] in conclude() }.ignore()
        }
        finish(record)
    }

    /// Cleans up, and says that the container has ended.
    private func finish(_ end: ExitRecord) {
        isFinishing = true
        // Hooks and whatever else is executed now must not be exempt from the kernel's choice of victims, as we are.
        if let score = runtime.scoreBefore { try? OutOfMemoryScore.set(score) }
        runtime.delete { [unowned self] result in
            var record = end
            if case .failure(let error) = result { record.warning = error.message }
            announce(record)
        }
    }

    /// Says that the container has ended, and ends the shim when everybody knows.
    private func announce(_ record: ExitRecord) {
        phase = .exited(record)
        // Those that have connected by now still get an answer; others find the file.
        accept()
        if let listenerWatch { loop.unwatch(listenerWatch) }
        listener?.discard()
        listener = nil
        bundle.removeSocket()
        streams.close()
        for exec in execs.values { exec.streams.close() }
        tell(.exited(record))
        loop.schedule(milliseconds: Self.farewell) { [unowned self] in
            isFarewellOver = true
            endIfPossible()
        }
        endIfPossible()
    }

    /// Ends the shim as soon as everybody has been told.
    func endIfPossible() {
        guard case .exited = phase else { return }
        let hasAttached = streams.hasClients || execs.values.contains { $0.streams.hasClients }
        if hasAttached { return }
        let waitsForClient = clients.contains { !$0.isFlushed || !($0.knowsExit || isFarewellOver) }
        if !waitsForClient || isToldToEnd { loop.stop() }
    }

    /// The same after the present event, in the middle of which there may be a loop over clients.
    func endIfPossibleSoon() {
        loop.schedule(milliseconds: 0) { [unowned self] in endIfPossible() }
    }

    /// Ends the shim as soon as all attached clients have their output.
    func endWhenAsked() {
        isToldToEnd = true
        endIfPossibleSoon()
    }
}

extension EventLoop.Timer {
    /// Says that the timer will not be cancelled.
    func ignore() {}
}
