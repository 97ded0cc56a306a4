import Engine
import EngineAPIModel

extension HostConfiguration {
    /// The host's side of a create request.
    ///
    /// - Throws: `EngineError` or `APIError` (invalid) with Docker's words.
    init(_ wire: HostConfig, version: APIVersion) throws {
        self.init()
        guard ["", "default"].contains(wire.isolation) else {
            throw APIError.invalid("invalid isolation \"\(wire.isolation)\" on linux")
        }
        networkMode = try NetworkMode(wire.networkMode)
        pidMode = try PIDMode(wire.pidMode)
        // Clients before 1.40 expect to be able to share the namespace.
        ipcMode = try IPCMode(wire.ipcMode.isEmpty && version < .v(40) ? "shareable" : wire.ipcMode)
        utsMode = try UTSMode(wire.utsMode)
        cgroupNamespaceMode = try CgroupNamespaceMode(wire.cgroupnsMode)
        userNamespaceMode = try UserNamespaceMode(wire.usernsMode)
        resources = ResourceLimits(wire, version: version)
        capAdd = wire.capAdd ?? []
        capDrop = wire.capDrop ?? []
        privileged = wire.privileged
        readonlyRootfs = wire.readonlyRootfs
        securityOptions = wire.securityOpt ?? []
        maskedPaths = wire.maskedPaths
        readonlyPaths = wire.readonlyPaths
        sysctls = wire.sysctls
        groupAdd = wire.groupAdd ?? []
        oomScoreAdj = wire.oomScoreAdj
        `init` = wire.initProcess
        restartPolicy = try .init(
            name: wire.restartPolicy.name, maximumRetryCount: wire.restartPolicy.maximumRetryCount)
        autoRemove = wire.autoRemove
        binds = try (wire.binds ?? []).map { try BindSpecification($0) }
        mounts = try wire.mounts.map { try MountSpecification($0, version: version) }
        tmpfs = wire.tmpfs
        shmSize = wire.shmSize == 0 ? nil : wire.shmSize
        volumesFrom = wire.volumesFrom ?? []
        volumeDriver = wire.volumeDriver
        storageOptions = wire.storageOpt
        extraHosts = wire.extraHosts ?? []
        dns = wire.dns ?? []
        dnsOptions = wire.dnsOptions ?? []
        dnsSearch = wire.dnsSearch ?? []
        portBindings = (wire.portBindings ?? [:]).mapValues { bindings in
            (bindings ?? []).map { .init(hostIP: $0.hostIP, hostPort: $0.hostPort) }
        }
        publishAllPorts = wire.publishAllPorts
        links = wire.links ?? []
        let log = wire.logConfig
        if !log.type.isEmpty || !(log.config ?? [:]).isEmpty {
            logConfiguration = LogConfiguration(driver: log.type, options: log.config ?? [:])
        }
        cgroupParent = wire.cgroupParent
        runtime = wire.runtime
        annotations = version < .v(43) ? [:] : wire.annotations
        containerIDFile = wire.containerIDFile
        if version >= .v(42) { consoleSize = ConsoleSize(wire: wire.consoleSize) }
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
    /// A container's host configuration as `inspect` shows it; `network` is the name of the network it is on.
    init(_ host: HostConfiguration, network: String?) {
        self.init()
        binds = host.binds.isEmpty ? nil : host.binds.map(\.description)
        containerIDFile = host.containerIDFile
        logConfig.type = host.logConfiguration?.driver ?? ""
        logConfig.config = host.logConfiguration?.options ?? [:]
        networkMode = host.networkMode == .default ? network ?? "default" : host.networkMode.description
        portBindings = host.portBindings.mapValues { bindings in
            bindings.map { binding in
                var wire = EngineAPIModel.PortBinding()
                wire.hostIP = binding.hostIP
                wire.hostPort = binding.hostPort
                return wire
            }
        }
        restartPolicy.name = host.restartPolicy.name
        restartPolicy.maximumRetryCount = host.restartPolicy.maximumRetryCount
        autoRemove = host.autoRemove
        volumeDriver = host.volumeDriver
        volumesFrom = host.volumesFrom.nilIfEmpty
        consoleSize = ConsoleSize.wire(host.consoleSize)
        annotations = host.annotations
        capAdd = host.capAdd.nilIfEmpty
        capDrop = host.capDrop.nilIfEmpty
        cgroupnsMode = host.cgroupNamespaceMode.description
        dns = host.dns
        dnsOptions = host.dnsOptions
        dnsSearch = host.dnsSearch
        extraHosts = host.extraHosts.nilIfEmpty
        groupAdd = host.groupAdd.nilIfEmpty
        ipcMode = host.ipcMode.description
        links = host.links.nilIfEmpty
        oomScoreAdj = host.oomScoreAdj
        pidMode = host.pidMode.description
        privileged = host.privileged
        publishAllPorts = host.publishAllPorts
        readonlyRootfs = host.readonlyRootfs
        securityOpt = host.securityOptions.nilIfEmpty
        storageOpt = host.storageOptions
        tmpfs = host.tmpfs
        utsMode = host.utsMode.description
        usernsMode = host.userNamespaceMode.description
        shmSize = host.shmSize ?? 0
        sysctls = host.sysctls
        runtime = host.runtime
        cgroupParent = host.cgroupParent
        mounts = host.mounts.map(Mount.init)
        maskedPaths = host.maskedPaths
        readonlyPaths = host.readonlyPaths
        initProcess = host.`init`
        setResources(host.resources)
    }
}

extension Array {
    /// What Docker writes as `null` where nothing was asked for.
    fileprivate var nilIfEmpty: Self? { isEmpty ? nil : self }
}
