import Glibc
import Synchronization
import SystemPackage

/// A thread that computes one value, for a piece of blocking work beside another.
package final class JoinableThread<Value: Sendable>: Sendable {
    private let outcome = Mutex<Result<Value, any Error>?>(nil)
    nonisolated(unsafe) private let finished: UnsafeMutablePointer<sem_t>

    /// Starts `body` on a new thread. Throws `EAGAIN` when the kernel refuses another one.
    package init(name: String, _ body: @escaping @Sendable () throws -> Value) throws(Errno) {
        finished = .allocate(capacity: 1)
        sem_init(finished, 0, 0)
        // The thread keeps this object alive until it is done with it.
        let started = Threads.start(name: name) { [self] in
            let result = Result(catching: body)
            outcome.withLock { $0 = result }
            sem_post(finished)
        }
        guard started else { throw .resourceTemporarilyUnavailable }
    }

    deinit {
        sem_destroy(finished)
        finished.deallocate()
    }

    /// Waits for the thread and returns what it made, or throws what it threw. May be called again.
    package func join() throws -> Value {
        while sem_wait(finished) != 0 {}  // EINTR
        sem_post(finished)
        guard let result = outcome.withLock({ $0 }) else { throw Errno.noSuchProcess }
        return try result.get()
    }
}
