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
        host.setLimits(flags)
        host.memorySwappiness = flags.given(ContainerFlags.memorySwappiness).map { Int64($0) }
        host.isolation = flags[ContainerFlags.isolation]
        host.kernelMemory = flags[ContainerFlags.kernelMemory]
        host.oomKillDisable = flags[ContainerFlags.oomKillDisable]
        host.oomScoreAdj = flags[ContainerFlags.oomScoreAdj]
        host.pidsLimit = flags.given(ContainerFlags.pidsLimit).map { Int64($0) }
        host.blkioWeightDevice = flags[ContainerFlags.blkioWeightDevice]
        host.blkioDeviceReadBps = flags[ContainerFlags.deviceReadBps]
        host.blkioDeviceWriteBps = flags[ContainerFlags.deviceWriteBps]
        host.blkioDeviceReadIOps = flags[ContainerFlags.deviceReadIOps]
        host.blkioDeviceWriteIOps = flags[ContainerFlags.deviceWriteIOps]
        host.deviceCgroupRules = nonEmpty(flags[ContainerFlags.deviceCgroupRule])
        host.ulimits = flags[ContainerFlags.ulimit]
        host.devices = []
        let named = flags[ContainerFlags.device].filter(DeviceRequestText.isQualifiedName)
        for text in flags[ContainerFlags.device] where !named.contains(text) {
            host.devices?.append(try ResourceTexts.deviceMapping(text))
        }
        let requests = flags[ContainerFlags.gpus] + [DeviceRequestText.devices(named)].compactMap { $0 }
        host.deviceRequests = requests.isEmpty ? nil : requests
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
        let asked = try NetworkText.parse(flags[ContainerFlags.network] + flags[ContainerFlags.net])
        request.hostConfig.networkMode = asked.first?.target ?? "default"
        let links = flags[ContainerFlags.link]
        request.hostConfig.links = nonEmpty(links)
        var networks = asked.isEmpty ? [NetworkText("default")] : asked
        try addEndpointFlags(&networks[0], links: links)
        for network in networks { try network.check() }
        let userDefined = networks.count { $0.isUserDefined }
        guard userDefined == 0 || userDefined == networks.count else {
            throw CommandError(
                "conflicting options: cannot attach both user-defined and non-user-defined network-modes")
        }
        // A network of which nothing is asked need not be named twice.
        let isPlain = networks.count == 1 && networks[0].settings == EndpointSettings()
        request.networkingConfig.endpointsConfig =
            isPlain
            ? [:] : Dictionary(networks.map { ($0.target, $0.settings) }, uniquingKeysWith: { $1 })
    }

    /// The flags that say something about one network say it about the first.
    private func addEndpointFlags(_ network: inout NetworkText, links: [String]) throws(CommandError) {
        func refuse(_ flag: String, _ what: String, _ isSaidTwice: Bool) throws(CommandError) {
            guard isSaidTwice else { return }
            throw CommandError("conflicting options: cannot specify both \(flag) and per-network \(what)")
        }
        var settings = network.settings
        var addresses = settings.ipamConfig ?? EndpointIPAMConfig()
        let aliases = flags[ContainerFlags.networkAlias] + flags[ContainerFlags.netAlias]
        let linkLocal = flags[ContainerFlags.linkLocalIP]
        let (ip, ip6) = (flags[ContainerFlags.ip], flags[ContainerFlags.ip6])
        let mac = flags[ContainerFlags.macAddress]
        try refuse("--network-alias", "alias", !aliases.isEmpty && settings.aliases != nil)
        try refuse("--ip", "IPv4 address", !ip.isEmpty && !addresses.ipv4Address.isEmpty)
        try refuse("--ip6", "IPv6 address", !ip6.isEmpty && !addresses.ipv6Address.isEmpty)
        try refuse("--mac-address", "MAC address", !mac.isEmpty && !settings.macAddress.isEmpty)
        try refuse(
            "--link-local-ip", "link-local IP addresses", !linkLocal.isEmpty && !addresses.linkLocalIPs.isEmpty)
        if !aliases.isEmpty { settings.aliases = aliases }
        // On the default network a link is the container's, not the endpoint's.
        if network.isUserDefined, !links.isEmpty { settings.links = links }
        if !mac.isEmpty { settings.macAddress = mac }
        if !ip.isEmpty { addresses.ipv4Address = ip }
        if !ip6.isEmpty { addresses.ipv6Address = ip6 }
        if !linkLocal.isEmpty { addresses.linkLocalIPs = linkLocal }
        if addresses != EndpointIPAMConfig() { settings.ipamConfig = addresses }
        network.settings = settings
    }

    private func nonEmpty(_ list: [String]) -> [String]? {
        list.isEmpty ? nil : list
    }
}
