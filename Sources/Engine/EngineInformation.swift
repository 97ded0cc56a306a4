import Networks
import OCISpec
import PublishedPorts

/// What `docker info` shows: the machine, the daemon's set-up and how many things there are.
package struct EngineInformation: Sendable {
    /// A random identity of this data root, made at its first use.
    package var id: String
    /// All containers.
    package var containers = 0
    /// Those that run.
    package var containersRunning = 0
    /// Those that are paused.
    package var containersPaused = 0
    /// All others.
    package var containersStopped = 0
    /// How many images there are.
    package var images = 0
    /// The snapshot driver in Docker's words (`overlay2`, `vfs`) and what it has to say, as (name, value).
    package var driver: String
    /// What the storage driver says of itself.
    package var driverStatus: [(String, String)]
    /// Names that `--log-driver` may have.
    package var logDrivers = LogDriver.allCases.map(\.rawValue)
    /// The one without a word.
    package var loggingDriver: String
    /// `cgroupfs` or `systemd`.
    package var cgroupDriver = "cgroupfs"
    /// `1` or `2`.
    package var cgroupVersion: String
    /// Whether the kernel can limit memory.
    package var memoryLimit = false
    /// Whether it can limit swap.
    package var swapLimit = false
    /// Whether there are periods of processor time.
    package var cpuCFSPeriod = false
    /// Whether there are quotas in them.
    package var cpuCFSQuota = false
    /// Whether containers can have weights.
    package var cpuShares = false
    /// Whether they can be kept to some processors.
    package var cpuSet = false
    /// Whether the number of processes can be limited.
    package var pidsLimit = false
    /// Whether killing for want of memory can be turned off.
    package var oomKillDisable = false
    /// Whether the kernel forwards packets.
    package var ipv4Forwarding = false
    /// Whether the kernel shows packets of bridges to the packet filter.
    package var bridgeFilter = (v4: false, v6: false)
    /// Who carries packets to published ports, and whether that follows from the host's chains.
    package var firewall: (mode: FirewallMode, isChosen: Bool)
    /// `name=seccomp,profile=builtin`, `name=cgroupns`, …
    package var securityOptions: [String]
    /// As uname(2) says it.
    package var kernelVersion: String
    /// The pretty name of os-release(5).
    package var operatingSystem: String
    /// Its version.
    package var osVersion: String
    /// As the API names it.
    package var osType = "linux"
    /// As `uname -m` says.
    package var architecture: String
    /// Processors in use.
    package var cpus: Int
    /// Bytes.
    package var memoryTotal: Int64
    /// Where the data lies.
    package var dataRoot: String
    /// The host's name.
    package var name: String
    /// The daemon's own, `KEY=VALUE`.
    package var labels: [String]
    /// By their names.
    package var runtimes: [String: RuntimeProgram]
    /// The name of the one without a word.
    package var defaultRuntime: String
    /// What `--init` starts.
    package var initBinary: String
    /// Whether containers outlive the daemon.
    package var liveRestore: Bool
    /// Whether the daemon has what Docker calls experimental.
    package var isExperimental = false
    /// Whether the daemon logs much.
    package var debug: Bool
    /// Descriptors of the daemon.
    package var openFiles: Int
    /// Clients that listen for events.
    package var eventListeners: Int
    /// The clock now.
    package var systemTime: Timestamp
    /// The proxy for HTTP, without its password; empty for none.
    package var httpProxy = ""
    /// The proxy for HTTPS, without its password; empty for none.
    package var httpsProxy = ""
    /// Hosts that are reached without.
    package var noProxy = ""
    /// What the kernel lacks, in Docker's words.
    package var warnings: [String]
    /// The drivers of volumes that are known.
    package var volumeDrivers: [String] = []
    /// What networks get their subnets of, if the administrator has chosen.
    package var addressPools: [PoolSource] = []
    /// Where devices with names are described.
    package var deviceDirectories: [String] = []
    /// The names of devices that can be asked for by them.
    package var devices: [String] = []
}
