import Engine
import EngineAPIModel
import LinuxKernel
import PublishedPorts

extension ContainerConfiguration {
    /// What a create request asks for. Values are parsed here; whether they fit each other, the image and the machine
    /// is the engine's to say.
    ///
    /// - Throws: `EngineError` or `APIError` (invalid) with Docker's words.
    package init(_ wire: ContainerCreateRequest, version: APIVersion) throws {
        var warnings: [String] = []
        try self.init(wire, version: version, warnings: &warnings)
    }

    /// The same, and what is taken otherwise than it was asked for. `logDriver` is the daemon's, for whose options a
    /// request without a driver asks.
    package init(
        _ wire: ContainerCreateRequest, version: APIVersion, logDriver: LogDriver = .standard,
        warnings: inout [String]
    ) throws {
        let config = wire.config
        self.init(image: config.image)
        command = config.cmd
        entrypoint = config.entrypoint
        environment = config.env ?? []
        workingDirectory = config.workingDir
        user = config.user
        hostname = config.hostname
        domainname = config.domainname
        tty = config.tty
        openStdin = config.openStdin
        stdinOnce = config.stdinOnce
        attachStdin = config.attachStdin
        attachStdout = config.attachStdout
        attachStderr = config.attachStderr
        labels = config.labels ?? [:]
        if !config.stopSignal.isEmpty {
            stopSignal = Asked(try Signal(wire: config.stopSignal), words: config.stopSignal)
        }
        stopTimeout = config.stopTimeout
        exposedPorts = try config.exposedPorts.keys.sorted().map { try PortRange(wire: $0) }
        healthcheck = config.healthcheck.map { Healthcheck($0, version: version) }
        volumes = try (config.volumes ?? [:]).keys.sorted().map { try MountTarget(wire: $0) }
        networkDisabled = config.networkDisabled
        onBuild = config.onBuild
        shell = config.shell.isEmpty ? nil : config.shell
        argsEscaped = config.argsEscaped
        host = try HostConfiguration(wire.hostConfig, version: version, logDriver: logDriver)
        try readNetworks(wire, version: version, warnings: &warnings)
        warnings += Self.warnings(about: wire.hostConfig, version: version)
    }

    /// What Docker says of options that do less than they seem to.
    private static func warnings(about host: HostConfig, version: APIVersion) -> [String] {
        var warnings: [String] = []
        let hasUndrivenVolume = host.mounts.contains { mount in
            mount.type == "volume" && mount.volumeOptions?.driverConfig?.name.isEmpty ?? true
        }
        if version >= .v(48), !host.volumeDriver.isEmpty, hasUndrivenVolume {
            warnings.append(
                "WARNING: the container-wide volume-driver configuration is ignored for volumes specified via 'mount'. "
                    + "Use '--mount type=volume,volume-driver=...' instead")
        }
        if host.kernelMemoryTCP > 0 {
            warnings.append("KernelMemoryTCP has no effect: the limit of memory counts the buffers of TCP. Discarded.")
        }
        if host.cpuPercent > 0 { warnings.append("linux does not support CPU percent. Percent discarded.") }
        let unbound = (host.portBindings ?? [:]).filter { $0.value?.isEmpty ?? true }.keys.sorted()
        if version >= .v(52), !unbound.isEmpty {
            warnings.append(
                "Following container port(s) have an empty list of port-bindings: \(unbound.joined(separator: ", ")). "
                    + "Such bindings will be discarded in a future version.")
        }
        return warnings
    }
}

extension Signal {
    /// Reads a signal's name or number.
    ///
    /// - Throws: `EngineError` (invalid) with Docker's words.
    init(wire text: String) throws {
        guard let signal = Signal(text) else { throw EngineError(.invalid, "invalid signal: \(text)") }
        self = signal
    }
}

extension Healthcheck {
    init(_ wire: HealthConfig, version: APIVersion) {
        self.init(test: wire.test)
        interval = wire.interval == 0 ? nil : wire.interval
        timeout = wire.timeout == 0 ? nil : wire.timeout
        startPeriod = wire.startPeriod == 0 ? nil : wire.startPeriod
        // Clients before 1.44 did not know the field and cannot have meant it.
        startInterval = wire.startInterval == 0 || version < .v(44) ? nil : wire.startInterval
        retries = wire.retries == 0 ? nil : wire.retries
    }
}

extension HealthConfig {
    init(_ healthcheck: Healthcheck) {
        self.init()
        test = healthcheck.test
        interval = healthcheck.interval ?? 0
        timeout = healthcheck.timeout ?? 0
        startPeriod = healthcheck.startPeriod ?? 0
        startInterval = healthcheck.startInterval ?? 0
        retries = healthcheck.retries ?? 0
    }
}

extension ContainerConfig {
    /// A container's configuration as `inspect` shows it.
    init(_ configuration: ContainerConfiguration) {
        self.init()
        hostname = configuration.hostname
        domainname = configuration.domainname
        user = configuration.user
        attachStdin = configuration.attachStdin
        attachStdout = configuration.attachStdout
        attachStderr = configuration.attachStderr
        exposedPorts = Self.set(configuration.exposedPorts.map(\.description))
        tty = configuration.tty
        openStdin = configuration.openStdin
        stdinOnce = configuration.stdinOnce
        env = configuration.environment
        cmd = configuration.command
        healthcheck = configuration.healthcheck.map(HealthConfig.init)
        argsEscaped = configuration.argsEscaped
        image = configuration.image
        volumes = configuration.volumes.isEmpty ? nil : Self.set(configuration.volumes.map(\.description))
        workingDir = configuration.workingDirectory
        entrypoint = configuration.entrypoint
        networkDisabled = configuration.networkDisabled
        macAddress = configuration.macAddress?.text ?? ""
        onBuild = configuration.onBuild
        labels = configuration.labels
        stopSignal = configuration.stopSignal?.text ?? ""
        stopTimeout = configuration.stopTimeout
        shell = configuration.shell ?? []
    }

    private static func set(_ names: [String]) -> [String: EmptyObject] {
        Dictionary(names.map { ($0, EmptyObject()) }, uniquingKeysWith: { first, _ in first })
    }
}
