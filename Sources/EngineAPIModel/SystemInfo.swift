/// The state of the daemon and its host: `GET /info`.
package struct SystemInfo: WireObject {
    /// The daemon's id, made once for its data root.
    @Always package var id: String = ""
    /// How many containers there are.
    @Always package var containers: Int = 0
    /// How many run.
    @Always package var containersRunning: Int = 0
    /// How many are paused.
    @Always package var containersPaused: Int = 0
    /// How many have ended or never ran.
    @Always package var containersStopped: Int = 0
    /// How many images there are.
    @Always package var images: Int = 0
    /// The storage driver.
    @Always package var driver: String = ""
    /// Facts about the storage driver, in pairs.
    @Always package var driverStatus: [[String]] = []
    /// What kinds of drivers there are.
    @Always package var plugins: PluginsInfo = PluginsInfo()
    /// Whether memory can be limited.
    @Always package var memoryLimit: Bool = false
    /// Whether swap can be limited.
    @Always package var swapLimit: Bool = false
    /// Whether the CFS period can be set.
    @Always package var cpuCfsPeriod: Bool = false
    /// Whether the CFS quota can be set.
    @Always package var cpuCfsQuota: Bool = false
    /// Whether CPU weights can be set.
    @Always package var cpuShares: Bool = false
    /// Whether CPUs can be chosen.
    @Always package var cpuSet: Bool = false
    /// Whether the number of processes can be limited.
    @Always package var pidsLimit: Bool = false
    /// Whether the host forwards IPv4.
    @Always package var ipv4Forwarding: Bool = false
    /// Whether the kernel shows packets of bridges to the filter; before 1.50.
    @OmittedIfEmpty package var bridgeNfIptables: Bool? = nil
    /// The same for IPv6; before 1.50.
    @OmittedIfEmpty package var bridgeNfIp6tables: Bool? = nil
    /// Whether the daemon logs for debugging.
    @Always package var debug: Bool = false
    /// How many descriptors the daemon has open.
    @Always package var nFd: Int = 0
    /// Whether the OOM killer can be switched off.
    @Always package var oomKillDisable: Bool = false
    /// How many threads the daemon has.
    @Always package var nGoroutines: Int = 0
    /// The host's time.
    @Always package var systemTime: String = ""
    /// The default log driver.
    @Always package var loggingDriver: String = ""
    /// `cgroupfs` or `systemd`.
    @Always package var cgroupDriver: String = ""
    /// `1` or `2`.
    @OmittedIfEmpty package var cgroupVersion: String = ""
    /// How many clients follow events.
    @Always package var nEventsListener: Int = 0
    /// `uname -r`.
    @Always package var kernelVersion: String = ""
    /// The host's name for itself.
    @Always package var operatingSystem: String = ""
    /// The host's version.
    @Always package var osVersion: String = ""
    /// `linux`.
    @Always package var osType: String = ""
    /// `uname -m`.
    @Always package var architecture: String = ""
    /// The default registry.
    @Always package var indexServerAddress: String = ""
    /// Registries and how they are reached.
    @Always package var registryConfig: RegistryServiceConfig = RegistryServiceConfig()
    /// How many CPUs there are.
    @Always package var nCPU: Int = 0
    /// Bytes of memory.
    @Always package var memTotal: Int64 = 0
    /// Unused without Swarm.
    @Always package var genericResources: [String]? = nil
    /// The data root.
    @Always package var dockerRootDir: String = ""
    /// The proxy for HTTP.
    @Always package var httpProxy: String = ""
    /// The proxy for HTTPS.
    @Always package var httpsProxy: String = ""
    /// The hosts that the daemon reaches without a proxy.
    @Always package var noProxy: String = ""
    /// The host's name.
    @Always package var name: String = ""
    /// The daemon's labels.
    @Always package var labels: [String] = []
    /// Whether experimental features are on.
    @Always package var experimentalBuild: Bool = false
    /// The daemon's version.
    @Always package var serverVersion: String = ""
    /// OCI runtimes by name.
    @Always package var runtimes: [String: RuntimeInfo] = [:]
    /// Which of them is the default.
    @Always package var defaultRuntime: String = ""
    /// Always inactive.
    @Always package var swarm: SwarmInfo = SwarmInfo()
    /// Whether containers survive the daemon.
    @Always package var liveRestoreEnabled: Bool = false
    /// Windows only.
    @Always package var isolation: String = ""
    /// The program that `--init` runs.
    @Always package var initBinary: String = ""
    /// Unused.
    @Always package var containerdCommit: CommitInfo = CommitInfo()
    /// The version of the OCI runtime.
    @Always package var runcCommit: CommitInfo = CommitInfo()
    /// The version of the init.
    @Always package var initCommit: CommitInfo = CommitInfo()
    /// Such as `name=seccomp,profile=builtin`.
    @Always package var securityOptions: [String] = []
    /// How packets are filtered.
    @OmittedIfEmpty package var firewallBackend: FirewallInfo? = nil
    /// What networks get their subnets of; left out if nobody has chosen.
    @OmittedIfEmpty package var defaultAddressPools: [AddressPoolInfo] = []
    /// Where CDI specifications are looked for.
    @Always package var cdiSpecDirs: [String]? = nil
    /// Devices that containers can ask for by their names, since API 1.50.
    @OmittedIfEmpty package var discoveredDevices: [DiscoveredDevice] = []
    /// What the user should know.
    @Always package var warnings: [String]? = nil

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case id = "ID"
        case containers = "Containers"
        case containersRunning = "ContainersRunning"
        case containersPaused = "ContainersPaused"
        case containersStopped = "ContainersStopped"
        case images = "Images"
        case driver = "Driver"
        case driverStatus = "DriverStatus"
        case plugins = "Plugins"
        case memoryLimit = "MemoryLimit"
        case swapLimit = "SwapLimit"
        case cpuCfsPeriod = "CpuCfsPeriod"
        case cpuCfsQuota = "CpuCfsQuota"
        case cpuShares = "CPUShares"
        case cpuSet = "CPUSet"
        case pidsLimit = "PidsLimit"
        case ipv4Forwarding = "IPv4Forwarding"
        case bridgeNfIptables = "BridgeNfIptables"
        case bridgeNfIp6tables = "BridgeNfIp6tables"
        case debug = "Debug"
        case nFd = "NFd"
        case oomKillDisable = "OomKillDisable"
        case nGoroutines = "NGoroutines"
        case systemTime = "SystemTime"
        case loggingDriver = "LoggingDriver"
        case cgroupDriver = "CgroupDriver"
        case cgroupVersion = "CgroupVersion"
        case nEventsListener = "NEventsListener"
        case kernelVersion = "KernelVersion"
        case operatingSystem = "OperatingSystem"
        case osVersion = "OSVersion"
        case osType = "OSType"
        case architecture = "Architecture"
        case indexServerAddress = "IndexServerAddress"
        case registryConfig = "RegistryConfig"
        case nCPU = "NCPU"
        case memTotal = "MemTotal"
        case genericResources = "GenericResources"
        case dockerRootDir = "DockerRootDir"
        case httpProxy = "HttpProxy"
        case httpsProxy = "HttpsProxy"
        case noProxy = "NoProxy"
        case name = "Name"
        case labels = "Labels"
        case experimentalBuild = "ExperimentalBuild"
        case serverVersion = "ServerVersion"
        case runtimes = "Runtimes"
        case defaultRuntime = "DefaultRuntime"
        case swarm = "Swarm"
        case liveRestoreEnabled = "LiveRestoreEnabled"
        case isolation = "Isolation"
        case initBinary = "InitBinary"
        case containerdCommit = "ContainerdCommit"
        case runcCommit = "RuncCommit"
        case initCommit = "InitCommit"
        case securityOptions = "SecurityOptions"
        case firewallBackend = "FirewallBackend"
        case defaultAddressPools = "DefaultAddressPools"
        case cdiSpecDirs = "CDISpecDirs"
        case discoveredDevices = "DiscoveredDevices"
        case warnings = "Warnings"
    }
}

