import Images
import OCISpec

extension ImageProcess {
    /// What an image made of a container runs: what the container itself ran.
    init(_ configuration: ContainerConfiguration) {
        self.init()
        user = configuration.user.isEmpty ? nil : configuration.user
        let ports = configuration.exposedPorts.map(\.description)
        exposedPorts = ports.isEmpty ? nil : NameSet(ports)
        env = configuration.environment.isEmpty ? nil : configuration.environment
        entrypoint = configuration.entrypoint
        cmd = configuration.command
        volumes = configuration.volumes.isEmpty ? nil : NameSet(configuration.volumes.map(\.description))
        workingDir = configuration.workingDirectory.isEmpty ? nil : configuration.workingDirectory
        labels = configuration.labels.isEmpty ? nil : configuration.labels
        stopSignal = configuration.stopSignal?.text
        stopTimeout = configuration.stopTimeout
        healthcheck = configuration.healthcheck.map { check in
            Healthcheck(
                test: check.test.isEmpty ? nil : check.test, interval: check.interval, timeout: check.timeout,
                startPeriod: check.startPeriod, startInterval: check.startInterval, retries: check.retries)
        }
        shell = configuration.shell
        onBuild = configuration.onBuild
    }

    /// This with what it does not say taken from `base`, by the rules of Docker's `merge`.
    func merged(over base: ImageProcess) -> ImageProcess {
        var merged = self
        func given(_ text: String?) -> String? { text.flatMap { $0.isEmpty ? nil : $0 } }
        merged.user = given(user) ?? base.user
        merged.workingDir = given(workingDir) ?? base.workingDir
        merged.stopSignal = given(stopSignal) ?? base.stopSignal
        merged.stopTimeout = stopTimeout ?? base.stopTimeout
        merged.exposedPorts = Self.union(exposedPorts, base.exposedPorts)
        merged.volumes = Self.union(volumes, base.volumes)
        let names = Set((env ?? []).map { $0.prefix { $0 != "=" } })
        let inherited = (base.env ?? []).filter { !names.contains($0.prefix { $0 != "=" }) }
        if !(env ?? []).isEmpty || !inherited.isEmpty { merged.env = (env ?? []) + inherited }
        let labels = (base.labels ?? [:]).merging(self.labels ?? [:]) { $1 }
        merged.labels = labels.isEmpty ? nil : labels
        if (entrypoint ?? []).isEmpty {
            if (cmd ?? []).isEmpty { merged.cmd = base.cmd }
            if entrypoint == nil { merged.entrypoint = base.entrypoint }
        }
        if let check = healthcheck, let below = base.healthcheck {
            merged.healthcheck = Healthcheck(
                test: (check.test ?? []).isEmpty ? below.test : check.test, interval: check.interval ?? below.interval,
                timeout: check.timeout ?? below.timeout, startPeriod: check.startPeriod ?? below.startPeriod,
                startInterval: check.startInterval ?? below.startInterval, retries: check.retries ?? below.retries)
        } else {
            merged.healthcheck = healthcheck ?? base.healthcheck
        }
        merged.shell = shell ?? base.shell
        merged.onBuild = onBuild ?? base.onBuild
        return merged
    }

    private static func union(_ own: NameSet?, _ base: NameSet?) -> NameSet? {
        guard let own else { return base }
        return NameSet(own.names.union(base?.names ?? []))
    }
}
