import Distribution
import GRDB
import Images
import LinuxKernel
import OCISpec
import SystemPackage
import Text

extension Engine {
    /// What `docker info` shows.
    package func information() async throws -> EngineInformation {
        try await reporting {
            let states = services.registry.all.map { $0.current.state }
            var information = EngineInformation(
                id: try await identity(), driver: images.snapshotter.driver,
                driverStatus: images.snapshotter.status.map { ($0.title, $0.value) },
                loggingDriver: (configuration.log.driver ?? .standard).rawValue,
                cgroupVersion: Machine.usesCgroupV2 ? "2" : "1",
                firewall: (services.networks.firewallMode, services.networks.choosesFirewallMode),
                securityOptions: securityOptions(), kernelVersion: Machine.kernelRelease,
                operatingSystem: Self.operatingSystem("PRETTY_NAME"), osVersion: Self.operatingSystem("VERSION_ID"),
                architecture: Machine.architecture, cpus: Machine.processors, memoryTotal: Machine.memory,
                dataRoot: configuration.dataRoot.string, name: Machine.hostname, labels: configuration.labels,
                runtimes: runtimes(), defaultRuntime: configuration.defaultRuntime,
                initBinary: configuration.initPath.lastComponent?.string ?? "",
                liveRestore: !configuration.stopsContainersOnShutdown, debug: configuration.debug,
                openFiles: Self.openFiles(), eventListeners: services.events.listenerCount, systemTime: .now(),
                warnings: [])
            if configuration.usesSystemdCgroups { information.cgroupDriver = "systemd" }
            information.volumeDrivers = services.volumes.driverNames
            information.addressPools = configuration.addressPools
            let registry = configuration.devices
            let devices = try await services.pool.run { registry.content() }
            information.deviceDirectories = registry.directories.map(\.string)
            information.devices = devices.devices.keys.sorted().map(\.description)
            information.warnings += devices.problems.map { "CDI: \($0)" }
            information.isExperimental = configuration.isExperimental
            let proxies = images.registries.settings.proxies
            information.httpProxy = ProxySettings.masked(proxies.http)
            information.httpsProxy = ProxySettings.masked(proxies.https)
            information.noProxy = proxies.exceptions
            information.containers = states.count
            information.containersRunning = states.count { $0.isRunning && !$0.isPaused }
            information.containersPaused = states.count { $0.isPaused }
            information.containersStopped = states.count { !$0.isRunning }
            information.images = try await images.usage().imageCount
            information.memoryLimit = Machine.memoryIsLimitable
            information.swapLimit = Machine.swapIsLimitable
            information.cpuShares = Machine.hasController("cpu")
            information.cpuCFSPeriod = information.cpuShares
            information.cpuCFSQuota = information.cpuShares
            information.cpuSet = Machine.hasController("cpuset")
            information.pidsLimit = Machine.hasController("pids")
            information.oomKillDisable = !Machine.usesCgroupV2 && information.memoryLimit
            information.ipv4Forwarding = Machine.text("/proc/sys/net/ipv4/ip_forward") == "1"
            information.bridgeFilter = (
                Machine.text("/proc/sys/net/bridge/bridge-nf-call-iptables") == "1",
                Machine.text("/proc/sys/net/bridge/bridge-nf-call-ip6tables") == "1"
            )
            if !information.memoryLimit { information.warnings.append("WARNING: No memory limit support") }
            if !information.swapLimit { information.warnings.append("WARNING: No swap limit support") }
            return information
        }
    }

    /// Made at first use, then the same for ever.
    func identity() async throws -> String {
        try await services.database.write { database in
            let sql = "SELECT value FROM engineSetting WHERE name = 'id'"
            if let id = try String.fetchOne(database, sql: sql) { return id }
            let digits = Array(RandomIdentifier.make().prefix(32))
            let groups = [digits[0..<8], digits[8..<12], digits[12..<16], digits[16..<20], digits[20..<32]]
            let id = groups.map { String($0) }.joined(separator: "-")
            try database.execute(sql: "INSERT INTO engineSetting (name, value) VALUES ('id', ?)", arguments: [id])
            return id
        }
    }

    private func securityOptions() -> [String] {
        var options: [String] = []
        if Machine.hasAppArmor { options.append("name=apparmor") }
        if Machine.hasSeccomp {
            switch configuration.seccompProfile {
            case .builtIn: options.append("name=seccomp,profile=builtin")
            case .unconfined: options.append("name=seccomp,profile=unconfined")
            case .profile: options.append("name=seccomp,profile=custom")
            }
        }
        options.append("name=cgroupns")
        if configuration.noNewPrivileges { options.append("name=no-new-privileges") }
        return options
    }

    private func runtimes() -> [String: RuntimeProgram] {
        var runtimes = configuration.runtimes
        for name in EngineConfiguration.commonRuntimes {
            if case .external(let program) = configuration.runtime(name) { runtimes[name] = program }
        }
        runtimes[EngineConfiguration.builtInRuntime] = RuntimeProgram(path: configuration.shimPath.string)
        return runtimes
    }

    private static func operatingSystem(_ key: String) -> String {
        for line in Machine.text("/etc/os-release").split(separator: "\n") where line.hasPrefix(key + "=") {
            return line.dropFirst(key.utf8.count + 1).filter { $0 != "\"" }
        }
        return ""
    }

    private static func openFiles() -> Int {
        // Only a number for people; where procfs hides it, there is none.
        (try? Files.names(in: "/proc/self/fd").count) ?? 0
    }
}
