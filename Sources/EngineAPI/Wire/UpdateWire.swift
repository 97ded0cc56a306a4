import Engine
import EngineAPIModel
import JSON
import PublishedPorts

extension ContainerChange {
    /// What an update request asks for.
    ///
    /// - Parameters:
    ///   - document: the same request, for what else is in it.
    ///   - warnings: gets what is asked for and not done.
    /// - Throws: `APIError` or `EngineError` (invalid) with Docker's words.
    package init(
        _ wire: ContainerUpdateRequest, version: APIVersion, document: JSONValue, warnings: inout [String]
    ) throws {
        self.init()
        if wire.ioMaximumBandwidth != 0 || wire.ioMaximumIOps != 0 {
            throw APIError.invalid(
                "Invalid QoS settings: linux does not support Maximum IO Bandwidth or Maximum IO IOps")
        }
        if let policy = wire.restartPolicy, !policy.name.isEmpty {
            restartPolicy = try EngineRestartPolicy(wire: policy)
        }
        limits = ResourceChange(wire, version: version, warnings: &warnings)
        ports = PortChange(
            adding: try PortMapping.all(wire: wire.publishAdd ?? [:]),
            removing: try PortMapping.all(wire: wire.publishRm ?? [:]))
        if let nowhere = ports.added.first(where: \.bindings.isEmpty) {
            throw APIError.invalid(
                "PublishAdd names no place for port \(nowhere.port); [{}] is any port of the host")
        }
        let others = (document.object ?? JSONObject()).filter { $0.1.says }.map(\.0)
        let fixed = Self.fixed.filter { name in others.contains { $0.lowercased() == name.lowercased() } }
        if !fixed.isEmpty {
            warnings.append("\(fixed.joined(separator: ", ")) cannot be changed by an update. Discarded.")
        }
    }

    /// What a container's resources are made of and no update changes, here as with Docker, which says nothing.
    private static let fixed = [
        "CgroupParent", "CpuCount", "CpuPercent", "DeviceCgroupRules", "DeviceRequests", "Devices",
        "KernelMemoryTCP", "MemorySwappiness", "OomKillDisable", "Ulimits",
    ]
}

extension ResourceChange {
    fileprivate init(_ wire: ContainerUpdateRequest, version: APIVersion, warnings: inout [String]) {
        self.init()
        func given(_ value: Int64) -> Int64? { value == 0 ? nil : value }
        func given(_ text: String) -> String? { text.isEmpty ? nil : text }
        memory = given(wire.memory)
        memorySwap = given(wire.memorySwap)
        memoryReservation = given(wire.memoryReservation)
        kernelMemory = version < .v(42) ? given(wire.kernelMemory) : nil
        cpuShares = given(wire.cpuShares)
        nanoCPUs = given(wire.nanoCPUs)
        cpuPeriod = given(wire.cpuPeriod)
        cpuQuota = given(wire.cpuQuota)
        cpuRealtimePeriod = given(wire.cpuRealtimePeriod)
        cpuRealtimeRuntime = given(wire.cpuRealtimeRuntime)
        cpusetCPUs = given(wire.cpusetCPUs)
        cpusetMems = given(wire.cpusetMems)
        // Clients before 1.40 did not know the field and cannot have meant it.
        if version >= .v(40), let limit = wire.pidsLimit { pidsLimit = max(0, limit) }
        if wire.blkioWeight != 0 {
            // What is no weight must not become one.
            blkioWeight = wire.blkioWeight < 0 ? 1 : UInt16(clamping: wire.blkioWeight)
        }
        guard version >= .v(55) else {
            let lists = [
                wire.blkioDeviceReadBps, wire.blkioDeviceWriteBps, wire.blkioDeviceReadIOps, wire.blkioDeviceWriteIOps,
            ]
            if lists.contains(where: { $0?.isEmpty == false }) || wire.blkioWeightDevice?.isEmpty == false {
                warnings.append("Limits of single devices can be changed since API version 1.55. Discarded.")
            }
            return
        }
        blkioWeightDevice = wire.blkioWeightDevice?.map {
            .init(path: $0.path, weight: UInt16(clamping: $0.weight))
        }
        func throttles(_ devices: [EngineAPIModel.ThrottleDevice]?) -> [ThrottleLimit]? {
            devices?.map { ThrottleLimit(path: $0.path, rate: UInt64(clamping: $0.rate)) }
        }
        blkioDeviceReadBps = throttles(wire.blkioDeviceReadBps)
        blkioDeviceWriteBps = throttles(wire.blkioDeviceWriteBps)
        blkioDeviceReadIOps = throttles(wire.blkioDeviceReadIOps)
        blkioDeviceWriteIOps = throttles(wire.blkioDeviceWriteIOps)
    }
}

extension JSONValue {
    /// Whether a member with this value asks for something: clients send what they do not mean as Go's zero value.
    fileprivate var says: Bool {
        switch self {
        case .null: false
        case .bool(let value): value
        case .string(let text): !text.isEmpty
        case .array(let elements): elements.contains(where: \.says)
        case .object(let members): members.values.contains(where: \.says)
        default: double != 0
        }
    }
}
