import LinuxKernel
import Synchronization

/// What is going on with a container's files: archives that clients write or read, at whatever speed they do.
///
/// Nothing in a container's life waits for one of them. A removal ends them.
final class FileTransfers: Sendable {
    /// One of them.
    final class Transfer: Sendable {
        private let flag = Atomic<Bool>(false)

        /// Whether nobody wants the rest. Asked several times a second.
        var isCancelled: Bool { flag.load(ordering: .relaxed) }

        func cancel() { flag.store(true, ordering: .relaxed) }
    }

    private struct State {
        var transfers: [ObjectIdentifier: Transfer] = [:]
        /// Whether none may begin.
        var isHeld = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    /// Runs `body` with a transfer that is cancelled when this task is, and when the container is removed.
    func run<T: Sendable>(
        isolation: isolated (any Actor)? = #isolation, _ body: (Transfer) async throws -> T
    ) async throws -> T {
        let transfer = Transfer()
        while !begin(transfer) { await waitForOthers() }
        defer { _ = state.withLock { $0.transfers.removeValue(forKey: ObjectIdentifier(transfer)) } }
        return try await withTaskCancellationHandler {
            try await body(transfer)
        } onCancel: {
            transfer.cancel()
        }
    }

    private func begin(_ transfer: Transfer) -> Bool {
        state.withLock { state in
            if state.isHeld { return false }
            state.transfers[ObjectIdentifier(transfer)] = transfer
            return true
        }
    }

    private func waitForOthers() async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if state.isHeld { state.waiting.append(continuation) }
                return !state.isHeld
            }
            if isOver { continuation.resume() }
        }
    }

    /// Runs `body`, which is to be short, while none is going on and none begins. Does nothing where one is going on,
    /// and returns nil.
    func excluding<T: Sendable>(
        isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> T
    ) async throws -> T? {
        let isAlone = state.withLock { state in
            guard state.transfers.isEmpty, !state.isHeld else { return false }
            state.isHeld = true
            return true
        }
        guard isAlone else { return nil }
        defer {
            let waiting = state.withLock { state in
                state.isHeld = false
                let waiting = state.waiting
                state.waiting = []
                return waiting
            }
            for continuation in waiting { continuation.resume() }
        }
        return try await body()
    }

    /// Ends all of them, soon.
    func cancelAll() {
        for transfer in state.withLock({ Array($0.transfers.values) }) { transfer.cancel() }
    }
}
