import OCISpec

/// What a runtime is told of a change of limits. Only what changes is in it.
package struct ResourceUpdate {
    /// What was asked for.
    package let change: ResourceChange
    /// The container's limits before it.
    package let before: ResourceLimits
    /// Its limits then.
    package let after: ResourceLimits

    /// The change from some limits to others.
    package init(_ change: ResourceChange, from before: ResourceLimits, to after: ResourceLimits) {
        self.change = change
        self.before = before
        self.after = after
    }

    /// The way there.
    package func resources() throws(EngineError) -> LinuxResources { try resources(from: before, to: after) }

    /// The way back. What had no limit gets the value that stands for none.
    package func restoration() throws(EngineError) -> LinuxResources { try resources(from: after, to: before) }

    private func resources(from old: ResourceLimits, to new: ResourceLimits) throws(EngineError) -> LinuxResources {
        var resources = LinuxResources()
        resources.memory = memory(new)
        if change.memoryReservation != nil, new.memoryReservation <= 0, Machine.usesCgroupV2 {
            // What is protected from being taken away, and not a limit: none is 0.
            resources.unified = ["memory.low": "0"]
        }
        resources.cpu = cpu(new)
        if change.pidsLimit != nil {
            let limit = new.pidsLimit ?? 0
            resources.pids = LinuxPids(limit: limit > 0 ? limit : -1)
        }
        var devices = ResourceLimits()
        if change.blkioWeight != nil { devices.blkioWeight = new.blkioWeight == 0 ? 100 : new.blkioWeight }
        if change.blkioWeightDevice != nil {
            devices.blkioWeightDevice =
                Self.gone(old.blkioWeightDevice.map(\.path), new.blkioWeightDevice.map(\.path))
                .map { WeightDevice(path: $0, weight: 0) } + new.blkioWeightDevice
        }
        func throttles(_ path: KeyPath<ResourceLimits, [ThrottleDevice]>) -> [ThrottleDevice] {
            // A rate of 0 is none.
            Self.gone(old[keyPath: path].map(\.path), new[keyPath: path].map(\.path))
                .map { ThrottleDevice(path: $0, rate: 0) } + new[keyPath: path]
        }
        if change.blkioDeviceReadBps != nil { devices.blkioDeviceReadBps = throttles(\.blkioDeviceReadBps) }
        if change.blkioDeviceWriteBps != nil { devices.blkioDeviceWriteBps = throttles(\.blkioDeviceWriteBps) }
        if change.blkioDeviceReadIOps != nil { devices.blkioDeviceReadIOps = throttles(\.blkioDeviceReadIOps) }
        if change.blkioDeviceWriteIOps != nil { devices.blkioDeviceWriteIOps = throttles(\.blkioDeviceWriteIOps) }
        resources.blockIO = try ResourceSection(limits: devices).resources(deviceRules: []).blockIO
        return resources
    }

    private static func gone(_ old: [String], _ new: [String]) -> [String] { old.filter { !new.contains($0) } }

    /// Memory and swap together: the kernel keeps them apart in version 2, where a change of one changes the other.
    private func memory(_ limits: ResourceLimits) -> LinuxMemory? {
        var memory = LinuxMemory()
        if change.memory != nil || change.memorySwap != nil {
            if limits.memory > 0 || change.memory != nil { memory.limit = limits.memory > 0 ? limits.memory : -1 }
            memory.swap = limits.memorySwap != 0 ? limits.memorySwap : -1
        }
        if change.memoryReservation != nil, limits.memoryReservation > 0 || !Machine.usesCgroupV2 {
            memory.reservation = limits.memoryReservation > 0 ? limits.memoryReservation : -1
        }
        return memory == LinuxMemory() ? nil : memory
    }

    private func cpu(_ limits: ResourceLimits) -> LinuxCPU? {
        var cpu = LinuxCPU()
        if change.cpuShares != nil { cpu.shares = limits.cpuShares > 0 ? UInt64(limits.cpuShares) : 1024 }
        if change.nanoCPUs != nil || change.cpuPeriod != nil || change.cpuQuota != nil {
            if limits.nanoCPUs > 0 {
                cpu.period = 100_000
                cpu.quota = limits.nanoCPUs * 100_000 / 1_000_000_000
            } else {
                if change.cpuPeriod != nil || change.nanoCPUs != nil {
                    cpu.period = limits.cpuPeriod > 0 ? UInt64(limits.cpuPeriod) : 100_000
                }
                if change.cpuQuota != nil || change.nanoCPUs != nil {
                    cpu.quota = limits.cpuQuota != 0 ? limits.cpuQuota : -1
                }
            }
        }
        if change.cpuRealtimePeriod != nil, limits.cpuRealtimePeriod > 0 {
            cpu.realtimePeriod = UInt64(limits.cpuRealtimePeriod)
        }
        if change.cpuRealtimeRuntime != nil { cpu.realtimeRuntime = limits.cpuRealtimeRuntime }
        if change.cpusetCPUs != nil {
            cpu.cpus = limits.cpusetCPUs.isEmpty ? Machine.availableCPUs : limits.cpusetCPUs
        }
        if change.cpusetMems != nil {
            cpu.mems = limits.cpusetMems.isEmpty ? Machine.availableMems : limits.cpusetMems
        }
        return cpu == LinuxCPU() ? nil : cpu
    }
}
