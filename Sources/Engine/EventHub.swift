import BlockingCalls
import Logging
import OCISpec
import Synchronization
import SystemPackage

/// Remembers the newest events, those of earlier daemons included, and passes new ones on to all listeners.
package final class EventHub: Sendable {
    private struct State {
        var past: [EngineEvent] = []
        var listeners: [Int: Listener] = [:]
        var nextListener = 0
    }

    private struct Listener {
        var filter: EventFilter
        var continuation: AsyncStream<EngineEvent>.Continuation
    }

    /// How many past events are kept for `since`: Docker's number.
    static let memory = 256
    /// How many events wait for a slow listener before its oldest are dropped.
    private static let backlog = 16384

    private let state: Mutex<State>
    private let writer: EventWriter?

    /// A hub that forgets with the process.
    package init() {
        state = Mutex(State())
        writer = nil
    }

    /// A hub that keeps its events in `file` and begins with those that it finds there. Blocks.
    ///
    /// - Parameter pool: has one thread, on which the file is written.
    package init(file: FilePath, pool: BlockingPool = BlockingPool(threads: 1, name: "events"), logger: Logger) {
        var journal = EventJournal(file, logger: logger)
        state = Mutex(State(past: journal.open()))
        writer = EventWriter(journal, pool: pool)
    }

    package var listenerCount: Int { state.withLock { $0.listeners.count } }

    /// Gives an event to all who listen, and keeps it for those who ask later. Does not wait for the file.
    package func publish(_ event: EngineEvent) {
        state.withLock { state in
            // Twice the memory before the older half goes, so that not every event moves all others.
            if state.past.count >= 2 * Self.memory { state.past.removeFirst(state.past.count - Self.memory) }
            state.past.append(event)
            // Here, so that the file has the same order.
            writer?.append(event)
            for listener in state.listeners.values where listener.filter.matches(event) {
                listener.continuation.yield(event)
            }
        }
    }

    /// Events that pass the filter: those kept since a time, then those to come. An end without a beginning asks for
    /// all that are kept, as with Docker.
    package func listen(filter: EventFilter, since: Timestamp?, until: Timestamp?) -> AsyncStream<EngineEvent> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: EngineEvent.self, bufferingPolicy: .bufferingNewest(Self.backlog))
        let now = Timestamp.now()
        let isOver = until.map { $0 <= now } ?? false
        let number: Int? = state.withLock { state in
            if since != nil || until != nil {
                let first = since ?? .zero
                for event in state.past.suffix(Self.memory) where event.time >= first && filter.matches(event) {
                    if let until, event.time > until { continue }
                    continuation.yield(event)
                }
            }
            if isOver { return nil }
            state.nextListener += 1
            state.listeners[state.nextListener] = Listener(filter: filter, continuation: continuation)
            return state.nextListener
        }
        guard let number else {
            continuation.finish()
            return stream
        }
        var timer: Task<Void, Never>?
        if let until {
            timer = Task {
                // A cancelled sleep means that the listener has gone: then there is nothing to end.
                try? await Task.sleep(for: .seconds(until.since(now)))
                continuation.finish()
            }
        }
        continuation.onTermination = { [weak self, timer] _ in
            timer?.cancel()
            self?.state.withLock { _ = $0.listeners.removeValue(forKey: number) }
        }
        return stream
    }

    /// Waits until all events of until now are in the file.
    package func settle() async { await writer?.settle() }

    /// Ends every listener's stream.
    package func close() {
        let listeners = state.withLock { state in
            defer { state.listeners = [:] }
            return Array(state.listeners.values)
        }
        for listener in listeners { listener.continuation.finish() }
    }
}
