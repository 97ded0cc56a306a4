import BuildInformation
import CDI
import OCISpec
import SystemPackage

/// What the specification of one start depends on beside the container's configuration.
package struct SpecificationContext: Sendable {
    package var id: String
    /// First word and rest of the command.
    package var path: String
    /// The program and its arguments.
    package var arguments: [String]
    /// Where the shim's side puts the root file system: the bundle's `rootfs`.
    package var rootfs: FilePath
    /// Directory with `hostname`, `hosts` and `resolv.conf`.
    package var files: FilePath
    /// Who the process is, as found in the container's files.
    package var user: ContainerUser
    /// The name that the container has.
    package var hostname: String
    /// The mode with the daemon's defaults applied.
    package var ipcMode: IPCMode = .private
    /// Whether it sees its own control group as the root.
    package var cgroupNamespace: CgroupNamespaceMode = .private
    /// Living processes of the containers whose name spaces are joined.
    package var pidTarget: Int32?
    package var ipcTarget: Int32?
    package var networkTarget: Int32?
    /// The path of the network namespace that was made for the container; nil for a new one without interfaces.
    package var networkNamespace: String?
    /// Directory bound to /dev/shm for shareable memory (`--ipc shareable` and those who join it).
    package var sharedMemory: FilePath?
    /// What is bound in the places of volumes and images, by these places: paths of the host, or such that only the
    /// container's mount namespace has.
    package var mountSources: [String: String] = [:]
    /// `/dev/shm` in bytes.
    package var shmSize: Int64 = 64 << 20
    /// Parent of the container's cgroup, and whether systemd makes it.
    package var cgroupParent = ""
    /// Whether systemd makes the control group.
    package var usesSystemdCgroups = false
    /// nil: no init process.
    package var initPath: FilePath?
    /// Variables about containers that it is linked to.
    package var linkEnvironment: [String] = []
    /// The daemon's, for limits that the container does not set.
    package var defaultUlimits: [Ulimit] = []
    /// The daemon's default.
    package var noNewPrivileges = false
    /// Where devices with names are found.
    package var devices = DeviceRegistry()
    package var defaultSeccomp: SeccompChoice = .builtIn
    /// The kernel's version, for conditions in seccomp profiles.
    package var kernel = Machine.kernel
    package var isSeccompAvailable = Machine.hasSeccomp
    package var isAppArmorAvailable = Machine.hasAppArmor

    package init(
        id: String, path: String, arguments: [String], rootfs: FilePath, files: FilePath, user: ContainerUser,
        hostname: String
    ) {
        self.id = id
        self.path = path
        self.arguments = arguments
        self.rootfs = rootfs
        self.files = files
        self.user = user
        self.hostname = hostname
    }
}

