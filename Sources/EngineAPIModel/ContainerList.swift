/// A container in a list: `GET /containers/json`.
package struct ContainerSummary: WireObject {
    /// The full id.
    @Always package var id: String = ""
    /// Names with a leading slash.
    @Always package var names: [String] = []
    /// The image as the user named it, or its id when the name has moved on.
    @Always package var image: String = ""
    /// The image's id.
    @Always package var imageID: String = ""
    /// The manifest of the image, since API 1.48.
    @OmittedIfEmpty package var imageManifestDescriptor: ImageDescriptor? = nil
    /// Program and arguments in one line.
    @Always package var command: String = ""
    /// Seconds since 1970.
    @Always package var created: Int64 = 0
    /// Ports.
    @Always package var ports: [PortSummary] = []
    /// Bytes of its own files, when asked for.
    @OmittedIfEmpty package var sizeRw: Int64 = 0
    /// Bytes of all its files, when asked for.
    @OmittedIfEmpty package var sizeRootFs: Int64 = 0
    /// Labels.
    @Always package var labels: [String: String] = [:]
    /// As ``ContainerState/status``.
    @Always package var state: String = ""
    /// For people: `Up 2 minutes`, `Exited (0) 3 seconds ago`.
    @Always package var status: String = ""
    /// Its health, since API 1.52.
    @OmittedIfEmpty package var health: HealthSummary? = nil
    /// What a list shows of the host configuration.
    @Always package var hostConfig: HostConfigSummary = HostConfigSummary()
    /// What a list shows of the networks.
    @Always package var networkSettings: NetworkSettingsSummary = NetworkSettingsSummary()
    /// Its mounts.
    @Always package var mounts: [MountPoint] = []

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case id = "Id"
        case names = "Names"
        case image = "Image"
        case imageID = "ImageID"
        case imageManifestDescriptor = "ImageManifestDescriptor"
        case command = "Command"
        case created = "Created"
        case ports = "Ports"
        case sizeRw = "SizeRw"
        case sizeRootFs = "SizeRootFs"
        case labels = "Labels"
        case state = "State"
        case status = "Status"
        case health = "Health"
        case hostConfig = "HostConfig"
        case networkSettings = "NetworkSettings"
        case mounts = "Mounts"
    }
}

/// What a list shows of a container's health.
package struct HealthSummary: WireObject {
    /// `starting`, `healthy`, `unhealthy` or `none`.
    @Always package var status: String = ""
    /// Failures in a row.
    @Always package var failingStreak: Int = 0

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case status = "Status"
        case failingStreak = "FailingStreak"
    }
}

/// A port of a container in a list.
package struct PortSummary: WireObject {
    /// The host address it is published on.
    @OmittedIfEmpty package var ip: String = ""
    /// The port in the container.
    @Always package var privatePort: Int = 0
    /// The port on the host.
    @OmittedIfEmpty package var publicPort: Int = 0
    /// `tcp`, `udp` or `sctp`.
    @Always package var type: String = ""

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case ip = "IP"
        case privatePort = "PrivatePort"
        case publicPort = "PublicPort"
        case type = "Type"
    }
}

/// What a list shows of the host configuration.
package struct HostConfigSummary: WireObject {
    /// The network mode.
    @OmittedIfEmpty package var networkMode: String = ""
    /// Annotations.
    @OmittedIfEmpty package var annotations: [String: String] = [:]

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case networkMode = "NetworkMode"
        case annotations = "Annotations"
    }
}

/// What a list shows of the networks.
package struct NetworkSettingsSummary: WireObject {
    /// Endpoints by network name.
    @Always package var networks: [String: EndpointSettings] = [:]

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case networks = "Networks"
    }
}

/// The processes of a container: `GET /containers/{id}/top`.
package struct ContainerTop: WireObject {
    /// One row a process.
    @Always package var processes: [[String]] = []
    /// The columns' titles.
    @Always package var titles: [String] = []

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case processes = "Processes"
        case titles = "Titles"
    }
}
