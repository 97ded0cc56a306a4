import Engine
import EngineAPIModel

extension ResourceLimits {
    /// The limits of a create request.
    init(_ wire: HostConfig, version: APIVersion) {
        self.init()
        memory = wire.memory
        memorySwap = wire.memorySwap
        memoryReservation = wire.memoryReservation
        memorySwappiness = wire.memorySwappiness
        kernelMemory = version < .v(42) ? wire.kernelMemory : 0
        oomKillDisable = wire.oomKillDisable
        cpuShares = wire.cpuShares
        nanoCPUs = wire.nanoCPUs
        cpuPeriod = wire.cpuPeriod
        cpuQuota = wire.cpuQuota
        cpuRealtimePeriod = wire.cpuRealtimePeriod
        cpuRealtimeRuntime = wire.cpuRealtimeRuntime
        cpusetCPUs = wire.cpusetCPUs
        cpusetMems = wire.cpusetMems
        pidsLimit = version < .v(40) ? nil : wire.pidsLimit
        blkioWeight = UInt16(clamping: wire.blkioWeight)
        blkioWeightDevice = (wire.blkioWeightDevice ?? []).map {
            .init(path: $0.path, weight: UInt16(clamping: $0.weight))
        }
        blkioDeviceReadBps = Self.throttles(wire.blkioDeviceReadBps)
        blkioDeviceWriteBps = Self.throttles(wire.blkioDeviceWriteBps)
        blkioDeviceReadIOps = Self.throttles(wire.blkioDeviceReadIOps)
        blkioDeviceWriteIOps = Self.throttles(wire.blkioDeviceWriteIOps)
        devices = (wire.devices ?? []).map {
            .init(
                pathOnHost: $0.pathOnHost, pathInContainer: $0.pathInContainer,
                cgroupPermissions: $0.cgroupPermissions)
        }
        deviceCgroupRules = wire.deviceCgroupRules ?? []
        deviceRequests = (wire.deviceRequests ?? []).map { request in
            let capabilities = (request.capabilities ?? []).map { $0.joined(separator: ",") }
            return ([request.driver] + capabilities).filter { !$0.isEmpty }.joined(separator: " ")
        }
        ulimits = (wire.ulimits ?? []).map { .init(name: $0.name, soft: $0.soft, hard: $0.hard) }
    }

    private static func throttles(_ wire: [EngineAPIModel.ThrottleDevice]?) -> [ThrottleLimit] {
        (wire ?? []).map { ThrottleLimit(path: $0.path, rate: UInt64(clamping: $0.rate)) }
    }
}

extension HostConfig {
    /// Fills in the limits as `inspect` shows them.
    mutating func setResources(_ limits: ResourceLimits) {
        memory = limits.memory
        memorySwap = limits.memorySwap
        memoryReservation = limits.memoryReservation
        // -1 and 0 are how clients write "not limited"; Docker shows that as null.
        memorySwappiness = limits.memorySwappiness == -1 ? nil : limits.memorySwappiness
        kernelMemory = limits.kernelMemory
        oomKillDisable = limits.oomKillDisable
        cpuShares = limits.cpuShares
        nanoCPUs = limits.nanoCPUs
        cpuPeriod = limits.cpuPeriod
        cpuQuota = limits.cpuQuota
        cpuRealtimePeriod = limits.cpuRealtimePeriod
        cpuRealtimeRuntime = limits.cpuRealtimeRuntime
        cpusetCPUs = limits.cpusetCPUs
        cpusetMems = limits.cpusetMems
        pidsLimit = limits.pidsLimit == 0 ? nil : limits.pidsLimit
        blkioWeight = Int(limits.blkioWeight)
        blkioWeightDevice = limits.blkioWeightDevice.map { device in
            var wire = EngineAPIModel.WeightDevice()
            wire.path = device.path
            wire.weight = Int(device.weight)
            return wire
        }
        blkioDeviceReadBps = Self.throttles(limits.blkioDeviceReadBps)
        blkioDeviceWriteBps = Self.throttles(limits.blkioDeviceWriteBps)
        blkioDeviceReadIOps = Self.throttles(limits.blkioDeviceReadIOps)
        blkioDeviceWriteIOps = Self.throttles(limits.blkioDeviceWriteIOps)
        devices = limits.devices.map { device in
            var wire = EngineAPIModel.DeviceMapping()
            wire.pathOnHost = device.pathOnHost
            wire.pathInContainer = device.pathInContainer
            wire.cgroupPermissions = device.cgroupPermissions
            return wire
        }
        deviceCgroupRules = limits.deviceCgroupRules.isEmpty ? nil : limits.deviceCgroupRules
        deviceRequests = nil
        ulimits = limits.ulimits.map { limit in
            var wire = EngineAPIModel.Ulimit()
            wire.name = limit.name
            wire.soft = limit.soft
            wire.hard = limit.hard
            return wire
        }
    }

    private static func throttles(_ limits: [ThrottleLimit]) -> [EngineAPIModel.ThrottleDevice] {
        limits.map { limit in
            var wire = EngineAPIModel.ThrottleDevice()
            wire.path = limit.path
            wire.rate = Int64(clamping: limit.rate)
            return wire
        }
    }
}
