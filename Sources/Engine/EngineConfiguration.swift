import Addresses
import CDI
import Cgroups
import Networks
import SystemPackage

/// Where the engine keeps things and what it assumes when a container does not say; made by `masud` from its flags.
package struct EngineConfiguration: Sendable {
    /// Persistent state (`--data-root`, normally `/var/lib/masu`).
    package var dataRoot: FilePath
    /// State that is worthless after a reboot (`--exec-root`, normally `/run/masu`).
    package var execRoot: FilePath
    /// The `masu-shim` program.
    package var shimPath: FilePath
    /// The `masu-init` program, bound into containers started with `--init`.
    package var initPath: FilePath
    /// Name of the runtime used when a container names none. `masu` is the in-process runtime.
    package var defaultRuntime = EngineConfiguration.builtInRuntime
    /// External OCI runtimes by name (`--add-runtime name=path`); `masu` is always there.
    package var runtimes: [String: RuntimeProgram] = [:]
    /// Whether systemd makes the containers' cgroups (`--exec-opt native.cgroupdriver=systemd`).
    package var usesSystemdCgroups = false
    /// Parent of the containers' cgroups (`--cgroup-parent`); empty means `/masu`, or `system.slice` with systemd.
    package var cgroupParent = ""
    /// Whether containers without `--init` get it (`--init`).
    package var initByDefault = false
    /// Log driver for containers which name none, and its options (`--log-driver`, `--log-opt`).
    package var log = LogSettings(driver: .standard)
    /// The daemon's own labels (`--label`), shown by `info`.
    package var labels: [String] = []
    /// Default ulimits (`--default-ulimit`).
    package var defaultUlimits: [Ulimit] = []
    /// Default size of /dev/shm in bytes (`--default-shm-size`).
    package var defaultShmSize: Int64 = 64 << 20
    /// How many bytes of output may wait on disk for all slow clients of one container (`--attach-spill-limit`).
    package var attachSpillLimit: Int64 = 256 << 20
    /// Default IPC mode (`--default-ipc-mode`): `private` or `shareable`.
    package var defaultIPCMode: IPCMode = .private
    /// Default cgroup namespace mode (`--default-cgroupns-mode`); nil: private with cgroup v2, host with v1, as Docker.
    package var defaultCgroupNamespaceMode: CgroupNamespaceMode?
    /// Seccomp profile for containers which name none (`--seccomp-profile`): nil is the built-in one.
    package var seccompProfile: SeccompChoice = .builtIn
    /// `--no-new-privileges` for every container.
    package var noNewPrivileges = false
    /// Where devices with names are described (`--cdi-spec-dir`).
    package var devices = DeviceRegistry()
    /// DNS servers, options and search domains for containers which name none.
    package var dns: [IPAddress] = []
    /// Options for `/etc/resolv.conf` of containers that have none of their own.
    package var dnsOptions: [String] = []
    /// Domains to search for such containers.
    package var dnsSearch: [String] = []
    /// What `host-gateway` stands for; none is the gateway of the default bridge (`--host-gateway-ip`).
    package var hostGateways: [IPAddress] = []
    /// Whether containers get variables about those that they are linked to on the default bridge
    /// (`--link-environment`), other containers' own variables among them.
    package var hasLinkEnvironment = false
    /// What networks get their subnets of, if the administrator has chosen (`--default-address-pool`).
    package var addressPools: [PoolSource] = []
    /// Seconds between stop signal and SIGKILL when neither request nor container says.
    package var stopTimeout = 10
    /// Whether containers are stopped when the daemon ends gracefully. Off: they live on (Docker's `live-restore`),
    /// because that is what the shims are for.
    package var stopsContainersOnShutdown = false
    /// Whether there are checkpoints, which Docker calls experimental (`--experimental`).
    package var isExperimental = false
    /// Whether the daemon itself runs in debug mode (shown by `info`).
    package var debug = false

    /// Name of the runtime which runs inside the shim process.
    package static let builtInRuntime = "masu"

    /// Everything else as it is by default.
    package init(dataRoot: FilePath, execRoot: FilePath, shimPath: FilePath, initPath: FilePath) {
        self.dataRoot = dataRoot
        self.execRoot = execRoot
        self.shimPath = shimPath
        self.initPath = initPath
    }
}

extension EngineConfiguration {
    /// Throws `invalid` for defaults that no container could be made with, so that the daemon's administrator gets the
    /// error and not every user.
    package func validate() throws(EngineError) {
        try validate(cgroupParent: cgroupParent)
    }

    /// systemd has slices, everybody else paths.
    package func validate(cgroupParent parent: String) throws(EngineError) {
        guard usesSystemdCgroups, !parent.isEmpty else { return }
        guard (try? SystemdUnit.path(ofSlice: parent)) != nil else {
            throw .invalid("cgroup-parent for systemd cgroup should be a valid slice named as \"xxx.slice\"")
        }
    }
}
