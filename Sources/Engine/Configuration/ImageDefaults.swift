import OCISpec

extension ContainerConfiguration {
    /// Fills in what the image says, by Docker's rules: what the user said wins; lists of variables, labels and ports are
    /// joined by name; the image's command belongs to the image's entrypoint and goes with it.
    package func merged(with image: ImageProcess?) -> ContainerConfiguration {
        var merged = self
        if let image {
            if merged.user.isEmpty { merged.user = image.user ?? "" }
            if merged.workingDirectory.isEmpty { merged.workingDirectory = image.workingDir ?? "" }
            if merged.stopSignal.isEmpty { merged.stopSignal = image.stopSignal ?? "" }
            merged.stopTimeout = merged.stopTimeout ?? image.stopTimeout
            if merged.shell?.isEmpty ?? true { merged.shell = image.shell }
            merged.onBuild = image.onBuild
            merged.mergeEnvironment(image.env ?? [])
            merged.labels.merge(image.labels ?? [:]) { own, _ in own }
            for port in image.exposedPorts?.sorted ?? [] where !merged.exposedPorts.contains(port) {
                merged.exposedPorts.append(port)
            }
            for volume in image.volumes?.sorted ?? [] where !merged.volumes.contains(volume) {
                merged.volumes.append(volume)
            }
            if merged.entrypoint?.isEmpty ?? true {
                if merged.command?.isEmpty ?? true { merged.command = image.cmd }
                if merged.entrypoint == nil { merged.entrypoint = image.entrypoint }
            }
            merged.healthcheck = Healthcheck.merged(merged.healthcheck, with: image.healthcheck)
        }
        if merged.entrypoint == [""] { merged.entrypoint = nil }
        return merged
    }

    private mutating func mergeEnvironment(_ inherited: [String]) {
        // A bare name or a repeated one hides the image's variable.
        let own = Set(environment.map { $0.prefix { $0 != "=" } })
        for variable in inherited where !own.contains(variable.prefix { $0 != "=" }) { environment.append(variable) }
    }
}

extension Healthcheck {
    fileprivate static func merged(_ own: Healthcheck?, with image: ImageProcess.Healthcheck?) -> Healthcheck? {
        guard let image else { return own }
        var merged = own ?? Healthcheck()
        if merged.test.isEmpty { merged.test = image.test ?? [] }
        merged.interval = merged.interval ?? image.interval
        merged.timeout = merged.timeout ?? image.timeout
        merged.startPeriod = merged.startPeriod ?? image.startPeriod
        merged.startInterval = merged.startInterval ?? image.startInterval
        merged.retries = merged.retries ?? image.retries
        return merged
    }
}
