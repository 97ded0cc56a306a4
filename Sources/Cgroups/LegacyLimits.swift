import LinuxKernel
import OCISpec
import SystemPackage

// Limits on hierarchies of version 1 (Documentation/admin-guide/cgroup-v1 of the kernel).
extension Cgroup {
    func applyLegacy(_ resources: LinuxResources) throws(CgroupError) {
        try Self.checkRanges(resources)
        if let unified = resources.unified, !unified.isEmpty {
            throw CgroupError(
                "invalid configuration: cannot use unified on cgroup v1 (\(unified.keys.sorted()[0]))")
        }
        if let cpu = resources.cpu { try applyLegacy(cpu) }
        if let memory = resources.memory { try applyLegacy(memory) }
        if let limit = resources.pids?.limit {
            try set("the limit of processes", Self.processLimit(limit), in: directory(of: "pids"), "pids.max")
        }
        if let blockIO = resources.blockIO { try applyLegacy(blockIO) }
        for page in resources.hugepageLimits ?? [] {
            try set(
                "the limit of huge pages", "\(page.limit)", in: directory(of: "hugetlb"),
                "hugetlb.\(page.pageSize).limit_in_bytes")
            try setReservations(of: page, in: directory(of: "hugetlb"), "limit_in_bytes")
        }
        try apply(resources.rdma ?? [:], in: directory(of: "rdma"))
        if let network = resources.network {
            if let classID = network.classID {
                try set("the network class", "\(classID)", in: directory(of: "net_cls"), "net_cls.classid")
            }
            for priority in network.priorities ?? [] {
                try set(
                    "the network priority", "\(priority.name) \(priority.priority)", in: directory(of: "net_prio"),
                    "net_prio.ifpriomap")
            }
        }
        if let devices = resources.devices, !devices.isEmpty { try applyLegacy(devices) }
    }

    private func applyLegacy(_ cpu: LinuxCPU) throws(CgroupError) {
        let directory = directory(of: "cpu")
        if let shares = cpu.shares, shares != 0 { try set("CPU shares", "\(shares)", in: directory, "cpu.shares") }
        // A period shorter than the old quota, or a quota shorter than the old period allows, is refused; then the
        // other one has to go first.
        let period: (() throws(CgroupError) -> Void)? = cpu.period.flatMap { value in
            value == 0
                ? nil
                : { () throws(CgroupError) in
                    try set("the CPU period", "\(value)", in: directory, "cpu.cfs_period_us")
                }
        }
        let quota: (() throws(CgroupError) -> Void)? = cpu.quota.flatMap { value in
            value == 0
                ? nil
                : { () throws(CgroupError) in
                    try set("the CPU quota", "\(value)", in: directory, "cpu.cfs_quota_us")
                }
        }
        do throws(CgroupError) {
            try period?()
            try quota?()
        } catch  where error.errno == .invalidArgument && period != nil && quota != nil {
            try quota?()
            try period?()
        }
        if let burst = cpu.burst { try set("the CPU burst", "\(burst)", in: directory, "cpu.cfs_burst_us") }
        try applyRealtime(cpu, in: directory)
        if let idle = cpu.idle { try set("CPU idle", "\(idle)", in: directory, "cpu.idle") }
        if let cpus = cpu.cpus, !cpus.isEmpty {
            try set("the CPU list", cpus, in: self.directory(of: "cpuset"), "cpuset.cpus")
        }
        if let mems = cpu.mems, !mems.isEmpty {
            try set("the memory node list", mems, in: self.directory(of: "cpuset"), "cpuset.mems")
        }
    }

    /// A period shorter than the run time is refused, as is a run time longer than the period: where one of them goes
    /// first in vain, the other one does.
    private func applyRealtime(_ cpu: LinuxCPU, in directory: FilePath?) throws(CgroupError) {
        let runtime = cpu.realtimeRuntime.flatMap { $0 == 0 ? nil : $0 }
        let setRuntime = { () throws(CgroupError) in
            if let runtime { try set("the real-time run time", "\(runtime)", in: directory, "cpu.rt_runtime_us") }
        }
        let setPeriod = { () throws(CgroupError) in
            if let period = cpu.realtimePeriod, period != 0 {
                try set("the real-time period", "\(period)", in: directory, "cpu.rt_period_us")
            }
        }
        do throws(CgroupError) {
            try setPeriod()
        } catch  where error.errno == .invalidArgument && runtime != nil {
            try setRuntime()
            return try setPeriod()
        }
        try setRuntime()
    }

