import Cgroups
import Glibc
import LinuxKernel
import OCISpec
import ShimProtocol
import SystemPackage

/// One container that a shim is the parent of: its streams, log, execs and exit record.
///
/// What it shares with others of the same process (the event loop, clients, the fate of the process) is the `Shim`'s.
final class SupervisedContainer {
    /// How long processes in the background may hold up the end of the one whose output they share, in milliseconds.
    static let grace: Int64 = 300

    let id: String
    let bundle: Bundle
    let runtime: any OCIRuntime
    let streams: ProcessStreams
    let log: ContainerLog?
    let spill: SpillBudget
    unowned let shim: Shim
    /// Whether the kernel ends all other processes with the first one.
    private let hasOwnPIDNamespace: Bool
    /// The container's root, held to the end of its processes. The kernel writes the whole file system below an overlay
    /// to disk when the last user lets it go; a process inside the container would do that within the container's
    /// limits, and could not be killed.
    private var root: FileDescriptor?
    /// Its ports on the host; `nil` without any.
    var ports: PublishedSockets?
    /// The resolver that it had, closed: its connection to the firewall takes the kernel long to close, and nobody is
    /// to wait for that before the end is told.
    private var closed: NameService?
    private var memoryWatch: (watch: OutOfMemoryWatch, handle: EventLoop.Watch)?
    private var knownKills: UInt64 = 0
    var phase: Phase
    /// Answers the container's questions for names, to the end of its processes: it keeps the network namespace alive.
    var resolver: NameService?
    var execs: [String: ExecProcess] = [:]
    /// Whether a checkpoint is being made, which freezes and thaws the processes itself.
    var isBeingSaved = false
    /// Answers that wait until it is known whether the container is frozen.
    var afterFreezing: [() -> Void] = []
    /// Streams of execs that are forgotten, with clients that have not got all their output.
    private var lingering: [ProcessStreams] = []

    /// What a launch has made.
    struct Parts {
        var bundle: Bundle
        var runtime: any OCIRuntime
        var streams: ProcessStreams
        var log: ContainerLog?
        var spill: SpillBudget
        var hasOwnPIDNamespace: Bool
        var pid: Int32
        var root: FileDescriptor?
        var ports: PublishedSockets?
        var resolver: NameService?
    }

    init(_ id: String, _ parts: Parts, in shim: Shim) {
        self.id = id
        self.shim = shim
        bundle = parts.bundle
        runtime = parts.runtime
        streams = parts.streams
        log = parts.log
        spill = parts.spill
        hasOwnPIDNamespace = parts.hasOwnPIDNamespace
        root = parts.root
        ports = parts.ports
        resolver = parts.resolver
        phase = .created(pid: parts.pid)
        watchMemory()
    }

    /// Whether somebody is attached, or has not got all output yet.
    var hasAttachedClients: Bool {
        streams.hasClients || execs.values.contains { $0.streams.hasClients } || lingering.contains { $0.hasClients }
    }

    /// Tells all who want to know; whether there is anybody.
    @discardableResult
    func tell(_ event: ShimEvent) -> Bool { shim.tell(event, of: self) }

    /// Gives memory back that is only needed when there is much to do.
    func release() {
        log?.release()
        ports?.release()
        lingering.removeAll { !$0.hasClients }
    }

    // MARK: Memory

    private func watchMemory() {
        // Without a memory controller nothing can be watched, and nothing is limited either.
        guard let cgroup = runtime.cgroup, let watch = try? OutOfMemoryWatch(cgroup) else { return }
        let handle = try? shim.loop.watch(watch.descriptor, .readable) { [unowned self] _ in
            watch.take()
            noteKills()
        }
        if let handle { memoryWatch = (watch, handle) } else { watch.close() }
    }

    private func endMemoryWatch() {
        guard let (watch, handle) = memoryWatch else { return }
        memoryWatch = nil
        shim.loop.unwatch(handle)
        watch.close()
    }

    /// Tells of processes that the kernel has killed since the last time.
    private func noteKills() {
        guard let cgroup = runtime.cgroup else { return }
        let kills = cgroup.outOfMemoryKills()
        if kills > knownKills { tell(.outOfMemory(at: .now())) }
        knownKills = max(knownKills, kills)
    }

    // MARK: Ends