/// What kinds of drivers there are.
package struct PluginsInfo: WireObject {
    /// Volume drivers.
    @Always package var volume: [String]? = nil
    /// Network drivers.
    @Always package var network: [String]? = nil
    /// Authorization plugins.
    @Always package var authorization: [String]? = nil
    /// Log drivers.
    @Always package var log: [String]? = nil

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case volume = "Volume"
        case network = "Network"
        case authorization = "Authorization"
        case log = "Log"
    }
}

/// Registries and how they are reached.
package struct RegistryServiceConfig: WireObject {
    /// Always null: every layer is distributed. For clients older than API 1.47.
    @Always package var allowNondistributableArtifactsCIDRs: [String]? = nil
    /// The same.
    @Always package var allowNondistributableArtifactsHostnames: [String]? = nil
    /// Networks whose registries may speak plain HTTP.
    @Always package var insecureRegistryCIDRs: [String]? = nil
    /// Registries by name.
    @Always package var indexConfigs: [String: RegistryIndex]? = nil
    /// Mirrors of the default registry.
    @Always package var mirrors: [String]? = nil

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case allowNondistributableArtifactsCIDRs = "AllowNondistributableArtifactsCIDRs"
        case allowNondistributableArtifactsHostnames = "AllowNondistributableArtifactsHostnames"
        case insecureRegistryCIDRs = "InsecureRegistryCIDRs"
        case indexConfigs = "IndexConfigs"
        case mirrors = "Mirrors"
    }
}

