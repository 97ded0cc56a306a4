import LinuxKernel
import Synchronization

/// Threads for calls that block: mounts, unpacking, fsync, SQLite.
///
/// Swift's cooperative pool has one thread per processor and must never wait for the kernel; work that may do so
/// is run here. Threads are made when first needed, up to the limit, and then kept.
///
/// A job may wait for another thread of its own (`Threads.start`), but not for a job of the same pool: with
/// all threads waiting nothing would go on.
package final class BlockingPool: Sendable {
    private struct State {
        var jobs: [@Sendable () -> Void] = []
        /// Index of the next job in `jobs`.
        var first = 0
        var threads = 0
        var idle = 0

        mutating func next() -> (@Sendable () -> Void)? {
            guard first < jobs.count else { return nil }
            let job = jobs[first]
            first += 1
            if first == jobs.count {
                jobs.removeAll(keepingCapacity: true)
                first = 0
            }
            return job
        }
    }

    private let state = Mutex(State())
    private let name: String
    private let limit: Int
    /// Counts the jobs that no thread has taken yet.
    private let available = Semaphore()

    /// A pool of at most `threads` threads, which debuggers and `ps` show as `name` (15 bytes at most).
    ///
    /// A pool is made once and lives as long as the process.
    package init(threads: Int, name: String) {
        precondition(threads > 0)
        self.name = name
        limit = threads
    }

    /// Runs `body` on one of the pool's threads and returns what it returns.
    package func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            submit { continuation.resume(with: Result(catching: body)) }
        }
    }

    /// Runs `body` on one of the pool's threads when one is free, without waiting for it.
    package func submit(_ body: @escaping @Sendable () -> Void) {
        let needsThread = state.withLock { state in
            state.jobs.append(body)
            let waiting = state.jobs.count - state.first
            guard waiting > state.idle, state.threads < limit else { return false }
            state.threads += 1
            return true
        }
        available.signal()
        if needsThread, !Threads.start(name: name, { [self] in serve() }) {
            // Out of threads: the ones there are will come to it; without any the caller's own has to do.
            let alone = state.withLock { state in
                state.threads -= 1
                return state.threads == 0
            }
            if alone { drain() }
        }
    }

    private func serve() {
        while true {
            state.withLock { $0.idle += 1 }
            available.wait()
            let job = state.withLock { state in
                state.idle -= 1
                return state.next()
            }
            job?()
        }
    }

    private func drain() {
        while let job = state.withLock({ $0.next() }) { job() }
    }
}
