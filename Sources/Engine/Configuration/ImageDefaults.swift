import LinuxKernel
import OCISpec
import PublishedPorts

extension ContainerConfiguration {
    /// Fills in what the image says, by Docker's rules: what the user said wins; lists of variables, labels and ports
    /// are joined by name; the image's command belongs to the image's entrypoint and goes with it.
    package func merged(with image: ImageProcess?) -> ContainerConfiguration {
        var merged = self
        if let image {
            if merged.user.isEmpty { merged.user = image.user ?? "" }
            if merged.workingDirectory.isEmpty { merged.workingDirectory = image.workingDir ?? "" }
            merged.stopSignal = merged.stopSignal ?? image.askedStopSignal
            merged.stopTimeout = merged.stopTimeout ?? image.stopTimeout
            if merged.shell?.isEmpty ?? true { merged.shell = image.shell }
            merged.onBuild = image.onBuild
            merged.mergeEnvironment(image.env ?? [])
            merged.labels.merge(image.labels ?? [:]) { own, _ in own }
            for port in (image.exposedPorts?.sorted ?? []).compactMap({ PortRange($0) })
            where !merged.exposedPorts.contains(port) {
                merged.exposedPorts.append(port)
            }
            let places = Set(merged.volumes.map(\.path))
            for volume in image.volumePlaces where !places.contains(volume.path) { merged.volumes.append(volume) }
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

extension ImageProcess {
    /// The stop signal, if the text is one.
    fileprivate var askedStopSignal: Asked<Signal>? {
        stopSignal.flatMap { text in Signal(text).map { Asked($0, words: text) } }
    }

    /// The places of its volumes. One without a slash at its beginning begins at the root, as builders take it.
    fileprivate var volumePlaces: [MountTarget] {
        // What is no place is among `ignoredParts`.
        (volumes?.sorted ?? []).compactMap { try? MountTarget($0.hasPrefix("/") ? $0 : "/" + $0) }
    }

    /// What in an image's configuration means nothing and is left out of its containers' configurations.
    var ignoredParts: [String] {
        var ignored: [String] = []
        if let stopSignal, !stopSignal.isEmpty, askedStopSignal == nil {
            ignored.append("The image's stop signal \"\(stopSignal)\" is not a signal: SIGTERM is used.")
        }
        for port in exposedPorts?.sorted ?? [] where PortRange(port) == nil {
            ignored.append("The image exposes \"\(port)\", which is not a port: discarded.")
        }
        for volume in volumes?.sorted ?? [] where lexicallyClean("/" + volume) == "/" {
            ignored.append("The image has a volume at \"\(volume)\", where nothing can be mounted: discarded.")
        }
        return ignored
    }
}
