/// How a container meets its host: mounts, namespaces, limits, privileges.
package struct HostConfig: WireObject {
    /// `source:target[:options]`.
    @Always package var binds: [String]? = nil
    /// The file the client wrote the id to.
    @Always package var containerIDFile: String = ""
    /// The log driver.
    @Always package var logConfig: LogConfig = LogConfig()
    /// `default`, `none`, `host`, `bridge`, `container:ID` or a network's name.
    @Always package var networkMode: String = ""
    /// Published ports: `80/tcp` to host addresses.
    @Always package var portBindings: [String: [PortBinding]?]? = nil
    /// When to start the container again.
    @Always package var restartPolicy: RestartPolicy = RestartPolicy()
    /// Whether the container is removed once it has exited.
    @Always package var autoRemove: Bool = false
    /// The driver of named volumes.
    @Always package var volumeDriver: String = ""
    /// Containers whose mounts this one gets as well: `ID[:ro|rw]`.
    @Always package var volumesFrom: [String]? = nil
    /// Rows and columns of the terminal at start.
    @Always package var consoleSize: [Int] = []
    /// Annotations handed to the OCI runtime.
    @OmittedIfEmpty package var annotations: [String: String] = [:]
    /// Capabilities to add.
    @Always package var capAdd: [String]? = nil
    /// Capabilities to drop.
    @Always package var capDrop: [String]? = nil
    /// All capabilities, instead of adding to and dropping from the default: API 1.40 alone had it, and clients of that
    /// time send it.
    @OmittedIfEmpty package var capabilities: [String]? = nil
    /// `private`, `host` or empty for the daemon's default.
    @Always package var cgroupnsMode: String = ""
    /// Name servers.
    @Always package var dns: [String]? = nil
    /// Options for `resolv.conf`.
    @Always package var dnsOptions: [String]? = nil
    /// Search domains.
    @Always package var dnsSearch: [String]? = nil
    /// `name:address` lines for `/etc/hosts`.
    @Always package var extraHosts: [String]? = nil
    /// Supplementary groups.
    @Always package var groupAdd: [String]? = nil
    /// `private`, `shareable`, `host`, `none`, `container:ID` or empty.
    @Always package var ipcMode: String = ""
    /// Unused since Docker 1.x; always empty.
    @Always package var cgroup: String = ""
    /// Legacy links.
    @Always package var links: [String]? = nil
    /// −1000 … 1000.
    @Always package var oomScoreAdj: Int = 0
    /// `host`, `container:ID` or empty.
    @Always package var pidMode: String = ""
    /// Whether all restrictions are lifted.
    @Always package var privileged: Bool = false
    /// Whether all exposed ports are published.
    @Always package var publishAllPorts: Bool = false
    /// Whether the root file system is read-only.
    @Always package var readonlyRootfs: Bool = false
    /// Security options; a seccomp profile arrives here as its text.
    @Always package var securityOpt: [String]? = nil
    /// Options of the storage driver.
    @OmittedIfEmpty package var storageOpt: [String: String] = [:]
    /// Mount point to tmpfs options.
    @OmittedIfEmpty package var tmpfs: [String: String] = [:]
    /// `host` or empty.
    @Always package var utsMode: String = ""
    /// `host` or empty.
    @Always package var usernsMode: String = ""
    /// Size of `/dev/shm` in bytes.
    @Always package var shmSize: Int64 = 0
    /// Kernel parameters.
    @OmittedIfEmpty package var sysctls: [String: String] = [:]
    /// The OCI runtime's name.
    @OmittedIfEmpty package var runtime: String = ""
    /// Windows only.
    @Always package var isolation: String = ""
    /// Relative CPU weight.
    @Always package var cpuShares: Int64 = 0
    /// Memory limit in bytes.
    @Always package var memory: Int64 = 0
    /// CPU limit in billionths of a CPU.
    @Always package var nanoCPUs: Int64 = 0
    /// The parent cgroup.
    @Always package var cgroupParent: String = ""
    /// Relative block I/O weight, 10 … 1000, 0 for none.
    @Always package var blkioWeight: Int = 0
    /// Weights for single devices.
    @Always package var blkioWeightDevice: [WeightDevice]? = nil
    /// Read limits in bytes a second.
    @Always package var blkioDeviceReadBps: [ThrottleDevice]? = nil
    /// Write limits in bytes a second.
    @Always package var blkioDeviceWriteBps: [ThrottleDevice]? = nil
    /// Read limits in operations a second.
    @Always package var blkioDeviceReadIOps: [ThrottleDevice]? = nil
    /// Write limits in operations a second.
    @Always package var blkioDeviceWriteIOps: [ThrottleDevice]? = nil
    /// CFS period in microseconds.
    @Always package var cpuPeriod: Int64 = 0
    /// CFS quota in microseconds.
    @Always package var cpuQuota: Int64 = 0
    /// Real-time period in microseconds.
    @Always package var cpuRealtimePeriod: Int64 = 0
    /// Real-time run time in microseconds.
    @Always package var cpuRealtimeRuntime: Int64 = 0
    /// CPUs as `0-3,5`.
    @Always package var cpusetCPUs: String = ""
    /// Memory nodes as `0,1`.
    @Always package var cpusetMems: String = ""
    /// Host devices.
    @Always package var devices: [DeviceMapping]? = nil
    /// Rules such as `c 42:* rmw`.
    @Always package var deviceCgroupRules: [String]? = nil
    /// Devices asked of device drivers (GPUs, CDI).
    @Always package var deviceRequests: [DeviceRequest]? = nil
    /// Removed from Docker; refused when set.
    @OmittedIfEmpty package var kernelMemory: Int64 = 0
    /// Limit of TCP buffers in bytes.
    @OmittedIfEmpty package var kernelMemoryTCP: Int64 = 0
    /// Soft memory limit in bytes.
    @Always package var memoryReservation: Int64 = 0
    /// Memory plus swap in bytes; −1 is unlimited.
    @Always package var memorySwap: Int64 = 0
    /// 0 … 100; nil or −1 for the kernel's default.
    @Always package var memorySwappiness: Int64? = nil
    /// Whether the OOM killer leaves the container alone.
    @Always package var oomKillDisable: Bool? = nil
    /// Greatest number of processes; 0 or −1 is unlimited.
    @Always package var pidsLimit: Int64? = nil
    /// Resource limits of the process.
    @Always package var ulimits: [Ulimit]? = nil
    /// Windows only.
    @Always package var cpuCount: Int64 = 0
    /// Windows only.
    @Always package var cpuPercent: Int64 = 0
    /// Windows only.
    @Always package var ioMaximumIOps: Int64 = 0
    /// Windows only.
    @Always package var ioMaximumBandwidth: Int64 = 0
    /// Mounts in the long form.
    @OmittedIfEmpty package var mounts: [Mount] = []
    /// Paths hidden in the container; nil takes the defaults.
    @Always package var maskedPaths: [String]? = nil
    /// Paths made read-only in the container; nil takes the defaults.
    @Always package var readonlyPaths: [String]? = nil
    /// Whether an init runs as PID 1; nil takes the daemon's default.
    @OmittedIfEmpty package var initProcess: Bool? = nil

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case binds = "Binds"
        case containerIDFile = "ContainerIDFile"
        case logConfig = "LogConfig"
        case networkMode = "NetworkMode"
        case portBindings = "PortBindings"
        case restartPolicy = "RestartPolicy"
        case autoRemove = "AutoRemove"
        case volumeDriver = "VolumeDriver"
        case volumesFrom = "VolumesFrom"
        case consoleSize = "ConsoleSize"
        case annotations = "Annotations"
        case capAdd = "CapAdd"
        case capDrop = "CapDrop"
        case capabilities = "Capabilities"
        case cgroupnsMode = "CgroupnsMode"
        case dns = "Dns"
        case dnsOptions = "DnsOptions"
        case dnsSearch = "DnsSearch"
        case extraHosts = "ExtraHosts"
        case groupAdd = "GroupAdd"
        case ipcMode = "IpcMode"
        case cgroup = "Cgroup"
        case links = "Links"
        case oomScoreAdj = "OomScoreAdj"
        case pidMode = "PidMode"
        case privileged = "Privileged"
        case publishAllPorts = "PublishAllPorts"
        case readonlyRootfs = "ReadonlyRootfs"
        case securityOpt = "SecurityOpt"
        case storageOpt = "StorageOpt"
        case tmpfs = "Tmpfs"
        case utsMode = "UTSMode"
        case usernsMode = "UsernsMode"
        case shmSize = "ShmSize"
        case sysctls = "Sysctls"
        case runtime = "Runtime"
        case isolation = "Isolation"
        case cpuShares = "CpuShares"
        case memory = "Memory"
        case nanoCPUs = "NanoCpus"
        case cgroupParent = "CgroupParent"
        case blkioWeight = "BlkioWeight"
        case blkioWeightDevice = "BlkioWeightDevice"
        case blkioDeviceReadBps = "BlkioDeviceReadBps"
        case blkioDeviceWriteBps = "BlkioDeviceWriteBps"
        case blkioDeviceReadIOps = "BlkioDeviceReadIOps"
        case blkioDeviceWriteIOps = "BlkioDeviceWriteIOps"
        case cpuPeriod = "CpuPeriod"
        case cpuQuota = "CpuQuota"
        case cpuRealtimePeriod = "CpuRealtimePeriod"
        case cpuRealtimeRuntime = "CpuRealtimeRuntime"
        case cpusetCPUs = "CpusetCpus"
        case cpusetMems = "CpusetMems"
        case devices = "Devices"
        case deviceCgroupRules = "DeviceCgroupRules"
        case deviceRequests = "DeviceRequests"
        case kernelMemory = "KernelMemory"
        case kernelMemoryTCP = "KernelMemoryTCP"
        case memoryReservation = "MemoryReservation"
        case memorySwap = "MemorySwap"
        case memorySwappiness = "MemorySwappiness"
        case oomKillDisable = "OomKillDisable"
        case pidsLimit = "PidsLimit"
        case ulimits = "Ulimits"
        case cpuCount = "CpuCount"
        case cpuPercent = "CpuPercent"
        case ioMaximumIOps = "IOMaximumIOps"
        case ioMaximumBandwidth = "IOMaximumBandwidth"
        case mounts = "Mounts"
        case maskedPaths = "MaskedPaths"
        case readonlyPaths = "ReadonlyPaths"
        case initProcess = "Init"
    }
}

