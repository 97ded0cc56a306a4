import EngineAPIModel
import Flags

/// Turns the flags of `run` and `create` into what the API takes.
///
/// What several flags say together is judged here in docker's words; what needs the host is the daemon's to judge.
struct ContainerRequest {
    private let flags: ParsedFlags
    private let operands: [String]

    /// - Parameter invocation: of a command that has ``ContainerFlags``; its operands are the image and the command.
    init(_ invocation: Invocation) {
        flags = invocation.flags
        operands = invocation.operands
    }

    /// The image as the user named it.
    var image: String { operands[0] }

    /// The request.
    ///
    /// - Throws: ``CommandError`` for contradictions and unreadable files.
    func created() throws(CommandError) -> ContainerCreateRequest {
        try checkModes()
        var request = ContainerCreateRequest()
        request.config = try config()
        request.hostConfig = try hostConfig()
        try addVolumes(&request)
        try addPorts(&request)
        try addNetworks(&request)
        return request
    }

    private func checkModes() throws(CommandError) {
        if flags[ContainerFlags.remove], !["", "no"].contains(flags[ContainerFlags.restart]) {
            throw CommandError("conflicting options: cannot specify both --restart and --rm")
        }
        let mac = flags[ContainerFlags.macAddress]
        if !mac.isEmpty, !NetworkAddress.isHardwareAddress(mac) {
            throw CommandError("\(mac) is not a valid mac address")
        }
        let swappiness = flags[ContainerFlags.memorySwappiness]
        guard (-1...100).contains(swappiness) else {
            throw CommandError("invalid value: \(swappiness). Valid memory swappiness range is 0-100")
        }
        let pid = flags[ContainerFlags.pid]
        let pidParts = pid.split(separator: ":", omittingEmptySubsequences: false)
        let joinsContainer = pidParts.count == 2 && pidParts[0] == "container" && !pidParts[1].isEmpty
        guard ["", "host", "private"].contains(pid) || joinsContainer else {
            throw CommandError("--pid: invalid PID mode")
        }
        guard ["", "host"].contains(flags[ContainerFlags.uts]) else { throw CommandError("--uts: invalid UTS mode") }
        guard ["", "host"].contains(flags[ContainerFlags.userns]) else {
            throw CommandError("--userns: invalid USER mode")
        }
        guard ["", "host", "private"].contains(flags[ContainerFlags.cgroupns]) else {
            throw CommandError("--cgroupns: invalid CGROUP mode")
        }
    }

    private func config() throws(CommandError) -> ContainerConfig {
        var config = ContainerConfig()
        config.hostname = flags[ContainerFlags.hostname]
        config.domainname = flags[ContainerFlags.domainname]
        config.user = flags[ContainerFlags.user]
        config.tty = flags[ContainerFlags.tty]
        config.openStdin = flags[ContainerFlags.interactive]
        let streams = flags[ContainerFlags.attach].map { $0.lowercased() }
        config.attachStdin = streams.isEmpty ? config.openStdin : streams.contains("stdin")
        config.attachStdout = streams.isEmpty || streams.contains("stdout")
        config.attachStderr = streams.isEmpty || streams.contains("stderr")
        config.stdinOnce = config.openStdin && config.attachStdin
        config.env = try variables()
        config.cmd = operands.count > 1 ? Array(operands.dropFirst()) : nil
        config.image = image
        config.workingDir = flags[ContainerFlags.workdir]
        if let entrypoint = flags.given(ContainerFlags.entrypoint) { config.entrypoint = [entrypoint] }
        config.labels = try labels()
        config.stopSignal = flags[ContainerFlags.stopSignal]
        config.stopTimeout = flags.given(ContainerFlags.stopTimeout)
        config.healthcheck = try healthcheck()
        return config
    }

    private func variables() throws(CommandError) -> [String] {
        var result: [String] = []
        for path in flags[ContainerFlags.envFile] {
            result += try KeyValueTexts.parseFile(
                try LocalFile.read(path), path: path, environment: { Console.environment($0) })
        }
        result += flags[ContainerFlags.env].map {
            KeyValueTexts.resolved($0, environment: { Console.environment($0) })
        }
        let daemon = try DaemonClient.address(flags).description
        return result + ClientConfiguration.user.proxyVariables(for: daemon, besides: result)
    }

    private func labels() throws(CommandError) -> [String: String] {
        var texts: [String] = []
        for path in flags[ContainerFlags.labelFile] {
            texts += try KeyValueTexts.parseFile(try LocalFile.read(path), path: path, environment: nil)
        }
        return KeyValueTexts.dictionary(texts + flags[ContainerFlags.label])
    }

