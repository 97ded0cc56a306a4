import BlockingCalls
import Synchronization

/// Reads the numbers of all containers that somebody looks at, once a second, one after the other.
///
/// As long as nobody looks, nothing is read, and nothing wakes up.
final class StatisticsCollector: Sendable {
    private struct State {
        var sources: [String: StatisticsSource] = [:]
        var next = 0
        var rounds: Task<Void, Never>?
    }

    /// The pause between two readings: Docker's.
    private static let interval = Duration.seconds(1)

    private let pool = BlockingPool(threads: 1, name: "statistics")
    private let state = Mutex(State())

    /// The numbers of a container as of now.
    func statistics(of container: Container) async -> ContainerStatistics {
        let source = StatisticsSource(container)
        await source.renew()
        let statistics = try? await pool.run {  // It throws nothing.
            Self.moment().map { moment in
                var moment = moment
                return source.read(&moment)
            }
        }
        return (statistics ?? nil) ?? ContainerStatistics(id: container.id, name: container.current.name)
    }

    /// Tells the numbers of a container each second, until it is removed or the task is cancelled.
    func follow(
        _ container: Container, tell: @escaping @Sendable (ContainerStatistics) -> Void,
        flush: @escaping @Sendable () -> Void
    ) async {
        // Nothing ever comes but the end.
        let (ended, continuation) = AsyncStream.makeStream(of: Void.self)
        let listener = StatisticsSource.Listener(tell: tell, flush: flush, ended: continuation)
        let id = container.id
        let number = state.withLock { state in
            state.next += 1
            let source = state.sources[id] ?? StatisticsSource(container)
            state.sources[id] = source
            source.add(state.next, listener)
            if state.rounds == nil { state.rounds = Task { [weak self] in await self?.run() } }
            return state.next
        }
        // It may have been removed just before: nobody would end this.
        if container.services.registry.container(id) == nil { end(id) }
        for await _ in ended {}
        forget(number, of: id)
    }

    /// The container is gone: nobody gets anything more.
    func end(_ id: String) {
        state.withLock { $0.sources.removeValue(forKey: id) }?.end()
    }

    private func forget(_ number: Int, of id: String) {
        state.withLock { state in
            guard let source = state.sources[id], source.remove(number) else { return }
            state.sources[id] = nil
        }
    }

    private func run() async {
        let clock = ContinuousClock()
        var due = clock.now
        while let sources = nextRound() {
            for source in sources where source.isOutdated { await source.renew() }
            await withCheckedContinuation { continuation in
                pool.submit {
                    if var moment = Self.moment() {
                        for source in sources { source.tell(&moment) }
                        for source in sources { source.flush() }
                    }
                    continuation.resume()
                }
            }
            due = max(due + Self.interval, clock.now)
            // Nobody cancels this.
            try? await Task.sleep(until: due, tolerance: .milliseconds(20), clock: clock)
        }
    }

    /// Whom to look at; nil if there is nobody: then the next one who wants to know begins again.
    private func nextRound() -> [StatisticsSource]? {
        state.withLock { state in
            if state.sources.isEmpty {
                state.rounds = nil
                return nil
            }
            return Array(state.sources.values)
        }
    }

    private static func moment() -> StatisticsSource.Moment? {
        SystemProcessors.now().map {
            StatisticsSource.Moment(processors: $0, memory: UInt64(max(0, Machine.memory)))
        }
    }
}