/// A log driver and its options.
package struct LogConfig: WireObject {
    /// `json-file`, `none`, …; empty takes the daemon's default.
    @Always package var type: String = ""
    /// Options such as `max-size`.
    @Always package var config: [String: String]? = nil

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case type = "Type"
        case config = "Config"
    }
}

/// When a container is started again after it has exited.
package struct RestartPolicy: WireObject {
    /// `no`, `always`, `unless-stopped`, `on-failure` or empty.
    @Always package var name: String = ""
    /// For `on-failure`: how often at most; 0 is without end.
    @Always package var maximumRetryCount: Int = 0

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case name = "Name"
        case maximumRetryCount = "MaximumRetryCount"
    }
}

/// Where on the host a port is published.
package struct PortBinding: WireObject {
    /// The address; empty is all of them.
    @Always package var hostIP: String = ""
    /// The port or a range; empty lets the daemon choose.
    @Always package var hostPort: String = ""

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case hostIP = "HostIp"
        case hostPort = "HostPort"
    }
}

/// A block I/O weight for one device.
package struct WeightDevice: WireObject {
    /// The device's path.
    @Always package var path: String = ""
    /// 10 … 1000.
    @Always package var weight: Int = 0

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case path = "Path"
        case weight = "Weight"
    }
}

/// A block I/O limit for one device.
package struct ThrottleDevice: WireObject {
    /// The device's path.
    @Always package var path: String = ""
    /// Bytes or operations a second.
    @Always package var rate: Int64 = 0

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case path = "Path"
        case rate = "Rate"
    }
}

