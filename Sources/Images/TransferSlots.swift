import Synchronization

/// Lets so many transfers go on at once and the others wait, in the order they came.
package final class TransferSlots: Sendable {
    private struct State {
        var count: Int
        /// Below zero while more go on than there may be since the number was changed.
        var free: Int
        var waiting: [(ticket: UInt64, continuation: CheckedContinuation<Bool, Never>)] = []
        var nextTicket: UInt64 = 0
        var cancelled: Set<UInt64> = []
    }

    /// How many go on at once.
    package var count: Int { state.withLock { $0.count } }
    private let state: Mutex<State>

    /// Slots for `count` at once; at least one.
    package init(_ count: Int) {
        state = Mutex(State(count: max(1, count), free: max(1, count)))
    }

    /// Changes how many go on at once. What goes on already is not touched.
    package func resize(to count: Int) {
        let next = state.withLock { state in
            state.free += max(1, count) - state.count
            state.count = max(1, count)
            let ready = min(max(0, state.free), state.waiting.count)
            state.free -= ready
            defer { state.waiting.removeFirst(ready) }
            return state.waiting.prefix(ready).map(\.continuation)
        }
        for continuation in next { continuation.resume(returning: true) }
    }

    /// Runs `body` as soon as it is its turn.
    package func run<T: Sendable>(_ body: @Sendable () async throws -> T) async throws -> T {
        try await take()
        defer { give() }
        return try await body()
    }

    private func take() async throws {
        let ticket = state.withLock { state in
            state.nextTicket += 1
            return state.nextTicket
        }
        let taken = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let now: Bool? = state.withLock { state in
                    if state.cancelled.remove(ticket) != nil { return false }
                    if state.free > 0 {
                        state.free -= 1
                        return true
                    }
                    state.waiting.append((ticket, continuation))
                    return nil
                }
                if let now { continuation.resume(returning: now) }
            }
        } onCancel: {
            let waiter: CheckedContinuation<Bool, Never>? = state.withLock { state in
                guard let index = state.waiting.firstIndex(where: { $0.ticket == ticket }) else {
                    state.cancelled.insert(ticket)
                    return nil
                }
                return state.waiting.remove(at: index).continuation
            }
            waiter?.resume(returning: false)
        }
        _ = state.withLock { $0.cancelled.remove(ticket) }
        guard taken else { throw CancellationError() }
    }

    private func give() {
        let next: CheckedContinuation<Bool, Never>? = state.withLock { state in
            guard !state.waiting.isEmpty, state.free >= 0 else {
                state.free += 1
                return nil
            }
            return state.waiting.removeFirst().continuation
        }
        next?.resume(returning: true)
    }
}
