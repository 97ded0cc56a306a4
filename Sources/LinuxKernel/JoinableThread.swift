import Glibc
import Synchronization
import SystemPackage

/// A thread that computes one value, for a piece of blocking work beside another.
package final class JoinableThread<Value: Sendable>: Sendable {
    private let outcome = Mutex<Result<Value, any Error>?>(nil)
    private let finished = Semaphore()

    /// Starts `body` on a new thread. Throws `EAGAIN` when the kernel refuses another one.
    package init(name: String, _ body: @escaping @Sendable () throws -> Value) throws(Errno) {
        // The thread keeps this object alive until it is done with it.
        let started = Threads.start(name: name) { [self] in
            let result = Result(catching: body)
            outcome.withLock { $0 = result }
            finished.signal()
        }
        guard started else { throw .resourceTemporarilyUnavailable }
    }

    /// Waits for the thread and returns what it made, or throws what it threw. May be called again.
    package func join() throws -> Value {
        finished.wait()
        finished.signal()
        guard let result = outcome.withLock({ $0 }) else { throw Errno.noSuchProcess }
        return try result.get()
    }
}
