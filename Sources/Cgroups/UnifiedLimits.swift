import Glibc
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
            try setReservations(of: page, in: directory, "max")
        }
        try apply(resources.rdma ?? [:], in: directory)
        for (file, value) in (resources.unified ?? [:]).sorted(by: { $0.key < $1.key }) {
            try setUnified(file, value, in: directory)
        }
        if let devices = resources.devices, !devices.isEmpty {
            let rules = try devices.map { rule throws(CgroupError) in try DeviceRule(rule) }
            try DeviceProgram(rules).attach(to: directory)
        }
    }

    private func setUnified(_ file: String, _ value: String, in directory: FilePath) throws(CgroupError) {
        guard !file.contains("/") else {
            throw CgroupError("unified resource \"\(file)\" must be a file name (no slashes)")
        }
        do throws(Errno) {
            // Files with a line for each device take one in each write.
            for line in value.split(separator: "\n", omittingEmptySubsequences: !value.isEmpty) {
                try Files.write(String(line), to: directory.appending(file))
            }
        } catch {
            if error == .noSuchFileOrDirectory || error == .permissionDenied || error == .notPermitted {
                guard let dot = file.firstIndex(of: ".") else {
                    throw CgroupError("unified resource \"\(file)\" must be in the form CONTROLLER.PARAMETER")
                }
                let controller = file[..<dot]
                let present = try readText(directory.appending("cgroup.controllers")).split(separator: " ")
                if controller != "cgroup", !present.contains(controller) {
                    throw CgroupError(
                        "unified resource \"\(file)\" can't be set: controller \"\(controller)\" not available")
                }
            }
            throw CgroupError("unable to set unified resource \"\(file)\"", error)
        }
    }

    private static func text(_ limit: Int64) -> String { limit < 0 ? "max" : "\(limit)" }

    private func applyUnified(_ memory: LinuxMemory, in directory: FilePath) throws(CgroupError) {
        let limit = memory.limit.flatMap { $0 == 0 ? nil : $0 }
        let swap = memory.swap.flatMap { $0 == 0 ? nil : $0 }
        if memory.checkBeforeUpdate == true {
            // A group that does not say what it uses is taken as empty.
            try Self.refuse(limit: limit, swap: swap, below: (try? number(directory.appending("memory.current"))) ?? 0)
        }
        if let alone = try swapAlone(swap, limit, in: directory) {
            let file = directory.appending("memory.swap.max")
            // Without swap accounting there is no swap to be limited.
            if alone > 0 || Files.exists(file) {
                try set("the limit of memory and swap", Self.text(alone), in: directory, "memory.swap.max")
            }
        }
        if let limit { try set("the memory limit", Self.text(limit), in: directory, "memory.max") }
        if let reservation = memory.reservation, reservation != 0 {
            try set("the memory reservation", Self.text(reservation), in: directory, "memory.low")
        }
    }

    /// Refuses limits at which the kernel would begin to kill. Called if the configuration asks for this check.
    static func refuse(limit: Int64?, swap: Int64?, below usage: UInt64) throws(CgroupError) {
        if let swap, swap > 0, UInt64(swap) <= usage {
            throw CgroupError("rejecting memory+swap limit \(swap) <= usage \(usage)")
        }
        if let limit, limit > 0, UInt64(limit) <= usage {
            throw CgroupError("rejecting memory limit \(limit) <= usage \(usage)")
        }
    }

    /// The limit of swap by itself, as version 2 counts it; negative is none, `nil` stays as it is. Configurations
    /// limit memory and swap together.
    private func swapAlone(_ both: Int64?, _ limit: Int64?, in directory: FilePath) throws(CgroupError) -> Int64? {
        guard let both else {
            if limit == -1 { return -1 }
            // If only the memory limit changes, the limit of both together stays as it was. Without either file there
            // is no limit to keep; if the kernel lacks the file, setting the limit reports it.
            guard let limit, let oldLimit = try? number(directory.appending("memory.max")),
                let oldSwap = try? number(directory.appending("memory.swap.max"))
            else { return nil }
            return try Self.difference(Int64(clamping: oldLimit) + Int64(clamping: oldSwap), limit)
        }
        if both == -1 || limit == -1 { return both }
        if let limit { return try Self.difference(both, limit) }
        guard let present = try number(directory.appending("memory.max")) else {
            throw CgroupError("unable to set swap limit without memory limit")
        }
        return try Self.difference(both, Int64(clamping: present))
    }

    private static func difference(_ both: Int64, _ limit: Int64) throws(CgroupError) -> Int64 {
        guard limit >= 0 else { throw CgroupError("invalid memory value: \(limit)") }
        guard both >= limit else { throw CgroupError("memory+swap limit should be >= memory limit") }
        return both - limit
    }

    /// The number in a file; `nil` for "max".
    func number(_ file: FilePath) throws(CgroupError) -> UInt64? { UInt64(try readText(file)) }

    /// Shares (2 to 262144, by default 1024) as a weight of version 2 (1 to 10000, by default 100): on the curve
    /// through the ends and the defaults that runc, crun and systemd have agreed on.
    package static func weight(fromShares shares: UInt64) -> UInt64 {
        if shares <= 2 { return 1 }
        if shares >= 262_144 { return 10_000 }
        let exponent = log2(Double(shares))
        return UInt64(pow(10, (exponent * exponent + 125 * exponent) / 612 - 7.0 / 34).rounded(.up))
    }

    private func applyUnified(_ cpu: LinuxCPU, in directory: FilePath) throws(CgroupError) {
        if let idle = cpu.idle { try set("CPU idle", "\(idle)", in: directory, "cpu.idle") }
        if let shares = cpu.shares, shares != 0 {
            try set("CPU shares", "\(Self.weight(fromShares: shares))", in: directory, "cpu.weight")
        }
        let quota = cpu.quota.flatMap { $0 == 0 ? nil : $0 }
        let period = cpu.period.flatMap { $0 == 0 ? nil : $0 }
        var laterBurst: UInt64?
        if let burst = cpu.burst {
            do throws(CgroupError) {
                try set("the CPU burst", "\(burst)", in: directory, "cpu.max.burst")
            } catch  where error.errno == .invalidArgument && quota != nil {
                // More than the present quota.
                laterBurst = burst
            }
        }
        if quota != nil || period != nil {
            // `cpu.max` keeps what is not written: the quota alone is enough, the period needs the quota before it.
            var first = quota.map(Self.text)
            if first == nil {
                first = try readText(directory.appending("cpu.max")).split(separator: " ").first.map(String.init)
            }
            try set(
                "the CPU quota", (first ?? "max") + (period.map { " \($0)" } ?? ""), in: directory, "cpu.max")
        }
        if let laterBurst { try set("the CPU burst", "\(laterBurst)", in: directory, "cpu.max.burst") }
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
            guard let weight = device.weight else { continue }
            let file = hasBFQ ? "io.bfq.weight" : "io.weight"
            if weight == 0, Files.exists(directory.appending(file)) {
                try set(
                    "the block I/O weight of a device", "\(device.major):\(device.minor) default", in: directory, file)
            }
            guard weight >= 10 else { continue }
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
