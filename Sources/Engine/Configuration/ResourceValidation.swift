extension ResourceLimits {
    /// The least memory in which a container can start (Docker's number since 2021).
    private static let minimumMemory: Int64 = 6 << 20

    /// Checks the limits against each other and the machine; returns warnings. Throws with Docker's texts.
    ///
    /// - Parameter isUpdate: whether these are the changed ones of a container's limits.
    package func validate(in context: ValidationContext, isUpdate: Bool = false) throws(EngineError) -> [String] {
        var warnings: [String] = []
        try validateMemory(in: context, isUpdate: isUpdate, warnings: &warnings)
        try validateProcessors(in: context)
        try validateDevices()
        if blkioWeight != 0, !(10...1000).contains(blkioWeight) {
            throw .invalid("Range of blkio weight is from 10 to 1000")
        }
        for device in blkioWeightDevice where !(10...1000).contains(device.weight) && device.weight != 0 {
            throw .invalid("Range of blkio weight is from 10 to 1000")
        }
        if oomKillDisable == true, memory == 0 {
            warnings.append(
                "OOM killer is disabled for the container, but no memory limit is set, this can result in the system "
                    + "running out of resources."
            )
        }
        return warnings
    }

    private func validateMemory(
        in context: ValidationContext, isUpdate: Bool, warnings: inout [String]
    ) throws(EngineError) {
        if memory < 0 || memory != 0 && memory < Self.minimumMemory {
            throw .invalid("Minimum memory limit allowed is 6MB")
        }
        if memory > 0, memorySwap > 0, memorySwap < memory {
            throw .invalid("Minimum memoryswap limit should be larger than memory limit, see usage")
        }
        if memory == 0, memorySwap > 0, !isUpdate {
            throw .invalid("You should always set the Memory limit when using Memoryswap limit, see usage")
        }
        if let memorySwappiness, memorySwappiness != -1, !(0...100).contains(memorySwappiness) {
            throw .invalid("Invalid value: \(memorySwappiness), valid memory swappiness range is 0-100")
        }
        if memoryReservation > 0, memoryReservation < Self.minimumMemory {
            throw .invalid("Minimum memory reservation allowed is 6MB")
        }
        if memory > 0, memoryReservation > memory {
            throw .invalid("Minimum memory limit can not be less than memory reservation limit, see usage")
        }
        if memory > 0, !context.memoryIsLimitable {
            warnings.append(
                "Your kernel does not support memory limit capabilities or the cgroup is not mounted. Limitation "
                    + "discarded."
            )
        } else if memory > 0, memorySwap != -1, !context.swapIsLimitable {
            warnings.append(
                "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited "
                    + "without swap."
            )
        }
    }

    private func validateProcessors(in context: ValidationContext) throws(EngineError) {
        if cpuShares < 0 { throw .invalid("invalid CPU shares (\(cpuShares)): value must be a positive integer") }
        if cpuShares == 1 { throw .invalid("The minimum allowed cpu-shares is 2") }
        if nanoCPUs != 0 {
            if cpuPeriod > 0 { throw .invalid("Conflicting options: Nano CPUs and CPU Period cannot both be set") }
            if cpuQuota > 0 { throw .invalid("Conflicting options: Nano CPUs and CPU Quota cannot both be set") }
            if nanoCPUs < 10_000_000 || nanoCPUs > Int64(context.processors) * 1_000_000_000 {
                let count = context.processors
                throw .invalid(
                    "range of CPUs is from 0.01 to \(count).00, as there are only \(count) CPUs available")
            }
        }
        if cpuPeriod != 0, !(1000...1_000_000).contains(cpuPeriod) {
            throw .invalid("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")
        }
        if cpuQuota > 0, cpuQuota < 1000 { throw .invalid("CPU cfs quota can not be less than 1ms (i.e. 1000)") }
        try Self.validate(cpusetCPUs, name: "cpuset cpus", available: context.availableCPUs, what: "CPUs")
        try Self.validate(cpusetMems, name: "cpuset mems", available: context.availableMems, what: "memory nodes")
    }

    private static func validate(
        _ list: String, name: String, available: String, what: String
    ) throws(EngineError) {
        guard !list.isEmpty else { return }
        guard let wanted = numbers(in: list) else { throw .invalid("Invalid value \(list) for \(name)") }
        if let present = numbers(in: available), !wanted.isSubset(of: present) {
            throw .invalid("Requested \(what) are not available - requested \(list), available: \(available)")
        }
    }

    /// The numbers of a list like `0-3,8`, or nil if it is none.
    package static func numbers(in list: String) -> Set<Int>? {
        var numbers: Set<Int> = []
        for part in list.split(separator: ",", omittingEmptySubsequences: false) {
            let bounds = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard let first = bounds.first, let low = first, low >= 0 else { return nil }
            guard bounds.count <= 2, let last = bounds.last, let high = last, high >= low, high < 8192 else {
                return nil
            }
            numbers.formUnion(low...high)
        }
        return numbers
    }

    private func validateDevices() throws(EngineError) {
        for device in devices {
            guard device.pathInContainer.hasPrefix("/") else {
                throw .invalid("invalid device path in container: \(device.pathInContainer)")
            }
        }
    }
}
