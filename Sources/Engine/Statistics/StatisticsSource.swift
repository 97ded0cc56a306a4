import Cgroups
import LinuxKernel
import OCISpec
import Synchronization
import SystemPackage
import Tasks

/// One container whose numbers somebody wants, and those who want them.
final class StatisticsSource: Sendable {
    /// The run of a container that is looked at.
    private struct Run {
        var pid: Int32
        var startedAt: Timestamp
        /// nil: there is nothing to be read.
        var sampler: CgroupSampler?
        var interfaces: Set<String>
    }

    /// Somebody who wants the numbers; see `Engine.followStatistics`.
    struct Listener: Sendable {
        var tell: @Sendable (ContainerStatistics) -> Void
        var flush: @Sendable () -> Void
        /// Ends with the container.
        var ended: AsyncStream<Void>.Continuation
    }

    private struct State {
        var run: Run?
        var listeners: [Int: Listener] = [:]
    }

    /// What all sources need at a time.
    struct Moment {
        var processors: SystemProcessors
        var memory: UInt64
        var buffer = [UInt8](repeating: 0, count: 32 << 10)
    }

    let container: Container
    private let state = Mutex(State())

    init(_ container: Container) { self.container = container }

    // MARK: Listeners

    func add(_ number: Int, _ listener: Listener) { state.withLock { $0.listeners[number] = listener } }

    /// Whether there is nobody left.
    func remove(_ number: Int) -> Bool {
        state.withLock { state in
            state.listeners[number] = nil
            return state.listeners.isEmpty
        }
    }

    /// Gives everybody the numbers of now. Blocks for moments only.
    func tell(_ moment: inout Moment) {
        let statistics = read(&moment)
        for listener in state.withLock({ Array($0.listeners.values) }) { listener.tell(statistics) }
    }

    /// Everybody's numbers are told.
    func flush() {
        for listener in state.withLock({ Array($0.listeners.values) }) { listener.flush() }
    }

    /// The container is gone: that is the end for everybody.
    func end() {
        let listeners = state.withLock { state in
            defer { state.listeners = [:] }
            return Array(state.listeners.values)
        }
        for listener in listeners { listener.ended.finish() }
    }

    // MARK: Reading

    /// Whether another run of the container is looked at than the present one.
    var isOutdated: Bool {
        let running = container.read { $0.state.running }
        return state.withLock { state in
            state.run?.pid != running?.pid || state.run?.startedAt != running?.startedAt
        }
    }

    /// Looks at the present run from now on.
    func renew() async {
        let (task, interfaces) = (await container.task, await container.ownInterfaces)
        let running = container.current.state.running
        var sampler: CgroupSampler?
        if let task, running != nil {
            // If there is none the container has ended just now, which is shown as an end.
            sampler = try? await container.services.pool.run { try task.sampler() }
        }
        let run = running.map {
            Run(pid: $0.pid, startedAt: $0.startedAt, sampler: sampler, interfaces: Set(interfaces))
        }
        state.withLock { $0.run = run }
    }

    /// The numbers of now.
    func read(_ moment: inout Moment) -> ContainerStatistics {
        let (name, pid) = container.read { ($0.name, $0.state.running?.pid) }
        var statistics = ContainerStatistics(id: container.id, name: name)
        // Between two runs there are no numbers, as long as the daemon does not know of the next one.
        guard let run = state.withLock({ $0.run }), pid == run.pid,
            let usage = run.sampler?.sample(using: &moment.buffer)
        else { return statistics }
        let clock = SystemProcessors.clock()
        statistics.present = ContainerStatistics.Present(
            read: .now(), usage: usage, systemCPU: moment.processors.total(at: clock),
            onlineCPUs: moment.processors.online, machineMemory: moment.memory,
            networks: Self.counters(run))
        return statistics
    }

    private static func counters(_ run: Run) -> [InterfaceCounters] {
        // Kept open, the file would keep the network namespace, and with it all its interfaces, beyond its container.
        guard !run.interfaces.isEmpty, let text = try? Files.read(FilePath("/proc/\(run.pid)/net/dev")) else {
            return []  // It has ended just now.
        }
        return InterfaceCounters.parse(text, names: run.interfaces)
    }
}

extension Container {
    /// The interfaces in its network namespace that belong to networks: its own, or those of the container whose
    /// namespace it is in. None if that is the host's.
    var ownInterfaces: [String] {
        var container = self
        for _ in 0..<16 {
            guard case .container(let other) = container.current.configuration.host.networkMode,
                let next = services.registry.container(other)
            else { break }
            container = next
        }
        return container.networkPresence?.endpoints.map(\.interfaceName) ?? []
    }
}
