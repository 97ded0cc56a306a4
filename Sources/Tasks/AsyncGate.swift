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
    package func enter() async {
        let number = ticket()
        _ = await wait(number)
    }

    /// The same, but not for longer than `limit`; whether this is inside now.
    package func enter(within limit: Duration) async -> Bool {
        let number = ticket()
        let timer = Task { [weak self] in
            try await Task.sleep(for: limit)
            self?.giveUp(number)
        }
        defer { timer.cancel() }
        return await wait(number)
    }

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

    private func ticket() -> UInt64 {
        state.withLock { state in
            state.next += 1
            return state.next
        }
    }

    private func wait(_ number: UInt64) async -> Bool {
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                if state.isTaken {
                    state.waiting.append(Waiter(number: number, continuation: continuation))
                    return false
                }
                state.isTaken = true
                return true
            }
            if isFree { continuation.resume(returning: true) }
        }
    }

    private func giveUp(_ number: UInt64) {
        let waiter: Waiter? = state.withLock { state in
            state.waiting.firstIndex { $0.number == number }.map { state.waiting.remove(at: $0) }
        }
        waiter?.continuation.resume(returning: false)
    }
}
