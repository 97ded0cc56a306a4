import Addresses
import Engine
import EngineAPIModel
import PublishedPorts

extension HostConfiguration {
    /// The host's side of a create request.
    ///
    /// - Throws: `EngineError` or `APIError` (invalid) with Docker's words.
    init(_ wire: HostConfig, version: APIVersion, logDriver: LogDriver) throws {
        self.init()
        if !wire.isolation.isEmpty {
            guard let known = Isolation(rawValue: wire.isolation.lowercased()) else {
                throw APIError.invalid("invalid isolation (\(wire.isolation)): linux only supports 'default'")
            }
            isolation = known
        }
        let unsupported = [("bandwidth", wire.ioMaximumBandwidth), ("IOPs", wire.ioMaximumIOps)]
        for (what, limit) in unsupported where limit != 0 {
            throw APIError.invalid("invalid option: QoS maximum \(what) configuration is not supported on linux")
        }
        networkMode = try NetworkMode(wire: wire.networkMode)
        pidMode = try PIDMode(wire: wire.pidMode)
        // Clients before 1.40 expect to be able to share the namespace.
        ipcMode = try IPCMode(wire: wire.ipcMode.isEmpty && version < .v(40) ? "shareable" : wire.ipcMode)
        utsMode = try UTSMode(wire: wire.utsMode)
        cgroupNamespaceMode = try CgroupNamespaceMode(wire: wire.cgroupnsMode)
        if cgroupNamespaceMode == .default, version < .v(41) { cgroupNamespaceMode = .hostOnVersion1 }
        userNamespaceMode = try UserNamespaceMode(wire: wire.usernsMode)
        resources = try ResourceLimits(wire, version: version)
        capAdd = try CapabilityName.asked(wire.capAdd, as: "CapAdd")
        capDrop = try CapabilityName.asked(wire.capDrop, as: "CapDrop")
        if let exact = wire.capabilities {
            guard capAdd.isEmpty, capDrop.isEmpty else {
                throw APIError.invalid("conflicting options: Capabilities and CapAdd / CapDrop")
            }
            capAdd = try CapabilityName.asked(exact, as: "Capabilities")
            capDrop = [Asked(.all)]
        }
        privileged = wire.privileged
        readonlyRootfs = wire.readonlyRootfs
        securityOptions = try SecurityOptions(wire: wire.securityOpt ?? [])
        maskedPaths = wire.maskedPaths
        readonlyPaths = wire.readonlyPaths
        sysctls = wire.sysctls
        groupAdd = wire.groupAdd ?? []
        oomScoreAdj = wire.oomScoreAdj
        `init` = wire.initProcess
        restartPolicy = try .init(wire: wire.restartPolicy)
        autoRemove = wire.autoRemove
        binds = try (wire.binds ?? []).map { try BindSpecification(wire: $0, version: version) }
        mounts = try wire.mounts.map { try MountSpecification($0, version: version) }
        tmpfs = try wire.tmpfs.sorted { $0.key < $1.key }.map { try TmpfsMount(wire: $0.key, options: $0.value) }
        shmSize = wire.shmSize == 0 ? nil : wire.shmSize
        volumesFrom = try (wire.volumesFrom ?? []).map { try VolumesFrom(wire: $0) }
        volumeDriver = wire.volumeDriver
        storageOptions = wire.storageOpt
        sizeLimit = try Self.sizeLimit(wire: wire.storageOpt)
        extraHosts = try (wire.extraHosts ?? []).map { try ExtraHost.asked($0) }
        dns = try (wire.dns ?? []).map { try IPAddress(server: $0) }
        dnsOptions = wire.dnsOptions ?? []
        dnsSearch = wire.dnsSearch ?? []
        publishedPorts = try PortMapping.all(wire: wire.portBindings ?? [:])
        publishAllPorts = wire.publishAllPorts
        links = wire.links ?? []
        log = try LogSettings(
            driver: wire.logConfig.type, options: wire.logConfig.config ?? [:], standard: logDriver)
        cgroupParent = wire.cgroupParent
        runtime = wire.runtime
        annotations = wire.annotations
        containerIDFile = wire.containerIDFile
        consoleSize = ConsoleSize(wire: wire.consoleSize)
    }

