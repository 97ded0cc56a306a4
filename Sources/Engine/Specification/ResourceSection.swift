import LinuxKernel
import OCISpec
import SystemPackage

/// The limits of a container in the specification's terms.
package struct ResourceSection {
    /// What was asked for.
    package let limits: ResourceLimits

    /// The limits in the runtime specification's terms.
    package func resources(deviceRules: [LinuxDeviceCgroup]) throws(EngineError) -> LinuxResources {
        var resources = LinuxResources()
        resources.devices = deviceRules
        resources.memory = memory()
        resources.cpu = cpu()
        if let limit = limits.pidsLimit, limit != 0 { resources.pids = LinuxPids(limit: limit < 0 ? -1 : limit) }
        resources.blockIO = try blockIO()
        return resources
    }

    private func memory() -> LinuxMemory? {
        var memory = LinuxMemory()
        if limits.memory > 0 { memory.limit = limits.memory }
        if limits.memoryReservation > 0 { memory.reservation = limits.memoryReservation }
        if limits.memorySwap != 0 { memory.swap = limits.memorySwap }
        if let swappiness = limits.memorySwappiness, swappiness >= 0 { memory.swappiness = UInt64(swappiness) }
        if limits.oomKillDisable == true { memory.disableOOMKiller = true }
        return memory == LinuxMemory() ? nil : memory
    }

    private func cpu() -> LinuxCPU? {
        var cpu = LinuxCPU()
        if limits.cpuShares > 0 { cpu.shares = UInt64(limits.cpuShares) }
        if limits.nanoCPUs > 0 {
            // Tenths of a second are the period Docker counts with.
            cpu.period = 100_000
            cpu.quota = limits.nanoCPUs * 100_000 / 1_000_000_000
        } else {
            if limits.cpuPeriod > 0 { cpu.period = UInt64(limits.cpuPeriod) }
            if limits.cpuQuota != 0 { cpu.quota = limits.cpuQuota }
        }
        if limits.cpuRealtimePeriod > 0 { cpu.realtimePeriod = UInt64(limits.cpuRealtimePeriod) }
        if limits.cpuRealtimeRuntime > 0 { cpu.realtimeRuntime = limits.cpuRealtimeRuntime }
        if !limits.cpusetCPUs.isEmpty { cpu.cpus = limits.cpusetCPUs }
        if !limits.cpusetMems.isEmpty { cpu.mems = limits.cpusetMems }
        return cpu == LinuxCPU() ? nil : cpu
    }

    private func blockIO() throws(EngineError) -> LinuxBlockIO? {
        var block = LinuxBlockIO()
        if limits.blkioWeight > 0 { block.weight = limits.blkioWeight }
        if !limits.blkioWeightDevice.isEmpty {
            var devices: [LinuxWeightDevice] = []
            for device in limits.blkioWeightDevice {
                let (major, minor) = try Self.numbers(device.path)
                devices.append(LinuxWeightDevice(major: major, minor: minor, weight: device.weight))
            }
            block.weightDevice = devices
        }
        block.throttleReadBpsDevice = try throttle(limits.blkioDeviceReadBps)
        block.throttleWriteBpsDevice = try throttle(limits.blkioDeviceWriteBps)
        block.throttleReadIOPSDevice = try throttle(limits.blkioDeviceReadIOps)
        block.throttleWriteIOPSDevice = try throttle(limits.blkioDeviceWriteIOps)
        return block == LinuxBlockIO() ? nil : block
    }

    private func throttle(_ devices: [ThrottleDevice]) throws(EngineError) -> [LinuxThrottleDevice]? {
        var result: [LinuxThrottleDevice] = []
        for device in devices {
            let (major, minor) = try Self.numbers(device.path)
            result.append(LinuxThrottleDevice(major: major, minor: minor, rate: device.rate))
        }
        return result.isEmpty ? nil : result
    }

    private static func numbers(_ path: String) throws(EngineError) -> (Int64, Int64) {
        do {
            let status = try FileStatus.of(FilePath(path))
            guard status.kind == .blockDevice else { throw EngineError.invalid("\(path) is not a block device") }
            return (Int64(status.deviceNumbers.major), Int64(status.deviceNumbers.minor))
        } catch let error as EngineError {
            throw error
        } catch {
            throw .invalid("unable to find device \(path): \(error)")
        }
    }
}
