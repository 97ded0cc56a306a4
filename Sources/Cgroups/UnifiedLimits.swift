import LinuxKernel
import OCISpec
import SystemPackage

// Limits on the hierarchy of version 2 (Documentation/admin-guide/cgroup-v2.rst of the kernel).
extension Cgroup {
    func applyUnified(_ resources: LinuxResources, in directory: FilePath) throws(CgroupError) {
        try Self.checkRanges(resources)
        if let memory = resources.memory { try applyUnified(memory, in: directory) }
        if let cpu = resources.cpu { try applyUnified(cpu, in: directory) }
        if let limit = resources.pids?.limit {
            try set("the limit of processes", Self.processLimit(limit), in: directory, "pids.max")
        }
        if let blockIO = resources.blockIO { try applyUnified(blockIO, in: directory) }
        for page in resources.hugepageLimits ?? [] {
            try set("the limit of huge pages", "\(page.limit)", in: directory, "hugetlb.\(page.pageSize).max")
        }
        for (device, limits) in (resources.rdma ?? [:]).sorted(by: { $0.key < $1.key }) {
            let handles = limits.hcaHandles.map { "\($0)" } ?? "max"
            let objects = limits.hcaObjects.map { "\($0)" } ?? "max"
            try set(
                "an RDMA limit", "\(device) hca_handle=\(handles) hca_object=\(objects)", in: directory, "rdma.max")
        }
        for (file, value) in (resources.unified ?? [:]).sorted(by: { $0.key < $1.key }) {
            guard !file.contains("/"), file.contains(".") else {
                throw CgroupError("\"\(file)\" is not the name of a control group file")
            }
            try set(file, value, in: directory, file)
        }
        if let devices = resources.devices, !devices.isEmpty {
            let rules = try devices.map { rule throws(CgroupError) in try DeviceRule(rule) }
            try DeviceProgram(rules).attach(to: directory)
        }
    }

    private static func text(_ limit: Int64) -> String { limit < 0 ? "max" : "\(limit)" }

    private func applyUnified(_ memory: LinuxMemory, in directory: FilePath) throws(CgroupError) {
        let limit = memory.limit.flatMap { $0 == 0 ? nil : $0 }
        if let swap = memory.swap, swap != 0 {
            // Here swap is counted by itself, in the configuration together with memory.
            guard swap < 0 || limit != nil else {
                throw CgroupError("a limit of memory and swap needs a limit of memory")
            }
            let alone = swap < 0 || (limit ?? 0) < 0 ? "max" : "\(swap - (limit ?? 0))"
            let file = directory.appending("memory.swap.max")
            // Without swap accounting there is no swap to be limited.
            if alone != "0" || Files.exists(file) {
                try set("the limit of memory and swap", alone, in: directory, "memory.swap.max")
            }
        }
        if let limit { try set("the memory limit", Self.text(limit), in: directory, "memory.max") }
        if let reservation = memory.reservation, reservation != 0 {
            try set("the memory reservation", Self.text(reservation), in: directory, "memory.low")
        }
    }

    /// Shares (2 to 262144) as a weight of version 2 (1 to 10000), linearly as Kubernetes and systemd do it.
    package static func weight(fromShares shares: UInt64) -> UInt64 {
        1 + (min(max(shares, 2), 262_144) - 2) * 9999 / 262_142
    }

    private func applyUnified(_ cpu: LinuxCPU, in directory: FilePath) throws(CgroupError) {
        if let idle = cpu.idle { try set("CPU idle", "\(idle)", in: directory, "cpu.idle") }
        if let shares = cpu.shares, shares != 0 {
            try set("CPU shares", "\(Self.weight(fromShares: shares))", in: directory, "cpu.weight")
        }
        let quota = cpu.quota.flatMap { $0 == 0 ? nil : $0 }
        let period = cpu.period.flatMap { $0 == 0 ? nil : $0 }
        if quota != nil || period != nil {
            // `cpu.max` keeps what is not written: the quota alone is enough, the period needs the quota before it.
            var first = quota.map(Self.text)
            if first == nil {
                first = try readText(directory.appending("cpu.max")).split(separator: " ").first.map(String.init)
            }
            try set(
                "the CPU quota", (first ?? "max") + (period.map { " \($0)" } ?? ""), in: directory, "cpu.max")
        }
        if let burst = cpu.burst { try set("the CPU burst", "\(burst)", in: directory, "cpu.max.burst") }
        if let cpus = cpu.cpus, !cpus.isEmpty { try set("the CPU list", cpus, in: directory, "cpuset.cpus") }
        if let mems = cpu.mems, !mems.isEmpty { try set("the memory node list", mems, in: directory, "cpuset.mems") }
    }

    private func applyUnified(_ blockIO: LinuxBlockIO, in directory: FilePath) throws(CgroupError) {
        // BFQ keeps the range 1 to 1000; `io.weight` has 1 to 10000.
        let hasBFQ = Files.exists(directory.appending("io.bfq.weight"))
        func scaled(_ weight: UInt16) -> UInt64 { 1 + (UInt64(weight) - 10) * 9999 / 990 }
        if let weight = blockIO.weight, weight != 0 {
            try set(
                "the block I/O weight", hasBFQ ? "\(weight)" : "default \(scaled(weight))", in: directory,
                hasBFQ ? "io.bfq.weight" : "io.weight")
        }
        for device in blockIO.weightDevice ?? [] {
            guard let weight = device.weight, weight >= 10 else { continue }
            try set(
                "the block I/O weight of a device",
                "\(device.major):\(device.minor) \(hasBFQ ? UInt64(weight) : scaled(weight))", in: directory,
                hasBFQ ? "io.bfq.weight" : "io.weight")
        }
        let throttles: [([LinuxThrottleDevice]?, String)] = [
            (blockIO.throttleReadBpsDevice, "rbps"), (blockIO.throttleWriteBpsDevice, "wbps"),
            (blockIO.throttleReadIOPSDevice, "riops"), (blockIO.throttleWriteIOPSDevice, "wiops"),
        ]
        for (devices, key) in throttles {
            for device in devices ?? [] {
                let rate = device.rate == 0 ? "max" : "\(device.rate)"
                try set("a block I/O limit", "\(device.major):\(device.minor) \(key)=\(rate)", in: directory, "io.max")
            }
        }
    }
}