    /// Is told of a child of the shim that has ended; whether it was one of this container's.
    func childEnded(_ pid: Int32, _ code: Int32) -> Bool {
        if pid == phase.pid {
            firstProcessEnded(code)
        } else if let exec = execs.values.first(where: { $0.pid == pid }) {
            ended(exec, code)
        } else {
            return runtime.childEnded(pid, code: code)
        }
        return true
    }

    func ended(_ exec: ExecProcess, _ code: Int32) {
        let time = Timestamp.now()
        exec.state = .draining(exitCode: code, at: time)
        exec.streams.drain(grace: Self.grace) { [weak self] in
            guard let self else { return }
            exec.streams.close()
            exec.state = .exited(exitCode: code, at: time)
            if tell(.execExited(execID: exec.id, exitCode: code, at: time)) { forget(exec) } else { boundEnds() }
            shim.scheduleTrim()
            concludeIfDrained()
        }
    }

    /// Nobody will ask for it again. Its clients get all output first.
    func forget(_ exec: ExecProcess) {
        execs[exec.id] = nil
        exec.streams.close()
        if exec.streams.hasClients { lingering.append(exec.streams) }
    }

    func firstProcessEnded(_ code: Int32) {
        noteKills()
        var record = ExitRecord(exitCode: code, exitedAt: .now(), oomKilled: knownKills > 0, pid: 0)
        switch phase {
        case .created(let pid):
            record.pid = pid
        case .starting(let pid, let time, _):
            // Short-lived: it has ended before the runtime has said that it began. That comes first.
            phase = .starting(pid: pid, at: time, ended: code)
            return
        case .running(let running):
            record.pid = running.pid
            record.startedAt = running.startedAt
        case .failed(let pid, let failure):
            record.pid = pid
            record.exitCode = failure.exitCode
        case .draining, .endingExecs, .recording, .removing, .exited:
            return
        }
        phase = .draining(record)
        if !hasOwnPIDNamespace {
            // Else the kernel has done this. What cannot be killed now, `delete` tries again.
            try? runtime.cgroup?.signalAll(SIGKILL)
        }
        streams.drain(grace: Self.grace) { [weak self] in
            guard let self, case .draining(let record) = phase else { return }
            phase = .endingExecs(record)
            concludeIfDrained()
        }
        // Execs have been killed too, and are about to be reaped. One that is not reaped by then is not waited for.
        shim.loop.schedule(milliseconds: Self.grace * 4) { [weak self] in self?.conclude() }
    }

    private func concludeIfDrained() {
        guard case .endingExecs = phase, !execs.values.contains(where: \.isActive) else { return }
        conclude()
    }

    private func conclude() {
        switch phase {
        case .draining(let record), .endingExecs(let record): phase = .recording(record)
        default: return
        }
        // Now, so that clients that are told of the end find it unmounted, and its ports free.
        root?.discard()
        root = nil
        ports?.close()
        shim.keep(ports?.takeFirewall())
        closed = resolver
        ports = nil
        endResolver()
        writeRecord()
    }

    /// Writes the end down.
    private func writeRecord() {
        guard case .recording(var record) = phase else { return }
        if !shim.hasSubscriber(of: self) {
            let untold = begunExecs
            record.execs = untold.isEmpty ? nil : untold
        }
        do throws(ShimError) {
            try bundle.write(record)
        } catch {
            // A full disk. An engine that listens writes the end down itself, and a container without its directory has
            // been removed. Otherwise the socket stays and answers those who ask, until the record is written.
            let isNeeded = !shim.hasSubscriber(of: self) && Files.exists(bundle.path)
            if isNeeded {
                shim.loop.schedule(milliseconds: 1000) { [weak self] in self?.writeRecord() }
                return
            }
        }
        remove(record)
    }

    /// Cleans up, and says that the container has ended.
    private func remove(_ end: ExitRecord) {
        phase = .removing(end)
        endMemoryWatch()
        // Hooks and whatever else is executed now must not be exempt from the kernel's choice of victims, as we are.
        shim.exemption.suspend()
        runtime.delete { [weak self] result in
            guard let self else { return }
            var record = end
            if case .failure(let error) = result { record.warning = error.message }
            phase = .exited(record)
            shim.ended(self, record)
        }
    }

    /// Gives up what is open. Clients are let go when they have all their output.
    func close() {
        streams.close()
        log?.close()
        for exec in execs.values { exec.streams.close() }
    }
}
