import Glibc

/// The clock that nobody sets; clock_gettime(2).
package enum MonotonicClock {
    /// Milliseconds since some moment before this machine's start-up.
    package static var milliseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
