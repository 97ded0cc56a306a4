import Synchronization

/// Lets one task at a time through, in the order they came: what a life cycle needs, because an actor lets other calls
/// in whenever one suspends.
package final class AsyncGate: Sendable {
    private struct Waiter {
        var number: UInt64
        var continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var isTaken = false
        var waiting: [Waiter] = []
        var next: UInt64 = 0
    }

    private let state = Mutex(State())

    /// Nobody is inside.
    package init() {}

    /// Suspends until all who came earlier have left.
    package func enter() async { _ = await wait(atMost: nil) }

    /// The same, but not for longer than `limit`; whether this is inside now.
    package func enter(within limit: Duration) async -> Bool { await wait(atMost: limit) }

    /// Lets the next one in.
    package func leave() {
        let next: Waiter? = state.withLock { state in
            if state.waiting.isEmpty {
                state.isTaken = false
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.continuation.resume(returning: true)
    }

    private func wait(atMost limit: Duration?) async -> Bool {
        var timer: Task<Void, any Error>?
        defer { timer?.cancel() }
        return await withCheckedContinuation { continuation in
            let number: UInt64? = state.withLock { state in
                guard state.isTaken else {
                    state.isTaken = true
                    return nil
                }
                state.next += 1
                state.waiting.append(Waiter(number: state.next, continuation: continuation))
                return state.next
            }
            guard let number else { return continuation.resume(returning: true) }
            // Only now: whose time is over has to be among those who wait.
            timer = limit.map { limit in
                Task { [weak self] in
                    try await Task.sleep(for: limit)
                    self?.giveUp(number)
                }
            }
        }
    }

    private func giveUp(_ number: UInt64) {
        let waiter: Waiter? = state.withLock { state in
            state.waiting.firstIndex { $0.number == number }.map { state.waiting.remove(at: $0) }
        }
        waiter?.continuation.resume(returning: false)
    }
}
