import Synchronization

/// The starts of execs that are under way, or were given up: should one of those begin after all, it is to be ended.
package final class ExecStarts: Sendable {
    private enum Start {
        /// Somebody waits for the answer; the pid, if it has begun.
        case awaited(pid: Int32?)
        /// Who asked for it has been told that it does not run.
        case abandoned
    }

    private let starts = Mutex<[String: Start]>([:])

    /// None is under way.
    package init() {}

    /// The start is about to be asked for.
    package func isAwaited(_ id: String) { starts.withLock { $0[id] = .awaited(pid: nil) } }

    /// The start has been answered.
    package func isAnswered(_ id: String) { starts.withLock { $0[id] = nil } }

    /// Nobody waits for the answer any more. Returns the pid if it has begun all the same.
    package func isAbandoned(_ id: String) -> Int32? {
        starts.withLock { starts in
            // The start was not even asked for.
            guard case .awaited(let pid)? = starts[id] else { return nil }
            starts[id] = .abandoned
            return pid
        }
    }

    /// How many are under way, or given up and not known to be over.
    package var count: Int { starts.withLock { $0.count } }

    /// The shim says that it has begun. Returns whether anybody wants it.
    package func hasBegun(_ id: String, pid: Int32) -> Bool {
        starts.withLock { starts in
            switch starts[id] {
            case .abandoned?: return false
            case .awaited?: starts[id] = .awaited(pid: pid)
            case nil: break
            }
            return true
        }
    }

    /// The shim says that it has ended. Returns whether anybody wants to know.
    package func hasEnded(_ id: String) -> Bool {
        starts.withLock { starts in
            guard case .abandoned? = starts[id] else { return true }
            starts[id] = nil
            return false
        }
    }
}
