import BlockingCalls
import Synchronization

/// A few network namespaces that are ready, as making one takes the kernel as long as all the rest of a container's
/// network.
final class NamespacePool: Sendable {
    private struct State {
        var ready: [PreparedNamespace] = []
        var isRefilling = false
    }

    private let state = Mutex(State())
    private let size: Int
    private let pool: BlockingPool

    /// Keeps `size` of them, made on the threads of `pool`.
    init(size: Int, pool: BlockingPool) {
        self.size = size
        self.pool = pool
    }

    /// One that nobody else has. The caller calls `refill` when it is done: before, the kernel would make the next one
    /// and the caller's interfaces by turns.
    func take() throws(NetworksError) -> PreparedNamespace {
        if let ready = state.withLock({ $0.ready.popLast() }) { return ready }
        return try PreparedNamespace.make()
    }

    /// Makes what lacks in the background, one after the other: whoever starts a container now comes first.
    func refill() {
        let isNeeded = state.withLock { state in
            if state.isRefilling || state.ready.count >= size { return false }
            state.isRefilling = true
            return true
        }
        if isNeeded { pool.submit { [self] in addOne() } }
    }

    private func addOne() {
        // What cannot be made now is made when it is needed, and then says why it cannot.
        let made = try? PreparedNamespace.make()
        let goesOn = state.withLock { state in
            if let made { state.ready.append(made) }
            state.isRefilling = made != nil && state.ready.count < size
            return state.isRefilling
        }
        if goesOn { pool.submit { [self] in addOne() } }
    }

    /// Lets go of all.
    func drain() {
        let ready = state.withLock { state in
            defer { state.ready = [] }
            return state.ready
        }
        _ = ready
    }
}
