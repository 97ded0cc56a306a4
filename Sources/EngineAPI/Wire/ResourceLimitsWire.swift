import Engine
import EngineAPIModel

extension ResourceLimits {
    /// The limits of a create request.
    ///
    /// - Throws: `APIError` (invalid) with Docker's words.
    init(_ wire: HostConfig, version: APIVersion) throws {
        self.init()
        memory = wire.memory
        memorySwap = wire.memorySwap
        memoryReservation = wire.memoryReservation
        memorySwappiness = wire.memorySwappiness
        kernelMemory = wire.kernelMemory
        oomKillDisable = wire.oomKillDisable
        cpuShares = wire.cpuShares
        nanoCPUs = wire.nanoCPUs
        cpuPeriod = wire.cpuPeriod
        cpuQuota = wire.cpuQuota
        cpuRealtimePeriod = wire.cpuRealtimePeriod
        cpuRealtimeRuntime = wire.cpuRealtimeRuntime
        cpusetCPUs = wire.cpusetCPUs
        cpusetMems = wire.cpusetMems
        pidsLimit = wire.pidsLimit
        blkioWeight = UInt16(clamping: wire.blkioWeight)
        blkioWeightDevice = (wire.blkioWeightDevice ?? []).map {
            .init(path: $0.path, weight: UInt16(clamping: $0.weight))
        }
        blkioDeviceReadBps = Self.throttles(wire.blkioDeviceReadBps)
        blkioDeviceWriteBps = Self.throttles(wire.blkioDeviceWriteBps)
        blkioDeviceReadIOps = Self.throttles(wire.blkioDeviceReadIOps)
        blkioDeviceWriteIOps = Self.throttles(wire.blkioDeviceWriteIOps)
        devices = try (wire.devices ?? []).map { device in
            let text = device.cgroupPermissions
            guard let access = text.isEmpty ? .all : DeviceAccess(text) else {
                throw APIError.invalid("invalid device mode: \(text)")
            }
            return .init(
                pathOnHost: device.pathOnHost, pathInContainer: device.pathInContainer,
                access: Asked(access, words: text.isEmpty ? nil : text))
        }
        deviceCgroupRules = try (wire.deviceCgroupRules ?? []).map { try DeviceCgroupRule(wire: $0) }
        deviceRequests = (wire.deviceRequests ?? []).map { request in
            .init(
                driver: request.driver, count: request.count, deviceIDs: request.deviceIDs ?? [],
                capabilities: request.capabilities ?? [], options: request.options ?? [:])
        }
        ulimits = try (wire.ulimits ?? []).map { limit in
            guard let resource = EngineUlimit.Resource(rawValue: limit.name) else {
                throw APIError.invalid("invalid ulimit type: \(limit.name)")
            }
            guard let ulimit = EngineUlimit(resource, soft: limit.soft, hard: limit.hard) else {
                throw APIError.invalid(
                    "ulimit soft limit must be less than or equal to hard limit: \(limit.soft) > \(limit.hard)")
            }
            return ulimit
        }
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
            wire.cgroupPermissions = device.access.text
            return wire
        }
        deviceCgroupRules = limits.deviceCgroupRules.isEmpty ? nil : limits.deviceCgroupRules.map(\.description)
        deviceRequests =
            limits.deviceRequests.isEmpty ? nil : limits.deviceRequests.map(EngineAPIModel.DeviceRequest.init)
        ulimits = limits.ulimits.map { limit in
            var wire = EngineAPIModel.Ulimit()
            wire.name = limit.resource.rawValue
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

extension DeviceCgroupRule {
    /// Reads `c 1:3 rwm`.
    ///
    /// - Throws: `APIError` (invalid) with Docker's words.
    package init(wire text: String) throws {
        let parts = text.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        let numbers = parts.count == 3 ? parts[1].split(separator: ":", omittingEmptySubsequences: false) : []
        guard parts.count == 3, let kind = Kind(rawValue: parts[0]), let access = DeviceAccess(parts[2]),
            numbers.count == 2, numbers.allSatisfy({ $0 == "*" || UInt32($0) != nil })
        else { throw APIError.invalid("invalid device cgroup rule format: '\(text)'") }
        self.init(kind: kind, major: UInt32(numbers[0]), minor: UInt32(numbers[1]), access: access)
    }
}

extension EngineAPIModel.DeviceRequest {
    /// A request as `inspect` shows it.
    init(_ request: EngineDeviceRequest) {
        self.init()
        driver = request.driver
        count = request.count
        deviceIDs = request.deviceIDs.isEmpty ? nil : request.deviceIDs
        capabilities = request.capabilities.isEmpty ? nil : request.capabilities
        options = request.options
    }
}
