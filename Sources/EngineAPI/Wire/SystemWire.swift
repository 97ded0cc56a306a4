import BuildInformation
import Engine
import EngineAPIModel
import OCISpec

extension VersionResponse {
    /// What `GET /version` answers.
    init(_ information: EngineInformation, version requested: APIVersion) {
        self.init()
        platform.name = "Masu"
        version = MasuVersion.version
        apiVersion = MasuVersion.apiVersion
        minAPIVersion = MasuVersion.minimumAPIVersion
        os = information.osType
        arch = Platform.host.architecture
        kernelVersion = information.kernelVersion
        var component = VersionComponent()
        component.name = "Engine"
        component.version = version
        component.details = [
            "ApiVersion": apiVersion, "MinAPIVersion": minAPIVersion, "GitCommit": gitCommit, "GoVersion": goVersion,
            "Os": os, "Arch": arch, "KernelVersion": kernelVersion, "Experimental": "false", "BuildTime": buildTime,
        ]
        components = [component]
    }
}

extension SystemInfo {
    /// What `GET /info` answers.
    init(_ information: EngineInformation, version: APIVersion) {
        self.init()
        id = information.id
        containers = information.containers
        containersRunning = information.containersRunning
        containersPaused = information.containersPaused
        containersStopped = information.containersStopped
        images = information.images
        driver = StorageDriverName.wire(information.driver)
        driverStatus = information.driverStatus.map { [$0.0, $0.1] }
        plugins.volume = []
        plugins.network = ["host", "null"]
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
        nCPU = information.cpus
        memTotal = information.memoryTotal
        dockerRootDir = information.dataRoot
        httpProxy = information.httpProxy
        httpsProxy = information.httpsProxy
        noProxy = information.noProxy
        name = information.name
        labels = information.labels
        serverVersion = MasuVersion.version
        runtimes = information.runtimes.mapValues { program in
            var runtime = RuntimeInfo()
            runtime.path = program.path
            runtime.runtimeArgs = program.arguments
            return runtime
        }
        defaultRuntime = information.defaultRuntime
        swarm.localNodeState = "inactive"
        liveRestoreEnabled = information.liveRestore
        initBinary = information.initBinary
        initCommit.id = MasuVersion.version
        runcCommit.id = MasuVersion.version
        securityOptions = information.securityOptions
        cdiSpecDirs = []
        warnings = information.warnings
    }
}

extension EventMessage {
    /// A line of `GET /events`, with the fields of old that the docker CLI before 25 cannot do without.
    package init(_ event: EngineEvent) {
        self.init()
        type = event.kind.rawValue
        action = event.action
        actor.id = event.actorID
        actor.attributes = event.attributes
        scope = "local"
        time = event.time.seconds
        timeNano = event.time.nanosecondsSinceEpoch
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
