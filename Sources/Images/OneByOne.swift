import LinuxKernel
import Synchronization

/// Lets one thread at a time work for a key; threads with other keys do not wait for it.
package final class OneByOne<Key: Hashable & Sendable>: Sendable {
    private let busy = Mutex<Set<Key>>([])
    private let changed = Condition()

    /// Nobody is at work.
    package init() {}

    /// Runs `body` when no other thread is at work for the key.
    package func run(_ key: Key, _ body: () -> Void) {
        _ = changed.wait { busy.withLock { $0.insert(key).inserted ? true : nil } }
        body()
        busy.withLock { _ = $0.remove(key) }
        changed.broadcast()
    }
}