    /// The one option that storage drivers have for a container; zero is no limit.
    private static func sizeLimit(wire options: [String: String]) throws(APIError) -> ByteCount? {
        var limit: ByteCount?
        for (name, value) in options.sorted(by: { $0.key < $1.key }) {
            let lower = name.lowercased()
            guard lower == "size" else { throw .invalid("Unknown option \(lower)") }
            guard let bytes = ByteCount(text: value) else { throw .invalid("invalid size: '\(value)'") }
            limit = bytes.bytes == 0 ? nil : bytes
        }
        return limit
    }
}

extension ConsoleSize {
    /// The API's pair of height and width; `nil` for none, or for zeros.
    init?(wire: [Int]) {
        guard wire.count == 2, let rows = UInt16(exactly: wire[0]), let columns = UInt16(exactly: wire[1]),
            rows > 0 || columns > 0
        else { return nil }
        self.init(rows: rows, columns: columns)
    }

    /// The API's pair; zeros for none.
    static func wire(_ size: ConsoleSize?) -> [Int] { size.map { [Int($0.rows), Int($0.columns)] } ?? [0, 0] }
}

extension HostConfig {
    /// A container's host configuration as `inspect` shows it.
    package init(shown host: HostConfiguration) {
        self.init()
        binds = host.binds.isEmpty ? nil : host.binds.map(\.description)
        containerIDFile = host.containerIDFile
        logConfig.type = host.log.driver?.rawValue ?? ""
        logConfig.config = host.log.wireOptions
        networkMode = host.networkMode.description
        portBindings = PortMapping.wire(host.publishedPorts)
        restartPolicy = host.restartPolicy.wire
        autoRemove = host.autoRemove
        volumeDriver = host.volumeDriver
        volumesFrom = host.volumesFrom.map(\.description).nilIfEmpty
        consoleSize = ConsoleSize.wire(host.consoleSize)
        annotations = host.annotations
        capAdd = host.capAdd.map(\.text).nilIfEmpty
        capDrop = host.capDrop.map(\.text).nilIfEmpty
        cgroupnsMode = host.cgroupNamespaceMode.description
        dns = host.dns.map(\.description)
        dnsOptions = host.dnsOptions
        dnsSearch = host.dnsSearch
        extraHosts = host.extraHosts.map(\.text).nilIfEmpty
        groupAdd = host.groupAdd.nilIfEmpty
        ipcMode = host.ipcMode.description
        oomScoreAdj = host.oomScoreAdj
        pidMode = host.pidMode.description
        privileged = host.privileged
        publishAllPorts = host.publishAllPorts
        readonlyRootfs = host.readonlyRootfs
        securityOpt = host.securityOptions.wire.nilIfEmpty
        storageOpt = host.storageOptions
        tmpfs = Dictionary(
            host.tmpfs.map { ($0.target.description, $0.options.map(\.description).joined(separator: ",")) },
            uniquingKeysWith: { first, _ in first })
        utsMode = host.utsMode.description
        usernsMode = host.userNamespaceMode.description
        shmSize = host.shmSize ?? 0
        sysctls = host.sysctls
        runtime = host.runtime
        isolation = host.isolation?.rawValue ?? ""
        cgroupParent = host.cgroupParent
        mounts = host.mounts.map(Mount.init)
        maskedPaths = host.maskedPaths
        readonlyPaths = host.readonlyPaths
        initProcess = host.`init`
        setResources(host.resources)
    }
}

extension CapabilityName {
    /// Reads names in any case, with or without `CAP_`.
    fileprivate static func asked(_ names: [String]?, as field: String) throws -> [Asked<CapabilityName>] {
        try (names ?? []).map { text in
            let upper = text.uppercased()
            let full = upper == "ALL" || upper.hasPrefix("CAP_") ? upper : "CAP_" + upper
            guard let name = CapabilityName(full) else {
                throw APIError.invalid("invalid \(field): unknown capability: \"\(full)\"")
            }
            return Asked(name, words: text)
        }
    }
}

extension Array {
    /// What Docker writes as `null` where nothing was asked for.
    fileprivate var nilIfEmpty: Self? { isEmpty ? nil : self }
}
