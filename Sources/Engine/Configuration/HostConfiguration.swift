import Addresses
import PublishedPorts

/// Docker's `HostConfig`: isolation, resources, and the parts of the host that the container may use.
package struct HostConfiguration: Hashable, Sendable, Codable {
    /// Whose network the container has.
    package var networkMode: NetworkMode = .default
    /// Whose process ids.
    package var pidMode: PIDMode = .private
    /// Whose System V IPC and shared memory.
    package var ipcMode: IPCMode = .default
    /// Whose host name.
    package var utsMode: UTSMode = .private
    /// Whether the container sees its own control group as the root.
    package var cgroupNamespaceMode: CgroupNamespaceMode = .default
    /// Whose user ids.
    package var userNamespaceMode: UserNamespaceMode = .default

    /// Limits and devices.
    package var resources = ResourceLimits()

    /// Capabilities beside the default ones.
    package var capAdd: [Asked<CapabilityName>] = []
    /// Default capabilities that the container has not.
    package var capDrop: [Asked<CapabilityName>] = []
    /// All capabilities and devices, no filter, nothing masked.
    package var privileged = false
    /// Nothing can be written to the root file system.
    package var readonlyRootfs = false
    /// Profiles and privileges (`--security-opt`).
    package var securityOptions = SecurityOptions()
    /// nil: Docker's default list; `[]`: none (`--security-opt systempaths=unconfined`).
    package var maskedPaths: [String]?
    /// Paths that are mounted read-only; `nil` is the default list.
    package var readonlyPaths: [String]?
    /// Kernel parameters by their names.
    package var sysctls: [String: String] = [:]
    /// Groups beside the user's own, by name or number.
    package var groupAdd: [String] = []
    /// -1000 to 1000: a process with more is killed before one with less.
    package var oomScoreAdj = 0

    /// nil: the daemon's default.
    package var `init`: Bool?
    /// What happens when the container has ended.
    package var restartPolicy: RestartPolicy = .no
    /// The container is removed when it has ended (`--rm`).
    package var autoRemove = false

    /// `-v`: `source:destination[:options]`.
    package var binds: [BindSpecification] = []
    /// `--mount`.
    package var mounts: [MountSpecification] = []
    /// `--tmpfs`, ordered by place.
    package var tmpfs: [TmpfsMount] = []
    /// Bytes of /dev/shm; nil: the daemon's default.
    package var shmSize: Int64?
    /// Containers whose mounts this one has as well.
    package var volumesFrom: [VolumesFrom] = []
    /// The driver of volumes that are made for the container, where nothing else is said.
    package var volumeDriver = ""
    /// Carried for `inspect`: what is in it is `sizeLimit`.
    package var storageOptions: [String: String] = [:]
    /// How many bytes the container's files may take (`--storage-opt size`); nil: all that there are.
    package var sizeLimit: ByteCount?

    /// Lines for `/etc/hosts`.
    package var extraHosts: [Asked<ExtraHost>] = []
    /// Name servers; none is the daemon's.
    package var dns: [IPAddress] = []
    /// Options for `/etc/resolv.conf`.
    package var dnsOptions: [String] = []
    /// Domains to search names in.
    package var dnsSearch: [String] = []
    /// Where ports are published. Anything here is refused as not implemented for now.
    package var publishedPorts: [PortMapping] = []
    /// All exposed ports are published on some port of the host.
    package var publishAllPorts = false
    /// Links to other containers, `NAME:ALIAS`; of old clients.
    package var links: [String] = []

    /// Where the output goes.
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

    /// Everything as it is by default.
    package init() {}
}

/// Height and width of a terminal in characters.
package struct ConsoleSize: Hashable, Sendable, Codable {
    /// Lines.
    package var rows: UInt16
    /// Characters in a line.
    package var columns: UInt16

    /// So many lines and columns.
    package init(rows: UInt16, columns: UInt16) {
        self.rows = rows
        self.columns = columns
    }
}

/// Docker's `Isolation`: a choice of Windows, where it is one of three.
package enum Isolation: String, Hashable, Sendable, Codable {
    case `default`
}
