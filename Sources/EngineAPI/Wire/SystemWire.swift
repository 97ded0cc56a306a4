import BuildInformation
import Engine
import EngineAPIModel
import Networks
import OCISpec

extension VersionResponse {
    /// What `GET /version` answers.
    init(_ information: EngineInformation, version requested: APIVersion) {
        self.init()
        platform.name = "Masu"
        version = MasuVersion.engineVersion
        apiVersion = MasuVersion.apiVersion
        minAPIVersion = MasuVersion.minimumAPIVersion
        os = information.osType
        arch = Platform.host.architecture
        kernelVersion = information.kernelVersion
        experimental = information.isExperimental
        var component = VersionComponent()
        component.name = "Engine"
        component.version = version
        component.details = [
            "ApiVersion": apiVersion, "MinAPIVersion": minAPIVersion, "GitCommit": gitCommit, "GoVersion": goVersion,
            "Os": os, "Arch": arch, "KernelVersion": kernelVersion, "Experimental": "\(experimental)",
            "BuildTime": buildTime,
        ]
        components = [component, Self.own("Masu"), Self.own("masu-runtime"), Self.own("masu-init")]
    }
}

extension VersionResponse {
    /// A part of Masu, by its own name and version.
    private static func own(_ name: String) -> VersionComponent {
        var component = VersionComponent()
        component.name = name
        component.version = MasuVersion.version
        component.details = [:]
        return component
    }
}

extension SystemInfo {
    /// What `GET /info` answers.
    init(_ information: EngineInformation, version requested: APIVersion) {
        self.init()
        id = information.id
        containers = information.containers
        containersRunning = information.containersRunning
        containersPaused = information.containersPaused
        containersStopped = information.containersStopped
        images = information.images
        driver = StorageDriverName.wire(information.driver)
        driverStatus = information.driverStatus.map { [$0.0, $0.1] }
        plugins.volume = information.volumeDrivers
        plugins.network = NetworkDriver.allCases.map(\.rawValue).sorted()
        var firewall = FirewallInfo()
        firewall.driver = "nftables"
        let (mode, isChosen) = information.firewall
        firewall.info = [
            ["Mode", mode.rawValue],
            ["ModeChosenBy", isChosen ? "masud, as it suits the host's chains" : "--firewall"],
        ]
        firewallBackend = firewall
        defaultAddressPools = information.addressPools.map { pool in
            var wire = AddressPoolInfo()
            wire.base = pool.base.description
            wire.size = pool.size
            return wire
        }
        plugins.log = information.logDrivers
        memoryLimit = information.memoryLimit
        swapLimit = information.swapLimit
        cpuCfsPeriod = information.cpuCFSPeriod
        cpuCfsQuota = information.cpuCFSQuota
        cpuShares = information.cpuShares
        cpuSet = information.cpuSet
        pidsLimit = information.pidsLimit
        ipv4Forwarding = information.ipv4Forwarding
        debug = information.debug
        nFd = information.openFiles
        oomKillDisable = information.oomKillDisable
        systemTime = information.systemTime.description
        loggingDriver = information.loggingDriver
        cgroupDriver = information.cgroupDriver
        cgroupVersion = information.cgroupVersion
        nEventsListener = information.eventListeners
        kernelVersion = information.kernelVersion
        operatingSystem = information.operatingSystem
        osVersion = information.osVersion
        osType = information.osType
        architecture = information.architecture
        // What clients log in to where no registry is named.
        indexServerAddress = "https://index.docker.io/v1/"
        nCPU = information.cpus
        memTotal = information.memoryTotal
        dockerRootDir = information.dataRoot
        httpProxy = information.httpProxy
        httpsProxy = information.httpsProxy
        noProxy = information.noProxy
        name = information.name
        labels = information.labels
        serverVersion = MasuVersion.engineVersion
        for (name, program) in information.runtimes {
            var runtime = RuntimeInfo()
            runtime.path = program.path
            runtime.runtimeArgs = program.arguments
            // Others would have to be started to be asked; clients take a missing status for an unknown one.
            if name == EngineConfiguration.builtInRuntime { runtime.status = Self.ownFeatures }
            runtimes[name] = runtime
        }
        defaultRuntime = information.defaultRuntime
        swarm.localNodeState = "inactive"
        experimentalBuild = information.isExperimental
        liveRestoreEnabled = information.liveRestore
        initBinary = information.initBinary
        initCommit.id = MasuVersion.version
        runcCommit.id = MasuVersion.version
        initCommit.expected = initCommit.id
        runcCommit.expected = runcCommit.id
        containerdCommit.expected = containerdCommit.id
        bridgeNfIptables = information.bridgeFilter.v4
        bridgeNfIp6tables = information.bridgeFilter.v6
        securityOptions = information.securityOptions
        cdiSpecDirs = information.deviceDirectories
        discoveredDevices = information.devices.map { name in
            var device = DiscoveredDevice()
            device.source = "cdi"
            device.id = name
            return device
        }
        warnings = information.warnings
    }

    /// What the built-in runtime can do, as its program tells in full (`features.md` of the runtime specification).
    private static let ownFeatures = [
        "org.opencontainers.runtime-spec.features":
            #"{"ociVersionMin":"1.0.0","ociVersionMax":"\#(MasuVersion.runtimeSpecification)"}"#
    ]
}

extension EventMessage {
    /// A line of `GET /events`.
    package init(_ event: EngineEvent) {
        self.init()
        type = event.kind.rawValue
        action = event.action
        actor.id = event.actorID
        actor.attributes = event.attributes
        scope = "local"
        time = event.time.seconds
        timeNano = event.time.nanosecondsSinceEpoch
        // The fields of old, without which the docker CLI before 25 cannot do.
        switch event.kind {
        case .container:
            status = event.action
            id = event.actorID
            from = event.attributes["image"] ?? ""
        case .image:
            status = event.action
            id = event.actorID
        case .network, .volume, .daemon, .plugin, .builder: break
        }
    }
}
