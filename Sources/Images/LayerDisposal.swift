import BlockingCalls
import LinuxKernel
import Logging
import Snapshots
import Synchronization

/// Deletes the files of removed layers, one after the other, after the client has its answer.
///
/// The layers are gone already: their names can be used again. What is left here when the daemon ends is deleted at the
/// next start.
final class LayerDisposal: Sendable {
    private struct State {
        var bytes: Int64 = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
        var count = 0
    }

    private let snapshotter: any Snapshotter
    private let logger: Logger
    private let state = Mutex(State())
    private let pool = BlockingPool(threads: 1, name: "images-dispose")

    init(_ snapshotter: any Snapshotter, _ logger: Logger) {
        self.snapshotter = snapshotter
        self.logger = logger
    }

    /// Bytes of layers that are removed and still take room.
    var pendingBytes: Int64 { state.withLock { $0.bytes } }

    /// Deletes what a removed layer has on the disk, soon.
    func add(_ snapshot: DetachedSnapshot, bytes: Int64) {
        state.withLock { state in
            state.count += 1
            state.bytes += bytes
        }
        Task.detached { [self] in
            do {
                try await pool.run { try self.snapshotter.dispose(of: snapshot) }
            } catch {
                logger.warning(
                    "the files of a removed layer cannot be deleted; the next start tries again",
                    metadata: ["error": "\(error)"])
            }
            finish(bytes)
        }
    }

    private func finish(_ bytes: Int64) {
        let waiting = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            state.count -= 1
            state.bytes -= bytes
            guard state.count == 0 else { return [] }
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Waits until all that has been added is deleted.
    func finished() async {
        await withCheckedContinuation { continuation in
            let isIdle = state.withLock { state in
                if state.count > 0 { state.waiting.append(continuation) }
                return state.count == 0
            }
            if isIdle { continuation.resume() }
        }
    }
}
