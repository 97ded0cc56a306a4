import Synchronization

/// A counter for which threads wait until it is more than zero.
package final class Semaphore: Sendable {
    private let count: Mutex<Int>
    private let increased = Condition()

    /// A counter that begins at `count`.
    package init(_ count: Int = 0) { self.count = Mutex(count) }

    /// Adds one, which lets one thread that waits go on.
    package func signal() {
        count.withLock { $0 += 1 }
        increased.signal()
    }

    /// Waits until the counter is more than zero and takes one off.
    package func wait() {
        _ = increased.wait {
            count.withLock { count -> Void? in
                guard count > 0 else { return nil }
                count -= 1
                return ()
            }
        }
    }
}
