/// Docker's `HostConfig`: isolation, resources and what of the host is let in.
package struct HostConfiguration: Hashable, Sendable, Codable {
    package var networkMode: NetworkMode = .default
    package var pidMode: PIDMode = .private
    package var ipcMode: IPCMode = .default
    package var utsMode: UTSMode = .private
    package var cgroupNamespaceMode: CgroupNamespaceMode = .default
    package var userNamespaceMode: UserNamespaceMode = .default

    package var resources = ResourceLimits()

    package var capAdd: [String] = []
    package var capDrop: [String] = []
    package var privileged = false
    package var readonlyRootfs = false
    /// `no-new-privileges`, `seccomp=…`, `apparmor=…`, `label=…` as given; see `SecurityOptions`.
    package var securityOptions: [String] = []
    /// nil: Docker's default list; `[]`: none (`--security-opt systempaths=unconfined`).
    package var maskedPaths: [String]?
    package var readonlyPaths: [String]?
    package var sysctls: [String: String] = [:]
    package var groupAdd: [String] = []
    package var oomScoreAdj = 0

    /// nil: the daemon's default.
    package var `init`: Bool?
    package var restartPolicy: RestartPolicy = .no
    package var autoRemove = false

    /// `-v`: `source:destination[:options]`.
    package var binds: [BindSpecification] = []
    /// `--mount`.
    package var mounts: [MountSpecification] = []
    /// `--tmpfs`: destination → options as `size=64m,mode=1777`.
    package var tmpfs: [String: String] = [:]
    /// Bytes of /dev/shm; nil: the daemon's default.
    package var shmSize: Int64?
    package var volumesFrom: [String] = []
    package var volumeDriver = ""
    /// Carried for `inspect`.
    package var storageOptions: [String: String] = [:]

    /// `name:address`.
    package var extraHosts: [String] = []
    package var dns: [String] = []
    package var dnsOptions: [String] = []
    package var dnsSearch: [String] = []
    /// Container port like `80/tcp` → where it is published. Anything here is refused as not implemented for now.
    package var portBindings: [String: [PortBinding]] = [:]
    package var publishAllPorts = false
    package var links: [String] = []

    /// nil: the daemon's default driver and options.
    package var logConfiguration: LogConfiguration?
    /// Empty: the daemon's.
    package var cgroupParent = ""
    /// Empty: the daemon's default runtime.
    package var runtime = ""
    /// Carried into the OCI specification.
    package var annotations: [String: String] = [:]
    /// Carried for `inspect`: the file the client wrote the id to.
    package var containerIDFile = ""
    /// Rows and columns of the client's terminal at create.
    package var consoleSize: ConsoleSize?

    package init() {}
}

/// Height and width of a terminal in characters.
package struct ConsoleSize: Hashable, Sendable, Codable {
    package var rows: UInt16
    package var columns: UInt16

    package init(rows: UInt16, columns: UInt16) {
        self.rows = rows
        self.columns = columns
    }
}

/// Where one container port is published on the host.
package struct PortBinding: Hashable, Sendable, Codable {
    package var hostIP: String
    package var hostPort: String

    package init(hostIP: String = "", hostPort: String = "") {
        self.hostIP = hostIP
        self.hostPort = hostPort
    }
}

/// Which driver writes the container's log and with which options (`max-size`, `max-file`, …).
package struct LogConfiguration: Hashable, Sendable, Codable {
    /// `json-file` or `none`; empty means the daemon's default.
    package var driver: String
    package var options: [String: String]

    package init(driver: String = "", options: [String: String] = [:]) {
        self.driver = driver
        self.options = options
    }
}
