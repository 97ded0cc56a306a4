/// Docker's `HostConfig`: isolation, resources and what of the host is let in.
package struct HostConfiguration: Hashable, Sendable, Codable {
    package var networkMode: NetworkMode = .default
    package var pidMode: PIDMode = .private
    package var ipcMode: IPCMode = .default
    package var utsMode: UTSMode = .private
    package var cgroupNamespaceMode: CgroupNamespaceMode = .default
    package var userNamespaceMode: UserNamespaceMode = .default

    package var resources = ResourceLimits()

    package var capAdd: [Asked<CapabilityName>] = []
    package var capDrop: [Asked<CapabilityName>] = []
    package var privileged = false
    package var readonlyRootfs = false
    package var securityOptions = SecurityOptions()
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
    /// `--tmpfs`, ordered by place.
    package var tmpfs: [TmpfsMount] = []
    /// Bytes of /dev/shm; nil: the daemon's default.
    package var shmSize: Int64?
    package var volumesFrom: [String] = []
    package var volumeDriver = ""
    /// Carried for `inspect`.
    package var storageOptions: [String: String] = [:]

    package var extraHosts: [Asked<ExtraHost>] = []
    package var dns: [IPAddress] = []
    package var dnsOptions: [String] = []
    package var dnsSearch: [String] = []
    /// Where ports are published. Anything here is refused as not implemented for now.
    package var publishedPorts: [PublishedPort] = []
    package var publishAllPorts = false
    package var links: [String] = []

    package var log = LogSettings()
    /// Empty: the daemon's.
    package var cgroupParent = ""
    /// The name of an OCI runtime as it was asked for; empty: the daemon's default.
    package var runtime = ""
    /// Carried for `inspect`: Docker's `Isolation`, of which Linux knows one.
    package var isolation: Isolation?
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

/// Docker's `Isolation`: a choice of Windows, where it is one of three.
package enum Isolation: String, Hashable, Sendable, Codable {
    case `default`
}
