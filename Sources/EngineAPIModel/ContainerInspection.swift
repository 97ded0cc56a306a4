import JSON

/// An inspected container: `GET /containers/{id}/json`.
package struct ContainerInspection: WireObject {
    /// The full id.
    @Always package var id: String = ""
    /// When it was created.
    @Always package var created: String = ""
    /// The program.
    @Always package var path: String = ""
    /// The program's arguments.
    @Always package var args: [String] = []
    /// Where it is in its life.
    @Always package var state: ContainerState = ContainerState()
    /// The image's id.
    @Always package var image: String = ""
    /// The manifest of the image, since API 1.48.
    @OmittedIfEmpty package var imageManifestDescriptor: ImageDescriptor? = nil
    /// The file shown as `/etc/resolv.conf`.
    @Always package var resolvConfPath: String = ""
    /// The file shown as `/etc/hostname`.
    @Always package var hostnamePath: String = ""
    /// The file shown as `/etc/hosts`.
    @Always package var hostsPath: String = ""
    /// The log file.
    @Always package var logPath: String = ""
    /// The name with a leading slash.
    @Always package var name: String = ""
    /// How often the restart policy has started it.
    @Always package var restartCount: Int = 0
    /// The storage driver.
    @Always package var driver: String = ""
    /// The operating system.
    @Always package var platform: String = ""
    /// The SELinux label of its files.
    @Always package var mountLabel: String = ""
    /// The SELinux label of its process.
    @Always package var processLabel: String = ""
    /// The AppArmor profile.
    @Always package var appArmorProfile: String = ""
    /// Execs that exist.
    @Always package var execIDs: [String]? = nil
    /// How it meets its host.
    @Always package var hostConfig: HostConfig = HostConfig()
    /// Where the storage driver keeps it.
    @Always package var graphDriver: DriverData = DriverData()
    /// Bytes of its own files, when asked for.
    @OmittedIfEmpty package var sizeRw: Int64? = nil
    /// Bytes of all its files, when asked for.
    @OmittedIfEmpty package var sizeRootFs: Int64? = nil
    /// Its mounts.
    @Always package var mounts: [MountPoint] = []
    /// What runs in it.
    @Always package var config: ContainerConfig = ContainerConfig()
    /// Its networks.
    @Always package var networkSettings: NetworkSettings = NetworkSettings()

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case id = "Id"
        case created = "Created"
        case path = "Path"
        case args = "Args"
        case state = "State"
        case image = "Image"
        case imageManifestDescriptor = "ImageManifestDescriptor"
        case resolvConfPath = "ResolvConfPath"
        case hostnamePath = "HostnamePath"
        case hostsPath = "HostsPath"
        case logPath = "LogPath"
        case name = "Name"
        case restartCount = "RestartCount"
        case driver = "Driver"
        case platform = "Platform"
        case mountLabel = "MountLabel"
        case processLabel = "ProcessLabel"
        case appArmorProfile = "AppArmorProfile"
        case execIDs = "ExecIDs"
        case hostConfig = "HostConfig"
        case graphDriver = "GraphDriver"
        case sizeRw = "SizeRw"
        case sizeRootFs = "SizeRootFs"
        case mounts = "Mounts"
        case config = "Config"
        case networkSettings = "NetworkSettings"
    }
}

/// Where a container is in its life.
package struct ContainerState: WireObject {
    /// `created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`.
    @Always package var status: String = ""
    /// Whether its process exists (also when paused).
    @Always package var running: Bool = false
    /// Whether it is frozen.
    @Always package var paused: Bool = false
    /// Whether the restart policy is about to start it.
    @Always package var restarting: Bool = false
    /// Whether the kernel ended it for want of memory.
    @Always package var oomKilled: Bool = false
    /// Whether removing it failed.
    @Always package var dead: Bool = false
    /// The process id on the host; 0 when not running.
    @Always package var pid: Int = 0
    /// The exit status, 128 + n for signal n.
    @Always package var exitCode: Int = 0
    /// Why the last start failed.
    @Always package var error: String = ""
    /// When it was last started, or year 1.
    @Always package var startedAt: String = ""
    /// When it last exited, or year 1.
    @Always package var finishedAt: String = ""
    /// Its health, when it is checked.
    @OmittedIfEmpty package var health: HealthState? = nil

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case status = "Status"
        case running = "Running"
        case paused = "Paused"
        case restarting = "Restarting"
        case oomKilled = "OOMKilled"
        case dead = "Dead"
        case pid = "Pid"
        case exitCode = "ExitCode"
        case error = "Error"
        case startedAt = "StartedAt"
        case finishedAt = "FinishedAt"
        case health = "Health"
    }
}

/// The health of a container.
package struct HealthState: WireObject {
    /// `starting`, `healthy`, `unhealthy` or `none`.
    @Always package var status: String = ""
    /// Failures in a row.
    @Always package var failingStreak: Int = 0
    /// The last checks.
    @Always package var log: [HealthResult]? = nil

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case status = "Status"
        case failingStreak = "FailingStreak"
        case log = "Log"
    }
}

/// One health check.
package struct HealthResult: WireObject {
    /// When it began.
    @Always package var start: String = ""
    /// When it ended.
    @Always package var end: String = ""
    /// Its exit status.
    @Always package var exitCode: Int = 0
    /// What it printed.
    @Always package var output: String = ""

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case start = "Start"
        case end = "End"
        case exitCode = "ExitCode"
        case output = "Output"
    }
}

