import Glibc
import Synchronization
import SystemPackage

/// A thread that computes one value, for a piece of blocking work beside another.
package final class JoinableThread<Value: Sendable>: Sendable {
    private let outcome = Mutex<Result<Value, any Error>?>(nil)
    private let finished = Semaphore()

    /// Starts `body` on a new thread, which has alone whatever `body` is made of. Throws `EAGAIN` when the kernel
    /// refuses another one.
    package init(name: String, _ body: sending @escaping () throws -> Value) throws(Errno) {
        // What is sent to another thread goes through a lock, though nobody else takes it.
        let body = Sent(body)
        // The thread keeps this object alive until it is done with it.
        let started = Threads.start(name: name) { [self] in
            let result = body.value.withLock { body in Result { try body() } }
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

/// A value that belongs to one thread after another.
private final class Sent<Value>: Sendable {
    let value: Mutex<Value>

    init(_ value: sending Value) { self.value = Mutex(value) }
}