/// Writes the OCI runtime specification of a container by Docker's rules.
package struct SpecificationBuilder {
    /// Of the container.
    package let configuration: ContainerConfiguration
    /// What has been found out about it.
    package let context: SpecificationContext

    package init(configuration: ContainerConfiguration, context: SpecificationContext) {
        self.configuration = configuration
        self.context = context
    }

    private var host: HostConfiguration { configuration.host }

    /// Where the init program is bound in a container started with `--init`.
    package static let initTarget = "/sbin/docker-init"

    /// The configuration as the runtime takes it.
    package func build() throws(EngineError) -> Spec {
        let security = host.securityOptions
        let capabilities = Capabilities.effective(
            adding: host.capAdd.map(\.value), dropping: host.capDrop.map(\.value), privileged: host.privileged)
        var spec = Spec(ociVersion: MasuVersion.runtimeSpecification)
        spec.root = Root(path: context.rootfs.string, readonly: host.readonlyRootfs)
        spec.annotations = host.annotations.isEmpty ? nil : host.annotations
        if host.utsMode != .host {
            spec.hostname = context.hostname
            if !configuration.domainname.isEmpty { spec.domainname = configuration.domainname }
        }
        spec.process = process(security: security, capabilities: capabilities)
        spec.mounts = try MountList(configuration: configuration, context: context).mounts()
        spec.linux = try linux(security: security, capabilities: capabilities)
        try RequestedDevices(requests: host.resources.deviceRequests, registry: context.devices).apply(to: &spec)
        return spec
    }

    // MARK: Process

    private func process(security: SecurityOptions, capabilities: [String]) -> Process {
        var args = [context.path] + context.arguments
        if context.initPath != nil { args = [Self.initTarget, "--"] + args }
        var process = Process(
            args: args, cwd: configuration.workingDirectory.isEmpty ? "/" : configuration.workingDirectory,
            env: Self.environment(
                configuration.environment, hostname: context.hostname, tty: configuration.tty, home: context.user.home,
                links: context.linkEnvironment),
            user: context.user.user)
        if configuration.tty {
            process.terminal = true
            process.setFirstSize(host.consoleSize)
        }
        process.capabilities = Self.capabilitySets(capabilities, isRoot: context.user.uid == 0)
        process.noNewPrivileges = security.noNewPrivileges ?? context.noNewPrivileges
        process.oomScoreAdj = host.oomScoreAdj
        if context.isAppArmorAvailable, let profile = security.appArmor, profile != "unconfined" {
            process.apparmorProfile = profile
        }
        let rlimits = Self.rlimits(host.resources.ulimits, defaults: context.defaultUlimits)
        process.rlimits = rlimits.isEmpty ? nil : rlimits
        return process
    }

    /// The variables of a container's process: the daemon's own, overridden by the configuration's; HOME last, if
    /// nobody set it.
    package static func environment(
        _ own: [String], hostname: String, tty: Bool, home: String, links: [String] = []
    ) -> [String] {
        var result = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME=" + hostname]
        if tty { result.append("TERM=xterm") }
        result = replacing(result + links, with: own)
        if !result.contains(where: { $0.hasPrefix("HOME=") }) { result.append("HOME=" + home) }
        return result
    }

    /// `base` with the variables of `overrides` replaced or appended; a bare name removes the variable.
    package static func replacing(_ base: [String], with overrides: [String]) -> [String] {
        var result = base
        var places: [Substring: Int] = [:]
        var removed: Set<Int> = []
        for (index, variable) in base.enumerated() { places[variable.prefix { $0 != "=" }] = index }
        for variable in overrides {
            let name = variable.prefix { $0 != "=" }
            if name.utf8.count == variable.utf8.count {
                if let place = places.removeValue(forKey: name) { removed.insert(place) }
            } else if let place = places[name] {
                result[place] = variable
            } else {
                places[name] = result.count
                result.append(variable)
            }
        }
        return removed.isEmpty ? result : result.enumerated().filter { !removed.contains($0.offset) }.map(\.element)
    }

    /// For root all sets but the inheritable and ambient ones, which would survive an execve (CVE-2022-24769); for
    /// another user the capabilities are only a bound, as Docker has it.
    package static func capabilitySets(_ names: [String], isRoot: Bool) -> LinuxCapabilities {
        var sets = LinuxCapabilities()
        sets.bounding = names
        if isRoot {
            sets.effective = names
            sets.permitted = names
        }
        return sets
    }

    /// The container's own limits, and the daemon's where it has none.
    package static func rlimits(_ own: [Ulimit], defaults: [Ulimit]) -> [POSIXRlimit] {
        let resources = Set(own.map(\.resource))
        return (defaults.filter { !resources.contains($0.resource) } + own).map { limit in
            POSIXRlimit(
                type: "RLIMIT_" + limit.resource.rawValue.uppercased(), soft: UInt64(bitPattern: limit.soft),
                hard: UInt64(bitPattern: limit.hard))
        }
    }

    // MARK: Linux

    private func linux(security: SecurityOptions, capabilities: [String]) throws(EngineError) -> Linux {
        var linux = Linux()
        linux.namespaces = namespaces()
        linux.cgroupsPath = Self.cgroupsPath(
            parent: context.cgroupParent, id: context.id, systemd: context.usesSystemdCgroups)
        linux.rootfsPropagation = rootfsPropagation()
        let devices = DeviceList(configuration: host)
        let resolved = try devices.resolve()
        linux.devices = resolved.devices.isEmpty ? nil : resolved.devices
        linux.resources = try ResourceSection(limits: host.resources).resources(deviceRules: resolved.rules)
        linux.sysctl = sysctls()
        if !host.privileged {
            linux.maskedPaths = security.systemPathsUnconfined ? [] : host.maskedPaths ?? DefaultPaths.masked
            linux.readonlyPaths = security.systemPathsUnconfined ? [] : host.readonlyPaths ?? DefaultPaths.readonly
            linux.seccomp = try seccomp(security.seccomp, capabilities: capabilities)
        } else if case .profile? = security.seccomp {
            linux.seccomp = try seccomp(security.seccomp, capabilities: capabilities)
        }
        return linux
    }

    private func seccomp(_ choice: SeccompChoice?, capabilities: [String]) throws(EngineError) -> LinuxSeccomp? {
        switch choice ?? context.defaultSeccomp {
        case .unconfined: return nil
        case .builtIn:
            return context.isSeccompAvailable ? DefaultSeccompProfile.profile(capabilities: capabilities) : nil
        case .profile(let profile):
            guard context.isSeccompAvailable else {
                throw .invalid("seccomp is not enabled in your kernel, cannot run a custom seccomp profile")
            }
            return profile.resolved(
                capabilities: capabilities, machine: DefaultSeccompProfile.machine, kernel: context.kernel)
        }
    }

    private func namespaces() -> [LinuxNamespace] {
        var namespaces = [LinuxNamespace(type: .mount)]
        func joined(_ type: LinuxNamespaceType, _ pid: Int32, _ file: String) -> LinuxNamespace {
            LinuxNamespace(type: type, path: "/proc/\(pid)/ns/\(file)")
        }
        switch host.networkMode {
        case _ where configuration.networkDisabled: namespaces.append(LinuxNamespace(type: .network))
        case .host: break
        case .container:
            if let pid = context.networkTarget { namespaces.append(joined(.network, pid, "net")) }
        case .default, .none, .network:
            namespaces.append(LinuxNamespace(type: .network, path: context.networkNamespace))
        }
        if host.utsMode != .host { namespaces.append(LinuxNamespace(type: .uts)) }
        switch host.pidMode {
        case .host: break
        case .container:
            if let pid = context.pidTarget { namespaces.append(joined(.pid, pid, "pid")) }
        case .private: namespaces.append(LinuxNamespace(type: .pid))
        }
        switch context.ipcMode {
        case .host: break
        case .container:
            if let pid = context.ipcTarget { namespaces.append(joined(.ipc, pid, "ipc")) }
        case .default, .none, .private, .shareable: namespaces.append(LinuxNamespace(type: .ipc))
        }
        if context.cgroupNamespace == .private { namespaces.append(LinuxNamespace(type: .cgroup)) }
        return namespaces
    }

    /// `parent/id`; a parent without leading slash is below the root all the same. For systemd `slice:masu:id`.
    package static func cgroupsPath(parent: String, id: String, systemd: Bool) -> String {
        if systemd { return "\(parent):masu:\(id)" }
        let clean = lexicallyClean(parent.isEmpty ? "/masu" : parent)
        return (clean == "/" ? "" : clean) + "/" + id
    }

    /// What is mounted on the host after the start shows in a slave; mounts made inside are shared only where a bind
    /// asks.
    private func rootfsPropagation() -> String? {
        let propagations = configuration.mountPoints.compactMap(\.propagation)
        if propagations.contains(where: \.isShared) { return "shared" }
        if propagations.contains(where: \.isSlave) { return "rslave" }
        return nil
    }

    private func sysctls() -> [String: String]? {
        var result: [String: String] = [:]
        let hasOwnNetwork: Bool
        switch host.networkMode {
        case _ where configuration.networkDisabled: hasOwnNetwork = true
        case .host, .container: hasOwnNetwork = false
        case .default, .none, .network: hasOwnNetwork = true
        }
        if hasOwnNetwork {
            // Without privileges one may serve any port and ping: the network is the container's own.
            result["net.ipv4.ip_unprivileged_port_start"] = "0"
            result["net.ipv4.ping_group_range"] = "0 2147483647"
        }
        result.merge(host.sysctls) { _, own in own }
        return result.isEmpty ? nil : result
    }
}

/// Docker's lists of kernel files that a container must not see or not change.
package enum DefaultPaths {
    /// Files of the kernel that containers do not see.
    package static let masked =
        [
            "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
            "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats",
            "/sys/devices/virtual/powercap", "/sys/firmware",
        ] + thermalThrottle

    /// Files of the kernel that containers cannot change.
    package static let readonly = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]

    /// Tells how often each processor got hot: a side channel between containers (Docker masks it since 28).
    private static let thermalThrottle: [String] = {
        let base = "/sys/devices/system/cpu"
        let numbers = (0..<Machine.possibleProcessors).map { "\(base)/cpu\($0)/thermal_throttle" }
        return numbers.filter { Machine.exists($0) }
    }()
}
