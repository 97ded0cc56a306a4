import Glibc

/// A counter for which threads wait until it is more than zero; sem_overview(7).
package final class Semaphore: Sendable {
    // Of the C library's functions each may be called by any thread at any time; the memory belongs to this object
    // alone.
    nonisolated(unsafe) private let semaphore: UnsafeMutablePointer<sem_t>

    /// A counter that begins at `count`.
    package init(_ count: Int = 0) {
        semaphore = .allocate(capacity: 1)
        sem_init(semaphore, 0, UInt32(count))
    }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    /// Adds one, which lets one thread that waits go on.
    package func signal() { sem_post(semaphore) }

    /// Waits until the counter is more than zero and takes one off.
    package func wait() {
        while sem_wait(semaphore) != 0 {}  // EINTR
    }
}
