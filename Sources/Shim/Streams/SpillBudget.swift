import Glibc
import SystemPackage

/// How much of a disk all slow clients of one container may use together.
///
/// There is a limit. Whatever it is, seven eighths of the free space stay free: output that waits for a client that
/// does not read must not fill a disk.
package final class SpillBudget {
    /// How many bytes may wait in all if nothing else is configured; a client that is further behind will hardly catch
    /// up.
    package static let usualLimit: Int64 = 256 << 20
    /// How much is used before it is looked again how much is free.
    private static let step: Int64 = 8 << 20

    /// Where the files are.
    let directory: FilePath
    private let limit: Int64
    private var used: Int64 = 0
    /// How much may be used before it is looked again.
    private var allowed: Int64 = 0

    /// A budget of at most `limit` bytes in `directory`.
    package init(directory: FilePath, limit: Int64 = SpillBudget.usualLimit) {
        self.directory = directory
        self.limit = limit
    }

    /// Takes `count` bytes; whether there are so many.
    func take(_ count: Int) -> Bool {
        let wanted = used + Int64(count)
        if wanted > allowed { allowed = min(limit, wanted + Self.step, (used + free) / 8) }
        guard wanted <= allowed else { return false }
        used = wanted
        return true
    }

    func giveBack(_ count: Int) { used -= Int64(count) }

    /// What is free on the disk, in bytes; what cannot be found out is no reason to drop a client.
    private var free: Int64 {
        var status = statvfs()
        guard statvfs(directory.string, &status) == 0 else { return .max / 2 }
        let (bytes, overflow) = Int64(clamping: status.f_bavail).multipliedReportingOverflow(
            by: Int64(clamping: status.f_frsize))
        return overflow ? .max / 2 : bytes
    }
}