    private func applyLegacy(_ memory: LinuxMemory) throws(CgroupError) {
        let directory = directory(of: "memory")
        let limit = memory.limit.flatMap { $0 == 0 ? nil : $0 }
        if let directory { try check(memory, usage: directory.appending("memory.usage_in_bytes")) }
        var wantedSwap = memory.swap.flatMap { $0 == 0 ? nil : $0 }
        // No limit of memory is above any limit of both together, which therefore has to go as well.
        if limit == -1, wantedSwap == nil, let directory,
            Files.exists(directory.appending("memory.memsw.limit_in_bytes"))
        {
            wantedSwap = -1
        }
        let swap = wantedSwap
        let setLimit = { () throws(CgroupError) in
            if let limit { try set("the memory limit", "\(limit)", in: directory, "memory.limit_in_bytes") }
        }
        let setSwap = { () throws(CgroupError) in
            if let swap {
                try set("the limit of memory and swap", "\(swap)", in: directory, "memory.memsw.limit_in_bytes")
            }
        }
        // The limit may never be above that of memory and swap together, so which goes first depends on the present
        // one.
        var swapFirst = swap == -1
        if let swap, let limit, let directory, !swapFirst {
            let current = UInt64(try readText(directory.appending("memory.limit_in_bytes"))) ?? .max
            swapFirst = limit > 0 && UInt64(limit) > current && swap > 0
        }
        if swapFirst {
            try setSwap()
            try setLimit()
        } else {
            try setLimit()
            try setSwap()
        }
        if let reservation = memory.reservation, reservation != 0 {
            try set("the memory reservation", "\(reservation)", in: directory, "memory.soft_limit_in_bytes")
        }
        if let kernelTCP = memory.kernelTCP, kernelTCP != 0 {
            try set("the limit of TCP buffers", "\(kernelTCP)", in: directory, "memory.kmem.tcp.limit_in_bytes")
        }
        if let swappiness = memory.swappiness {
            try set("swappiness", "\(swappiness)", in: directory, "memory.swappiness")
        }
        if memory.disableOOMKiller == true { try set("OOM killer off", "1", in: directory, "memory.oom_control") }
    }

    /// Refuses a limit below what is used, where that is asked for: the kernel would kill instead.
    private func check(_ memory: LinuxMemory, usage file: FilePath) throws(CgroupError) {
        guard memory.checkBeforeUpdate == true, let limit = memory.limit, limit > 0 else { return }
        let usage = UInt64(try readText(file)) ?? 0
        if UInt64(limit) < usage {
            throw CgroupError("rejecting memory limit \(limit) < usage \(usage)")
        }
    }

    private func applyLegacy(_ blockIO: LinuxBlockIO) throws(CgroupError) {
        let directory = directory(of: "blkio")
        // The weight is BFQ's since CFQ went with Linux 5.0.
        func weightFile(_ name: String) -> String {
            guard let directory, !Files.exists(directory.appending("blkio.\(name)")) else { return "blkio.\(name)" }
            return "blkio.bfq.\(name)"
        }
        if let weight = blockIO.weight, weight != 0 {
            try set("the block I/O weight", "\(weight)", in: directory, weightFile("weight"))
        }
        if let weight = blockIO.leafWeight, weight != 0 {
            try set("the block I/O weight of leaves", "\(weight)", in: directory, "blkio.leaf_weight")
        }
        for device in blockIO.weightDevice ?? [] {
            for (weight, file) in [
                (device.weight, weightFile("weight_device")), (device.leafWeight, "blkio.leaf_weight_device"),
            ] {
                guard let weight else { continue }
                // BFQ has a word for none.
                let text = weight == 0 && file.hasPrefix("blkio.bfq.") ? "default" : "\(weight)"
                try set(
                    "the block I/O weight of a device", "\(device.major):\(device.minor) \(text)", in: directory, file)
            }
        }
        let throttles: [([LinuxThrottleDevice]?, String)] = [
            (blockIO.throttleReadBpsDevice, "blkio.throttle.read_bps_device"),
            (blockIO.throttleWriteBpsDevice, "blkio.throttle.write_bps_device"),
            (blockIO.throttleReadIOPSDevice, "blkio.throttle.read_iops_device"),
            (blockIO.throttleWriteIOPSDevice, "blkio.throttle.write_iops_device"),
        ]
        for (devices, file) in throttles {
            for device in devices ?? [] {
                try set(
                    "a block I/O limit", "\(device.major):\(device.minor) \(device.rate)", in: directory, file)
            }
        }
    }

    private func applyLegacy(_ rules: [LinuxDeviceCgroup]) throws(CgroupError) {
        let directory = directory(of: "devices")
        var allow: FileDescriptor?
        var deny: FileDescriptor?
        defer {
            allow?.discard()
            deny?.discard()
        }
        for rule in rules {
            let rule = try DeviceRule(rule)
            let name = rule.allow ? "devices.allow" : "devices.deny"
            do throws(Errno) {
                // There are many rules and two files: each is opened once.
                if let directory, rule.allow, allow == nil {
                    allow = try Files.open(directory.appending(name), .writeOnly)
                } else if let directory, !rule.allow, deny == nil {
                    deny = try Files.open(directory.appending(name), .writeOnly)
                }
                guard let file = rule.allow ? allow : deny else { throw .noSuchFileOrDirectory }
                try Files.write(rule.legacyText, to: file)
            } catch {
                // Try again by the function that explains the error.
                try set("device access", rule.legacyText, in: directory, name)
            }
        }
    }
}
