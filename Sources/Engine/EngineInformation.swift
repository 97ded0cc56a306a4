import OCISpec

/// What `docker info` shows: the machine, the daemon's set-up and how many things there are.
package struct EngineInformation: Sendable {
    /// A random identity of this data root, made at its first use.
    package var id: String
    package var containers = 0
    package var containersRunning = 0
    package var containersPaused = 0
    package var containersStopped = 0
    package var images = 0
    /// The snapshot driver in Docker's words (`overlay2`, `vfs`) and what it has to say, as (name, value).
    package var driver: String
    package var driverStatus: [(String, String)]
    package var logDrivers = LogDriver.allCases.map(\.rawValue)
    package var loggingDriver: String
    /// `cgroupfs` or `systemd`.
    package var cgroupDriver = "cgroupfs"
    /// `1` or `2`.
    package var cgroupVersion: String
    package var memoryLimit = false
    package var swapLimit = false
    package var cpuCFSPeriod = false
    package var cpuCFSQuota = false
    package var cpuShares = false
    package var cpuSet = false
    package var pidsLimit = false
    package var oomKillDisable = false
    package var ipv4Forwarding = false
    /// `name=seccomp,profile=builtin`, `name=cgroupns`, …
    package var securityOptions: [String]
    package var kernelVersion: String
    package var operatingSystem: String
    package var osVersion: String
    package var osType = "linux"
    /// As `uname -m` says.
    package var architecture: String
    package var cpus: Int
    /// Bytes.
    package var memoryTotal: Int64
    package var dataRoot: String
    /// The host's name.
    package var name: String
    package var labels: [String]
    package var runtimes: [String: RuntimeProgram]
    package var defaultRuntime: String
    package var initBinary: String
    package var liveRestore: Bool
    package var debug: Bool
    package var openFiles: Int
    package var eventListeners: Int
    package var systemTime: Timestamp
    package var httpProxy = ""
    package var httpsProxy = ""
    package var noProxy = ""
    package var warnings: [String]
}
