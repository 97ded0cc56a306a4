import BlockingCalls
import Glibc
import LinuxKernel
import OCISpec
import Synchronization
import SystemPackage

/// Reads one container's log for one client, batch by batch, as `LogOptions` ask.
///
/// `next` is called by one task at a time.
package final class LogReader: Sendable {
    private struct State: ~Copyable {
        var files: LogFiles
        var isFinished = false
    }

    private let state: Mutex<State>
    private let options: LogOptions
    private let pool: BlockingPool
    /// nil without `follow`.
    private let change: LogChange?

    /// `change` is told when the container ends; it is watched for changes of the log's directory from here on.
    package init(path: FilePath, options: LogOptions, change: LogChange?, pool: BlockingPool) throws(Errno) {
        self.options = options
        self.change = change
        self.pool = pool
        // Watching begins before reading: what is written in between is seen.
        try change?.watch(path.removingLastComponent())
        state = Mutex(State(files: try LogFiles(path: path, tail: options.tail)))
    }

    /// The next lines; nil at the end of the log, with `follow` at the end of the container.
    package func next() async throws -> [LogLine]? {
        while true {
            try Task.checkCancellation()
            // Asked before reading: whatever the container wrote before its end is in the file by now.
            let hasEnded = change?.hasEnded ?? true
            let ticket = change?.ticket ?? 0
            let lines = try await pool.run { [self] in try read() }
            guard let lines else { return nil }
            if !lines.isEmpty { return lines }
            if hasEnded { return nil }
            await change?.wait(since: ticket)
        }
    }

    /// Lines which are there, empty if there are none now, nil if no more can come.
    private func read() throws(Errno) -> [LogLine]? {
        try state.withLock { (state) throws(Errno) -> [LogLine]? in
            var batch: [LogLine] = []
            var isPastEnd = state.isFinished
            while batch.isEmpty, !isPastEnd {
                let isMore = try state.files.read { bytes in
                    guard !isPastEnd, let line = JSONLogEntry.parse(bytes) else { return }
                    if let until = options.until, line.time > until {
                        isPastEnd = true
                        return
                    }
                    if let since = options.since, line.time < since { return }
                    guard line.stream == .stdout ? options.stdout : options.stderr else { return }
                    batch.append(line)
                }
                if !isMore { break }
            }
            state.isFinished = isPastEnd
            return batch.isEmpty && isPastEnd ? nil : batch
        }
    }
}

/// Tells a reader that a log may have grown or that its container has ended.
package final class LogChange: Sendable {
    private struct State {
        var changes: UInt64 = 0
        var hasEnded = false
        var waiter: CheckedContinuation<Void, Never>?
        var isCancelled = false
        var watch: DirectoryWatches.Token?
    }

    private let state = Mutex(State())

    /// Nothing has changed yet.
    package init() {}

    /// Whether `end` was called.
    package var hasEnded: Bool { state.withLock { $0.hasEnded } }
    /// Stands for all changes so far.
    package var ticket: UInt64 { state.withLock { $0.changes } }

    /// Notices every write and rename in `directory`.
    package func watch(_ directory: FilePath) throws(Errno) {
        let token = try DirectoryWatches.shared.get().add(directory) { [weak self] in self?.signal() }
        state.withLock { $0.watch = token }
    }

    deinit {
        guard let watch = state.withLock({ $0.watch }), case .success(let watches) = DirectoryWatches.shared else {
            return
        }
        watches.remove(watch)
    }

    /// The container has ended and written all it will.
    package func end() { signal(ending: true) }

    private func signal(ending: Bool = false) {
        let waiter = state.withLock { state in
            state.changes += 1
            if ending { state.hasEnded = true }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    /// Suspends until something changed after `ticket` was taken, or the task is cancelled.
    package func wait(since ticket: UInt64) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isDue = state.withLock { state in
                    if state.changes != ticket || state.isCancelled { return true }
                    state.waiter = continuation
                    return false
                }
                if isDue { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.isCancelled = true
                defer { state.waiter = nil }
                return state.waiter
            }
            waiter?.resume()
        }
    }
}
