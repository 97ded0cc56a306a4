/// A change of a container that exists: of its limits, its restart policy, its ports. What is empty stays as it is.
package struct ContainerChange: Hashable, Sendable {
    /// Limits.
    package var limits = ResourceChange()
    /// What happens when the container has ended.
    package var restartPolicy: RestartPolicy?
    /// Published ports.
    package var ports = PortChange()

    /// No change.
    package init() {}
}

/// A change of limits; nil for those that stay.
package struct ResourceChange: Hashable, Sendable {
    /// Bytes.
    package var memory: Int64?
    /// Memory plus swap in bytes; -1 is no limit of swap.
    package var memorySwap: Int64?
    /// Soft limit in bytes.
    package var memoryReservation: Int64?
    /// Without effect, as in `ResourceLimits`.
    package var kernelMemory: Int64?
    /// The weight beside other containers.
    package var cpuShares: Int64?
    /// CPUs × 10⁹.
    package var nanoCPUs: Int64?
    /// Microseconds.
    package var cpuPeriod: Int64?
    /// Processor time in each period, in microseconds; -1 is no limit.
    package var cpuQuota: Int64?
    /// Microseconds.
    package var cpuRealtimePeriod: Int64?
    /// Microseconds.
    package var cpuRealtimeRuntime: Int64?
    /// Processors, `0-2,4`.
    package var cpusetCPUs: String?
    /// Memory nodes in the same form.
    package var cpusetMems: String?
    /// 0 is no limit.
    package var pidsLimit: Int64?
    /// 10 to 1000.
    package var blkioWeight: UInt16?
    /// All devices with weights of their own, in the place of those before.
    package var blkioWeightDevice: [WeightDevice]?
    /// The same of bytes read in a second.
    package var blkioDeviceReadBps: [ThrottleDevice]?
    /// The same of bytes written in a second.
    package var blkioDeviceWriteBps: [ThrottleDevice]?
    /// The same of reads in a second.
    package var blkioDeviceReadIOps: [ThrottleDevice]?
    /// The same of writes in a second.
    package var blkioDeviceWriteIOps: [ThrottleDevice]?

    /// No change.
    package init() {}
}

extension ResourceChange {
    /// Checks what can be known without the container; returns warnings. Throws with Docker's texts.
    func validate(in context: ValidationContext) throws(EngineError) -> [String] {
        try given.validate(in: context, isUpdate: true)
    }

    /// The limits that are given, and no others.
    private var given: ResourceLimits { over(ResourceLimits()) }

    private func over(_ limits: ResourceLimits) -> ResourceLimits {
        var limits = limits
        limits.memory = memory ?? limits.memory
        limits.memorySwap = memorySwap ?? limits.memorySwap
        limits.memoryReservation = memoryReservation ?? limits.memoryReservation
        limits.kernelMemory = kernelMemory ?? limits.kernelMemory
        limits.cpuShares = cpuShares ?? limits.cpuShares
        limits.nanoCPUs = nanoCPUs ?? limits.nanoCPUs
        limits.cpuPeriod = cpuPeriod ?? limits.cpuPeriod
        limits.cpuQuota = cpuQuota ?? limits.cpuQuota
        limits.cpuRealtimePeriod = cpuRealtimePeriod ?? limits.cpuRealtimePeriod
        limits.cpuRealtimeRuntime = cpuRealtimeRuntime ?? limits.cpuRealtimeRuntime
        limits.cpusetCPUs = cpusetCPUs ?? limits.cpusetCPUs
        limits.cpusetMems = cpusetMems ?? limits.cpusetMems
        limits.pidsLimit = pidsLimit ?? limits.pidsLimit
        limits.blkioWeight = blkioWeight ?? limits.blkioWeight
        limits.blkioWeightDevice = blkioWeightDevice ?? limits.blkioWeightDevice
        limits.blkioDeviceReadBps = blkioDeviceReadBps ?? limits.blkioDeviceReadBps
        limits.blkioDeviceWriteBps = blkioDeviceWriteBps ?? limits.blkioDeviceWriteBps
        limits.blkioDeviceReadIOps = blkioDeviceReadIOps ?? limits.blkioDeviceReadIOps
        limits.blkioDeviceWriteIOps = blkioDeviceWriteIOps ?? limits.blkioDeviceWriteIOps
        return limits
    }

    /// A container's limits after the change.
    ///
    /// - Throws: `EngineError` (conflict) with Docker's texts for what does not go together with its present limits.
    package func applied(to limits: ResourceLimits) throws(EngineError) -> ResourceLimits {
        func refuse(_ what: String, _ other: String, _ isConflict: Bool) throws(EngineError) {
            if isConflict {
                throw .conflict("Conflicting options: \(what) cannot be updated as \(other) has already been set")
            }
        }
        let asksForCPUs = (nanoCPUs ?? 0) > 0
        try refuse("Nano CPUs", "CPU Period", asksForCPUs && limits.cpuPeriod > 0)
        try refuse("Nano CPUs", "CPU Quota", asksForCPUs && limits.cpuQuota > 0)
        try refuse("CPU Period", "NanoCPUs", (cpuPeriod ?? 0) > 0 && limits.nanoCPUs > 0)
        try refuse("CPU Quota", "NanoCPUs", (cpuQuota ?? 0) > 0 && limits.nanoCPUs > 0)
        if let memory, memorySwap == nil, memory > limits.memorySwap {
            throw .conflict(
                "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same "
                    + "time")
        }
        return over(limits)
    }
}