/// A registry.
package struct RegistryIndex: WireObject {
    /// Its name.
    @Always package var name: String = ""
    /// Its mirrors.
    @Always package var mirrors: [String]? = nil
    /// Whether it must speak TLS.
    @Always package var secure: Bool = false
    /// Whether it is the default one.
    @Always package var official: Bool = false

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case name = "Name"
        case mirrors = "Mirrors"
        case secure = "Secure"
        case official = "Official"
    }
}

/// An OCI runtime.
package struct RuntimeInfo: WireObject {
    /// Its program.
    @OmittedIfEmpty package var path: String = ""
    /// Arguments before the command.
    @OmittedIfEmpty package var runtimeArgs: [String] = []
    /// What is known of it, by names of annotations; since 1.44.
    @OmittedIfEmpty package var status: [String: String] = [:]

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case path
        case runtimeArgs
        case status
    }
}

/// The state of Swarm, for clients that ask.
package struct SwarmInfo: WireObject {
    /// Always empty.
    @Always package var nodeID: String = ""
    /// Always empty.
    @Always package var nodeAddr: String = ""
    /// `inactive`.
    @Always package var localNodeState: String = ""
    /// Always false.
    @Always package var controlAvailable: Bool = false
    /// Always empty.
    @Always package var error: String = ""
    /// Always null.
    @Always package var remoteManagers: [String]? = nil

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case nodeID = "NodeID"
        case nodeAddr = "NodeAddr"
        case localNodeState = "LocalNodeState"
        case controlAvailable = "ControlAvailable"
        case error = "Error"
        case remoteManagers = "RemoteManagers"
    }
}

/// The version of a component.
package struct CommitInfo: WireObject {
    /// The version.
    @Always package var id: String = ""
    /// The version that the daemon was built for; before 1.49.
    @OmittedIfEmpty package var expected: String? = nil

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case id = "ID"
        case expected = "Expected"
    }
}

/// How packets are filtered.
package struct FirewallInfo: WireObject {
    /// `nftables`, `iptables`, …
    @Always package var driver: String = ""
    /// What the driver says of itself: pairs of a title and a value.
    @OmittedIfEmpty package var info: [[String]] = []

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case driver = "Driver"
        case info = "Info"
    }
}

/// A device that a container can ask for by its name.
package struct DiscoveredDevice: WireObject {
    /// What has found it: `cdi`.
    @Always package var source: String = ""
    /// Its name.
    @Always package var id: String = ""

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case source = "Source"
        case id = "ID"
    }
}

/// A block that is divided into subnets of networks.
package struct AddressPoolInfo: WireObject {
    /// All of it.
    @Always package var base: String = ""
    /// The prefix length of each subnet.
    @Always package var size: Int = 0

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case base = "Base"
        case size = "Size"
    }
}
