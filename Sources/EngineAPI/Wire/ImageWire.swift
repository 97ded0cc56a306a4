import EngineAPIModel
import Images
import OCISpec

extension EngineAPIModel.ImageSummary {
    /// A row of `GET /images/json`; `containers` is how many were made of it, `nil` if that was not counted.
    package init(_ summary: StoredImageSummary, containers: Int?, version: APIVersion) {
        self.init()
        let record = summary.record
        self.containers = containers ?? -1
        descriptor = record.manifestDescriptor.map(ImageDescriptor.init)
        created = (record.configuration.created ?? Timestamp(seconds: 0)).seconds
        id = record.id.description
        // Nothing else in a list could say it.
        labels = record.damage.map { ["masu.damage": $0] } ?? record.configuration.config?.labels
        repoDigests = record.repositoryDigests
        parentID = record.parent?.description ?? ""
        repoTags = record.repositoryTags
        if version < .v(43), repoTags.isEmpty, repoDigests.isEmpty {
            repoTags = ["<none>:<none>"]
            repoDigests = ["<none>@<none>"]
        }
        sharedSize = summary.sharedSize
        size = record.size
        virtualSize = record.size
    }
}

extension ImageInspection {
    /// What `GET /images/{name}/json` answers.
    package init(_ details: ImageDetails, version: APIVersion) {
        self.init()
        let record = details.record
        let configuration = record.configuration
        id = record.id.description
        parent = record.parent?.description ?? ""
        repoTags = record.repositoryTags
        repoDigests = record.repositoryDigests
        comment = configuration.comment ?? configuration.history?.last?.comment ?? ""
        created = configuration.created?.description ?? (version < .v(44) ? Timestamp.zero.description : "")
        dockerVersion = configuration.dockerVersion ?? ""
        author = configuration.author ?? ""
        config = ImageConfig(configuration.config ?? ImageProcess())
        container = ""
        containerConfig = ImageConfig(ImageProcess())
        descriptor = record.manifestDescriptor.map(ImageDescriptor.init)
        architecture = configuration.platform.architecture
        variant = configuration.platform.variant ?? ""
        os = configuration.platform.os
        osVersion = configuration.platform.osVersion ?? ""
        size = record.size
        virtualSize = record.size
        graphDriver.name = StorageDriverName.wire(details.driver)
        graphDriver.data = details.driverData.isEmpty ? nil : details.driverData
        rootFS.type = "layers"
        rootFS.layers = configuration.rootfs.diffIDs.map(\.description)
        metadata.lastTagTime = (record.lastTaggedAt ?? .zero).description
    }
}

extension ImageDescriptor {
    init(_ descriptor: Descriptor) {
        self.init()
        mediaType = descriptor.mediaType
        digest = descriptor.digest.description
        size = descriptor.size
        urls = descriptor.urls ?? []
        annotations = descriptor.annotations ?? [:]
        artifactType = descriptor.artifactType ?? ""
        platform = descriptor.platform.map(PlatformDescription.init)
    }
}

extension PlatformDescription {
    init(_ platform: Platform) {
        self.init()
        os = platform.os
        architecture = platform.architecture
        variant = platform.variant ?? ""
        osVersion = platform.osVersion ?? ""
        osFeatures = platform.osFeatures ?? []
    }
}

extension ImageManifestSummary {
    /// An image's one manifest: others of an index are not kept. `nil` where it cannot be read.
    init?(_ record: ImageRecord, contentSize: Int64, containers: [String]) {
        guard let manifest = record.manifestDescriptor, record.damage == nil else { return nil }
        self.init()
        id = manifest.digest.description
        descriptor = ImageDescriptor(manifest)
        descriptor.platform = PlatformDescription(record.configuration.platform)
        available = true
        size.content = contentSize
        size.total = contentSize + record.size
        kind = "image"
        var data = ImageManifestData()
        data.platform = PlatformDescription(record.configuration.platform)
        data.size.unpacked = record.size
        data.containers = containers
        imageData = data
    }
}

extension ImageConfig {
    /// How containers of an image run.
    init(_ process: ImageProcess) {
        self.init()
        user = process.user ?? ""
        exposedPorts = Self.set(process.exposedPorts) ?? [:]
        env = process.env
        entrypoint = process.entrypoint
        cmd = process.cmd
        volumes = Self.set(process.volumes)
        workingDir = process.workingDir ?? ""
        labels = process.labels
        stopSignal = process.stopSignal ?? ""
        // What a container has and an image has not, for clients of the time when images had it: always empty.
        (hostname, domainname, image) = ("", "", "")
        (attachStdin, attachStdout, attachStderr) = (false, false, false)
        (tty, openStdin, stdinOnce) = (false, false, false)
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
        onBuild = process.onBuild
        shell = process.shell ?? []
    }

    private static func set(_ names: NameSet?) -> [String: EmptyObject]? {
        names.map { Dictionary($0.sorted.map { ($0, EmptyObject()) }, uniquingKeysWith: { first, _ in first }) }
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