    private func healthcheck() throws(CommandError) -> HealthConfig? {
        let detailed: [any FlagDeclaration] = [
            ContainerFlags.healthCmd, ContainerFlags.healthInterval, ContainerFlags.healthTimeout,
            ContainerFlags.healthStartPeriod, ContainerFlags.healthStartInterval, ContainerFlags.healthRetries,
        ]
        let isDetailed = detailed.contains { flags.isSet($0.definition) }
        var health = HealthConfig()
        if flags[ContainerFlags.noHealthcheck] {
            if isDetailed { throw CommandError("--no-healthcheck conflicts with --health-* options") }
            health.test = ["NONE"]
            return health
        }
        guard isDetailed else { return nil }
        let command = flags[ContainerFlags.healthCmd]
        if !command.isEmpty { health.test = ["CMD-SHELL", command] }
        health.interval = flags[ContainerFlags.healthInterval]
        health.timeout = flags[ContainerFlags.healthTimeout]
        health.startPeriod = flags[ContainerFlags.healthStartPeriod]
        health.startInterval = flags[ContainerFlags.healthStartInterval]
        health.retries = flags[ContainerFlags.healthRetries]
        let checks = [
            (health.interval, "interval"), (health.timeout, "timeout"), (health.startPeriod, "start-period"),
            (health.startInterval, "start-interval"), (Int64(health.retries), "retries"),
        ]
        for (value, name) in checks where value < 0 { throw CommandError("--health-\(name) cannot be negative") }
        return health
    }

    private func hostConfig() throws(CommandError) -> HostConfig {
        var host = HostConfig()
        host.containerIDFile = flags[ContainerFlags.cidfile]
        host.autoRemove = flags[ContainerFlags.remove]
        host.restartPolicy = try ResourceTexts.restartPolicy(flags[ContainerFlags.restart])
        host.volumeDriver = flags[ContainerFlags.volumeDriver]
        host.volumesFrom = nonEmpty(flags[ContainerFlags.volumesFrom])
        host.consoleSize = [0, 0]
        host.annotations = KeyValueTexts.dictionary(flags[ContainerFlags.annotation])
        host.runtime = flags[ContainerFlags.runtime]
        host.initProcess = flags.given(ContainerFlags.initProcess)
        host.readonlyRootfs = flags[ContainerFlags.readOnly]
        host.shmSize = flags[ContainerFlags.shmSize]
        host.dns = flags[ContainerFlags.dns]
        host.dnsOptions = flags[ContainerFlags.dnsOption] + flags[ContainerFlags.dnsOpt]
        host.dnsSearch = flags[ContainerFlags.dnsSearch]
        host.extraHosts = nonEmpty(
            flags[ContainerFlags.addHost].map { entry in
                // The API wants `name:address`; `name=address` is the other spelling for people.
                guard let mark = entry.firstIndex(where: { $0 == ":" || $0 == "=" }) else { return entry }
                return entry[..<mark] + ":" + entry[entry.index(after: mark)...]
            })
        try addLogging(&host)
        try addPrivileges(&host)
        try addLimits(&host)
        return host
    }

    private func addLogging(_ host: inout HostConfig) throws(CommandError) {
        host.logConfig.type = flags[ContainerFlags.logDriver]
        host.logConfig.config = KeyValueTexts.dictionary(flags[ContainerFlags.logOpt])
        if host.logConfig.type == "none", host.logConfig.config?.isEmpty == false {
            throw CommandError("invalid logging opts for driver none")
        }
        for option in flags[ContainerFlags.storageOpt] {
            let (name, value, hasValue) = KeyValueTexts.divide(option)
            guard hasValue else { throw CommandError("invalid storage option") }
            host.storageOpt[name] = value
        }
    }

    private func addPrivileges(_ host: inout HostConfig) throws(CommandError) {
        host.capAdd = nonEmpty(flags[ContainerFlags.capAdd])
        host.capDrop = nonEmpty(flags[ContainerFlags.capDrop])
        host.cgroupnsMode = flags[ContainerFlags.cgroupns]
        host.cgroupParent = flags[ContainerFlags.cgroupParent]
        host.groupAdd = nonEmpty(flags[ContainerFlags.groupAdd])
        host.ipcMode = flags[ContainerFlags.ipc]
        host.pidMode = flags[ContainerFlags.pid]
        host.utsMode = flags[ContainerFlags.uts]
        host.usernsMode = flags[ContainerFlags.userns]
        host.privileged = flags[ContainerFlags.privileged]
        host.sysctls = KeyValueTexts.dictionary(flags[ContainerFlags.sysctl])
        let security = try SecurityOptionTexts(flags[ContainerFlags.securityOpt])
        host.securityOpt = nonEmpty(security.options)
        if security.showsSystemPaths {
            host.maskedPaths = []
            host.readonlyPaths = []
        }
    }

