import Glibc

/// Where threads wait for something that another thread changes; pthread_cond_init(3).
///
/// The thing itself is kept elsewhere, in a `Mutex` or an `Atomic`. A thread that changes it calls `broadcast` or
/// `signal` afterwards; a thread that waits says how to look at it.
package final class Condition: Sendable {
    // Of the C library's functions each may be called by any thread at any time; the memory belongs to this object
    // alone. The objects must not move, and Swift has no other way to say that than a pointer.
    nonisolated(unsafe) private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    nonisolated(unsafe) private let condition: UnsafeMutablePointer<pthread_cond_t>

    /// Nobody waits.
    package init() {
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        // Times do not depend on what somebody sets the clock to.
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Lets all who wait look again.
    package func broadcast() {
        pthread_mutex_lock(mutex)
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(mutex)
    }

    /// Lets one of those who wait look again; for changes that are of use to one alone, whichever.
    package func signal() {
        pthread_mutex_lock(mutex)
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }

    /// Waits until `look` finds what it looks for, which it does at once and after each `broadcast` or `signal`.
    ///
    /// - Parameter milliseconds: How long at most; `nil` is for ever.
    /// - Returns: What was found; `nil` if the time was over.
    package func wait<Found>(milliseconds: Int? = nil, for look: () -> Found?) -> Found? {
        var deadline = timespec()
        if let milliseconds {
            clock_gettime(CLOCK_MONOTONIC, &deadline)
            deadline.tv_sec += milliseconds / 1000
            deadline.tv_nsec += milliseconds % 1000 * 1_000_000
            if deadline.tv_nsec >= 1_000_000_000 {
                deadline.tv_sec += 1
                deadline.tv_nsec -= 1_000_000_000
            }
        }
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if let found = look() { return found }
            if milliseconds == nil {
                pthread_cond_wait(condition, mutex)
            } else if pthread_cond_timedwait(condition, mutex, &deadline) == ETIMEDOUT {
                return look()
            }
        }
    }
}