/// Where a storage driver keeps something.
package struct DriverData: WireObject {
    /// Paths by the driver's own names.
    @Always package var data: [String: String]? = nil
    /// The driver.
    @Always package var name: String = ""

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case data = "Data"
        case name = "Name"
    }
}

/// The networks of an inspected container.
package struct NetworkSettings: WireObject {
    /// Always empty in current versions.
    @Always package var bridge: String = ""
    /// The id of the network sandbox.
    @Always package var sandboxID: String = ""
    /// The path of the network namespace.
    @Always package var sandboxKey: String = ""
    /// Ports and where they are published.
    @Always package var ports: [String: [PortBinding]?] = [:]
    /// Deprecated.
    @Always package var hairpinMode: Bool = false
    /// Deprecated.
    @Always package var linkLocalIPv6Address: String = ""
    /// Deprecated.
    @Always package var linkLocalIPv6PrefixLen: Int = 0
    /// Deprecated.
    @Always package var secondaryIPAddresses: [String]? = nil
    /// Deprecated.
    @Always package var secondaryIPv6Addresses: [String]? = nil
    /// The endpoint on the default bridge.
    @Always package var endpointID: String = ""
    /// The gateway on the default bridge.
    @Always package var gateway: String = ""
    /// The IPv6 address on the default bridge.
    @Always package var globalIPv6Address: String = ""
    /// Its prefix length.
    @Always package var globalIPv6PrefixLen: Int = 0
    /// The IPv4 address on the default bridge.
    @Always package var ipAddress: String = ""
    /// Its prefix length.
    @Always package var ipPrefixLen: Int = 0
    /// The IPv6 gateway on the default bridge.
    @Always package var ipv6Gateway: String = ""
    /// The MAC address on the default bridge.
    @Always package var macAddress: String = ""
    /// Endpoints by network name.
    @Always package var networks: [String: EndpointSettings] = [:]

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case bridge = "Bridge"
        case sandboxID = "SandboxID"
        case sandboxKey = "SandboxKey"
        case ports = "Ports"
        case hairpinMode = "HairpinMode"
        case linkLocalIPv6Address = "LinkLocalIPv6Address"
        case linkLocalIPv6PrefixLen = "LinkLocalIPv6PrefixLen"
        case secondaryIPAddresses = "SecondaryIPAddresses"
        case secondaryIPv6Addresses = "SecondaryIPv6Addresses"
        case endpointID = "EndpointID"
        case gateway = "Gateway"
        case globalIPv6Address = "GlobalIPv6Address"
        case globalIPv6PrefixLen = "GlobalIPv6PrefixLen"
        case ipAddress = "IPAddress"
        case ipPrefixLen = "IPPrefixLen"
        case ipv6Gateway = "IPv6Gateway"
        case macAddress = "MacAddress"
        case networks = "Networks"
    }
}

/// A container's place on one network.
package struct EndpointSettings: WireObject {
    /// Addresses the user asked for.
    @Always package var ipamConfig: EndpointIPAMConfig? = nil
    /// Legacy links.
    @Always package var links: [String]? = nil
    /// Names on this network.
    @Always package var aliases: [String]? = nil
    /// The MAC address.
    @Always package var macAddress: String = ""
    /// Options for the network driver.
    @Always package var driverOpts: [String: String]? = nil
    /// Which network gives the default gateway.
    @Always package var gwPriority: Int = 0
    /// The network's id.
    @Always package var networkID: String = ""
    /// The endpoint's id.
    @Always package var endpointID: String = ""
    /// The IPv4 gateway.
    @Always package var gateway: String = ""
    /// The IPv4 address.
    @Always package var ipAddress: String = ""
    /// Its prefix length.
    @Always package var ipPrefixLen: Int = 0
    /// The IPv6 gateway.
    @Always package var ipv6Gateway: String = ""
    /// The IPv6 address.
    @Always package var globalIPv6Address: String = ""
    /// Its prefix length.
    @Always package var globalIPv6PrefixLen: Int = 0
    /// All names under which it is found.
    @Always package var dnsNames: [String]? = nil
    /// What the plugins of a CNI network have said: interfaces, addresses, routes, whom to ask for names. Masu's own;
    /// left out on other networks.
    package var cniResult: JSONValue? = nil

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case ipamConfig = "IPAMConfig"
        case links = "Links"
        case aliases = "Aliases"
        case macAddress = "MacAddress"
        case driverOpts = "DriverOpts"
        case gwPriority = "GwPriority"
        case networkID = "NetworkID"
        case endpointID = "EndpointID"
        case gateway = "Gateway"
        case ipAddress = "IPAddress"
        case ipPrefixLen = "IPPrefixLen"
        case ipv6Gateway = "IPv6Gateway"
        case globalIPv6Address = "GlobalIPv6Address"
        case globalIPv6PrefixLen = "GlobalIPv6PrefixLen"
        case dnsNames = "DNSNames"
        case cniResult = "CNIResult"
    }
}

/// Addresses the user asked for on a network.
package struct EndpointIPAMConfig: WireObject {
    /// The IPv4 address.
    @OmittedIfEmpty package var ipv4Address: String = ""
    /// The IPv6 address.
    @OmittedIfEmpty package var ipv6Address: String = ""
    /// Link-local addresses.
    @OmittedIfEmpty package var linkLocalIPs: [String] = []

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case ipv4Address = "IPv4Address"
        case ipv6Address = "IPv6Address"
        case linkLocalIPs = "LinkLocalIPs"
    }
}