    private func addLimits(_ host: inout HostConfig) throws(CommandError) {
        host.memory = flags[ContainerFlags.memory]
        host.memorySwap = flags[ContainerFlags.memorySwap]
        host.memoryReservation = flags[ContainerFlags.memoryReservation]
        host.memorySwappiness = flags.given(ContainerFlags.memorySwappiness).map { Int64($0) }
        host.kernelMemory = flags[ContainerFlags.kernelMemory]
        host.oomKillDisable = flags[ContainerFlags.oomKillDisable]
        host.oomScoreAdj = flags[ContainerFlags.oomScoreAdj]
        host.nanoCPUs = flags[ContainerFlags.cpus] ?? 0
        host.cpuShares = Int64(flags[ContainerFlags.cpuShares])
        host.cpuPeriod = Int64(flags[ContainerFlags.cpuPeriod])
        host.cpuQuota = Int64(flags[ContainerFlags.cpuQuota])
        host.cpuRealtimePeriod = Int64(flags[ContainerFlags.cpuRealtimePeriod])
        host.cpuRealtimeRuntime = Int64(flags[ContainerFlags.cpuRealtimeRuntime])
        host.cpusetCPUs = flags[ContainerFlags.cpusetCPUs]
        host.cpusetMems = flags[ContainerFlags.cpusetMems]
        host.pidsLimit = flags.given(ContainerFlags.pidsLimit).map { Int64($0) }
        host.blkioWeight = flags[ContainerFlags.blkioWeight]
        host.blkioWeightDevice = flags[ContainerFlags.blkioWeightDevice]
        host.blkioDeviceReadBps = flags[ContainerFlags.deviceReadBps]
        host.blkioDeviceWriteBps = flags[ContainerFlags.deviceWriteBps]
        host.blkioDeviceReadIOps = flags[ContainerFlags.deviceReadIOps]
        host.blkioDeviceWriteIOps = flags[ContainerFlags.deviceWriteIOps]
        host.deviceCgroupRules = nonEmpty(flags[ContainerFlags.deviceCgroupRule])
        host.ulimits = flags[ContainerFlags.ulimit]
        host.devices = []
        for text in flags[ContainerFlags.device] { host.devices?.append(try ResourceTexts.deviceMapping(text)) }
    }

    private func addVolumes(_ request: inout ContainerCreateRequest) throws(CommandError) {
        var binds: [String] = []
        var volumes: [String: EmptyObject] = [:]
        for text in flags[ContainerFlags.volume] {
            switch try VolumeText(parsing: text) {
            case .bind(let bind): binds.append(bind)
            case .anonymous(let path): volumes[path] = EmptyObject()
            }
        }
        request.hostConfig.binds = nonEmpty(binds)
        request.config.volumes = volumes.isEmpty ? nil : volumes
        request.hostConfig.mounts = flags[ContainerFlags.mount]
        for text in flags[ContainerFlags.tmpfs] {
            let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            request.hostConfig.tmpfs[parts[0]] = parts.count == 2 ? parts[1] : ""
        }
    }

    private func addPorts(_ request: inout ContainerCreateRequest) throws(CommandError) {
        var published: [PortSpecification] = []
        for text in flags[ContainerFlags.publish] { published += try PortSpecification.parse(text) }
        for port in published { request.config.exposedPorts[port.containerPort] = EmptyObject() }
        for text in flags[ContainerFlags.expose] {
            for port in try PortSpecification.parseExposed(text) { request.config.exposedPorts[port] = EmptyObject() }
        }
        request.hostConfig.portBindings = PortSpecification.bindings(published)
        request.hostConfig.publishAllPorts = flags[ContainerFlags.publishAll]
    }

    private func addNetworks(_ request: inout ContainerCreateRequest) throws(CommandError) {
        let attachments = try NetworkText.parse(flags[ContainerFlags.network] + flags[ContainerFlags.net])
        request.hostConfig.networkMode = attachments.first?.target ?? "default"
        var endpoints: [String: EndpointSettings] = [:]
        for (index, attachment) in attachments.enumerated() {
            var settings = attachment.settings
            if index == 0 { addEndpointFlags(&settings) }
            if attachments.count > 1 || settings != EndpointSettings() { endpoints[attachment.target] = settings }
        }
        if attachments.isEmpty {
            var settings = EndpointSettings()
            addEndpointFlags(&settings)
            if settings != EndpointSettings() { endpoints["default"] = settings }
        }
        request.networkingConfig.endpointsConfig = endpoints
    }

    private func addEndpointFlags(_ settings: inout EndpointSettings) {
        let aliases = flags[ContainerFlags.networkAlias]
        if !aliases.isEmpty { settings.aliases = (settings.aliases ?? []) + aliases }
        if let mac = flags.given(ContainerFlags.macAddress) { settings.macAddress = mac }
        let (ip, ip6) = (flags[ContainerFlags.ip], flags[ContainerFlags.ip6])
        if !ip.isEmpty || !ip6.isEmpty {
            var addresses = EndpointIPAMConfig()
            addresses.ipv4Address = ip
            addresses.ipv6Address = ip6
            settings.ipamConfig = addresses
        }
    }

    private func nonEmpty(_ list: [String]) -> [String]? {
        list.isEmpty ? nil : list
    }
}
