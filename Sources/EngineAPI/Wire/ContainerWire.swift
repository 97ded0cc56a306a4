import Engine
import EngineAPIModel
import OCISpec
import Tasks

extension ContainerInspection {
    /// What `GET /containers/{id}/json` answers.
    package init(_ details: ContainerDetails, version: APIVersion) {
        self.init()
        id = details.id
        created = details.created.description
        path = details.path
        args = details.arguments
        state = EngineAPIModel.ContainerState(details.state)
        state.health = details.health.map(HealthState.init)
        image = details.imageID
        imageManifestDescriptor = details.imageManifest.map(ImageDescriptor.init)
        resolvConfPath = details.resolvConfPath
        hostnamePath = details.hostnamePath
        hostsPath = details.hostsPath
        logPath = details.logPath
        name = "/" + details.name
        restartCount = details.restartCount
        driver = StorageDriverName.wire(details.driver)
        platform = details.platform
        appArmorProfile = details.appArmorProfile
        execIDs = details.execIDs.isEmpty ? nil : details.execIDs
        hostConfig = HostConfig(shown: details.host)
        // With the names of both sides, as paths.
        let links = details.links.map { "/\($0.target):\(name)/\($0.alias)" }
        hostConfig.links = links.isEmpty ? nil : links
        graphDriver.name = driver
        graphDriver.data = details.graphDriverData.isEmpty ? nil : details.graphDriverData
        sizeRw = details.sizeRw
        sizeRootFs = details.sizeRootFs
        mounts = details.mounts.map(EngineAPIModel.MountPoint.init)
        config = ContainerConfig(details.configuration)
        networkSettings = NetworkSettings(details, version: version)
    }
}

/// What storage drivers are called on the wire.
enum StorageDriverName {
    /// `overlay2` is the word for overlayfs that clients know.
    static func wire(_ driver: String) -> String { driver == "overlay" ? "overlay2" : driver }
}

extension EngineAPIModel.ContainerState {
    /// A life-cycle state as the API's many fields.
    init(_ state: EngineContainerState) {
        self.init()
        status = state.status.rawValue
        running = state.isRunning
        paused = state.isPaused
        restarting = state.isRestarting
        oomKilled = state.isOOMKilled
        dead = state.status == .dead
        pid = Int(state.pid)
        exitCode = Int(state.exitCode)
        error = state.error
        startedAt = state.startedAt.description
        finishedAt = state.finishedAt.description
    }
}

extension HealthState {
    /// What checks have shown, as `inspect` has it.
    init(_ health: ContainerHealth) {
        self.init()
        status = health.status.rawValue
        failingStreak = health.failingStreak
        log = health.log.map { probe in
            var result = HealthResult()
            result.start = probe.start.description
            result.end = probe.end.description
            result.exitCode = Int(probe.exitCode)
            result.output = probe.output
            return result
        }
    }
}

extension HealthSummary {
    /// What a list says of a container's health, which may not be checked at all.
    init(_ health: ContainerHealth?) {
        self.init()
        status = (health?.status ?? .none).rawValue
        failingStreak = health?.failingStreak ?? 0
    }
}

extension EngineAPIModel.ContainerSummary {
    /// A row of `GET /containers/json`.
    init(_ summary: EngineContainerSummary, version: APIVersion) {
        self.init()
        id = summary.id
        names = ["/" + summary.name]
        image = summary.image
        imageID = summary.imageID
        imageManifestDescriptor = summary.imageManifest.map(ImageDescriptor.init)
        command = summary.command
        created = summary.created.seconds
        sizeRw = summary.sizeRw ?? 0
        sizeRootFs = summary.sizeRootFs ?? 0
        labels = summary.labels
        state = summary.state.status.rawValue
        status = summary.status
        health = HealthSummary(summary.health)
        hostConfig.networkMode = summary.networkMode
        hostConfig.annotations = summary.annotations
        for endpoint in summary.networks { networkSettings.networks[endpoint.network] = EndpointSettings(endpoint) }
        mounts = summary.mounts.map(EngineAPIModel.MountPoint.init)
        if summary.networks.contains(where: { $0.endpoint != nil }) {
            ports = PortBindings.rows(exposed: summary.exposedPorts, published: summary.ports)
        }
    }
}

extension ContainerTop {
    init(_ table: ProcessTable) {
        self.init()
        titles = table.titles
        processes = table.processes
    }
}

extension ContainerWaitResponse {
    init(_ result: WaitResult) {
        self.init()
        statusCode = Int(result.exitCode)
        error = result.error.map { text in
            var error = ContainerWaitError()
            error.message = text
            return error
        }
    }
}
