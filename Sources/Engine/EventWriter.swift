import BlockingCalls
import Synchronization

/// Writes events into the journal on a thread of its own: a disk that does not answer holds up nobody who has something
/// to tell, and nobody who listens.
final class EventWriter: Sendable {
    private struct State {
        var waiting: [EngineEvent] = []
        var isWriting = false
    }

    private let state = Mutex(State())
    /// Used by the pool's thread alone.
    private let journal: Mutex<EventJournal>
    private let pool: BlockingPool

    /// A writer on the only thread of `pool`.
    init(_ journal: EventJournal, pool: BlockingPool) {
        self.journal = Mutex(journal)
        self.pool = pool
    }

    /// Adds an event after all others.
    func append(_ event: EngineEvent) {
        let begins = state.withLock { state in
            // More than the file keeps need not wait.
            if state.waiting.count >= EventJournal.lineLimit {
                state.waiting.removeFirst(state.waiting.count - EventJournal.kept.lines)
            }
            state.waiting.append(event)
            if state.isWriting { return false }
            state.isWriting = true
            return true
        }
        if begins { pool.submit { [self] in writeAll() } }
    }

    /// Waits until all events of until now are written.
    func settle() async {
        // It throws nothing, and comes after what has been submitted.
        try? await pool.run {}
    }

    private func writeAll() {
        while let events = next() {
            journal.withLock { journal in
                for event in events { journal.append(event) }
            }
        }
    }

    private func next() -> [EngineEvent]? {
        state.withLock { state in
            if state.waiting.isEmpty {
                state.isWriting = false
                return nil
            }
            defer { state.waiting = [] }
            return state.waiting
        }
    }
}
