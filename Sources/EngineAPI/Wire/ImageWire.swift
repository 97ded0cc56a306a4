import EngineAPIModel
import Images
import OCISpec

extension EngineAPIModel.ImageSummary {
    /// A row of `GET /images/json`.
    init(_ summary: StoredImageSummary, version: APIVersion) {
        self.init()
        let record = summary.record
        // Not counted: -1 is the API's word for that.
        containers = -1
        created = (record.configuration.created ?? Timestamp(seconds: 0)).seconds
        id = record.id.description
        labels = record.configuration.config?.labels
        repoDigests = record.repositoryDigests
        repoTags = record.repositoryTags
        if version < .v(43), repoTags.isEmpty, repoDigests.isEmpty {
            repoTags = ["<none>:<none>"]
            repoDigests = ["<none>@<none>"]
        }
        sharedSize = summary.sharedSize
        size = record.size
        if version < .v(44) { virtualSize = record.size }
    }
}

extension ImageInspection {
    /// What `GET /images/{name}/json` answers.
    init(_ details: ImageDetails, version: APIVersion) {
        self.init()
        let record = details.record
        let configuration = record.configuration
        id = record.id.description
        repoTags = record.repositoryTags
        repoDigests = record.repositoryDigests
        comment = configuration.comment ?? configuration.history?.last?.comment ?? ""
        created = (configuration.created ?? .zero).description
        dockerVersion = configuration.dockerVersion ?? ""
        author = configuration.author ?? ""
        config = configuration.config.map(ImageConfig.init)
        architecture = configuration.platform.architecture
        variant = configuration.platform.variant ?? ""
        os = configuration.platform.os
        osVersion = configuration.platform.osVersion ?? ""
        size = record.size
        if version < .v(44) { virtualSize = record.size }
        graphDriver.name = StorageDriverName.wire(details.driver)
        graphDriver.data = details.driverData.isEmpty ? nil : details.driverData
        rootFS.type = "layers"
        rootFS.layers = configuration.rootfs.diffIDs.map(\.description)
        metadata.lastTagTime = (record.lastTaggedAt ?? .zero).description
    }
}

extension ImageConfig {
    /// How containers of an image run.
    init(_ process: ImageProcess) {
        self.init()
        user = process.user ?? ""
        exposedPorts = Self.set(process.exposedPorts)
        env = process.env ?? []
        entrypoint = process.entrypoint ?? []
        cmd = process.cmd ?? []
        volumes = Self.set(process.volumes)
        workingDir = process.workingDir ?? ""
        labels = process.labels ?? [:]
        stopSignal = process.stopSignal ?? ""
        healthcheck = process.healthcheck.map { check in
            var wire = HealthConfig()
            wire.test = check.test ?? []
            wire.interval = check.interval ?? 0
            wire.timeout = check.timeout ?? 0
            wire.startPeriod = check.startPeriod ?? 0
            wire.startInterval = check.startInterval ?? 0
            wire.retries = check.retries ?? 0
            return wire
        }
        onBuild = process.onBuild ?? []
        shell = process.shell ?? []
    }

    private static func set(_ names: NameSet?) -> [String: EmptyObject] {
        Dictionary((names?.sorted ?? []).map { ($0, EmptyObject()) }, uniquingKeysWith: { first, _ in first })
    }
}

extension EngineAPIModel.ImageHistoryEntry {
    init(_ entry: StoredImageHistoryEntry) {
        self.init()
        comment = entry.comment
        created = (entry.created ?? .zero).seconds
        createdBy = entry.createdBy
        id = entry.id
        size = entry.size
        tags = entry.tags.isEmpty ? nil : entry.tags
    }
}

extension EngineAPIModel.ImageDeletion {
    init(_ deletion: StoredImageDeletion) {
        self.init()
        switch deletion {
        case .untagged(let name): untagged = name
        case .deleted(let id): deleted = id
        }
    }
}

extension ProgressMessage {
    /// A line that only says something.
    init(status: String) {
        self.init()
        self.status = status
    }

    /// A line of a loaded image's list.
    init(stream: String) {
        self.init()
        self.stream = stream
    }

    init(_ progress: ImageProgress) {
        self.init()
        status = progress.status
        id = progress.id ?? ""
        var detail = ProgressDetail()
        detail.current = progress.current ?? 0
        detail.total = progress.total ?? 0
        progressDetail = detail
    }
}
