import Glibc
import LinuxKernel

/// The time of all processors of the machine.
///
/// `/proc/stat` is read once for many containers; what has passed since then is known without it, as the time of all
/// processors together goes by as many times as fast as that of clocks.
package struct SystemProcessors: Sendable {
    /// How many there are.
    package let online: Int
    private let total: UInt64
    private let moment: UInt64

    /// As of now.
    static func now() -> SystemProcessors? {
        guard let bytes = try? Files.read("/proc/stat") else { return nil }  // Not mounted: there are no numbers.
        return SystemProcessors(parsing: bytes, at: clock())
    }

    /// What a file `/proc/stat` (proc(5)) says; nil if it is none.
    package init?(parsing text: some Collection<UInt8>, at moment: UInt64 = 0) {
        var total: UInt64?
        var online = 0
        for line in text.split(separator: 0x0A) {
            guard line.starts(with: "cpu".utf8) else { break }
            let words = line.split(separator: 0x20)
            if words[0].count > 3 {
                online += 1
                continue
            }
            // Those of virtual machines are in the others already.
            let ticks = words.dropFirst().prefix(7).compactMap { UInt64(String(decoding: $0, as: UTF8.self)) }
            guard ticks.count == 7 else { return nil }
            total = ticks.reduce(0, &+)
        }
        guard let total else { return nil }
        // Hundredths of a second, whatever the kernel counts in.
        self.total = total &* 10_000_000
        self.online = online
        self.moment = moment
    }

    /// The time of all processors, idle or not, since the machine's start, in nanoseconds.
    package func total(at now: UInt64) -> UInt64 {
        // Of many processors, after years, it begins anew, as with Docker.
        total &+ (now &- moment) &* UInt64(max(1, online))
    }

    /// The time that total(at:) takes: nanoseconds by the clock that nobody sets.
    static func clock() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
