import LinuxKernel
import OCISpec

extension Cgroup {
    /// `change` with those present limits that the kernel takes only together with the changed ones.
    ///
    /// For callers that set limits through systemd. `apply` does not need this.
    ///
    /// - Throws: Also if a limit is below the present use and `change` asks for that check.
    package func completed(_ change: LinuxResources) throws(CgroupError) -> LinuxResources {
        var complete = change
        let quota = change.cpu?.quota ?? 0
        let period = change.cpu?.period ?? 0
        if (quota == 0) != (period == 0) {
            let present = try cpuQuota()
            if quota == 0 { complete.cpu?.quota = present.quota }
            if period == 0 { complete.cpu?.period = present.period }
        }
        if let memory = change.memory, isUnified { complete.memory = try completed(memory) }
        return complete
    }

    private func completed(_ memory: LinuxMemory) throws(CgroupError) -> LinuxMemory {
        guard let directory = directory(of: "memory") else { return memory }
        var complete = memory
        let limit = memory.limit ?? 0
        let both = memory.swap ?? 0
        if memory.checkBeforeUpdate == true {
            // A group that does not say what it uses is taken as empty.
            let usage = (try? number(directory.appending("memory.current"))) ?? 0
            try Self.refuse(limit: limit, swap: both, below: usage)
        }
        // Without the files there is no limit to keep; if the kernel lacks the file, setting the limit reports it.
        let presentLimit = try? number(directory.appending("memory.max"))
        let presentSwap = try? number(directory.appending("memory.swap.max"))
        if limit > 0, both == 0, let presentLimit, let presentSwap {
            complete.swap = Int64(clamping: presentLimit) + Int64(clamping: presentSwap)
        } else if limit == 0, both > 0, let presentLimit {
            complete.limit = Int64(clamping: presentLimit)
        }
        return complete
    }

    /// The quota and its period in microseconds as they are; a quota of -1 is none.
    private func cpuQuota() throws(CgroupError) -> (quota: Int64, period: UInt64) {
        guard let directory = directory(of: "cpu") else { throw CgroupError("the cpu controller is not mounted") }
        if isUnified {
            let fields = try readText(directory.appending("cpu.max")).split(separator: " ")
            guard fields.count == 2, let period = UInt64(fields[1]) else {
                throw CgroupError("\(directory)/cpu.max has an unknown form")
            }
            return (Int64(fields[0]) ?? -1, period)
        }
        guard let quota = Int64(try readText(directory.appending("cpu.cfs_quota_us"))),
            let period = UInt64(try readText(directory.appending("cpu.cfs_period_us")))
        else { throw CgroupError("the CPU quota in \(directory) has an unknown form") }
        return (quota, period)
    }
}