/// A host device shown in a container.
package struct DeviceMapping: WireObject {
    /// Where it is on the host.
    @Always package var pathOnHost: String = ""
    /// Where the container sees it.
    @Always package var pathInContainer: String = ""
    /// Of `r`, `w` and `m`.
    @Always package var cgroupPermissions: String = ""

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case pathOnHost = "PathOnHost"
        case pathInContainer = "PathInContainer"
        case cgroupPermissions = "CgroupPermissions"
    }
}

/// Devices asked of a device driver.
package struct DeviceRequest: WireObject {
    /// The driver's name.
    @Always package var driver: String = ""
    /// How many; −1 is all.
    @Always package var count: Int = 0
    /// Which ones.
    @Always package var deviceIDs: [String]? = nil
    /// Alternatives of capabilities that must all be met.
    @Always package var capabilities: [[String]]? = nil
    /// Options for the driver.
    @Always package var options: [String: String]? = nil

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case driver = "Driver"
        case count = "Count"
        case deviceIDs = "DeviceIDs"
        case capabilities = "Capabilities"
        case options = "Options"
    }
}

/// A resource limit.
package struct Ulimit: WireObject {
    /// Such as `nofile`.
    @Always package var name: String = ""
    /// The hard limit; −1 is unlimited.
    @Always package var hard: Int64 = 0
    /// The soft limit; −1 is unlimited.
    @Always package var soft: Int64 = 0

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case name = "Name"
        case hard = "Hard"
        case soft = "Soft"
    }
}
