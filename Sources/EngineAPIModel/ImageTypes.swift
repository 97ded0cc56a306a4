/// An image in a list: `GET /images/json`.
package struct ImageSummary: WireObject {
    /// How many containers use it; −1 when not counted.
    @Always package var containers: Int = 0
    /// Seconds since 1970.
    @Always package var created: Int64 = 0
    /// The image's id, `sha256:…`.
    @Always package var id: String = ""
    /// Labels.
    @Always package var labels: [String: String]? = nil
    /// The image it was built on.
    @Always package var parentID: String = ""
    /// The descriptor of its manifest.
    @OmittedIfEmpty package var descriptor: ImageDescriptor? = nil
    /// Its manifests, if asked for.
    @OmittedIfEmpty package var manifests: [ImageManifestSummary]? = nil
    /// `name@sha256:…`.
    @Always package var repoDigests: [String] = []
    /// `name:tag`.
    @Always package var repoTags: [String] = []
    /// Bytes shared with other images; −1 when not counted.
    @Always package var sharedSize: Int64 = 0
    /// Bytes of all its layers.
    @Always package var size: Int64 = 0
    /// The same, for clients older than API 1.44.
    @OmittedIfEmpty package var virtualSize: Int64 = 0

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case containers = "Containers"
        case created = "Created"
        case id = "Id"
        case labels = "Labels"
        case parentID = "ParentId"
        case descriptor = "Descriptor"
        case manifests = "Manifests"
        case repoDigests = "RepoDigests"
        case repoTags = "RepoTags"
        case sharedSize = "SharedSize"
        case size = "Size"
        case virtualSize = "VirtualSize"
    }
}

/// A reference to content by its digest, as the OCI image specification defines it.
package struct ImageDescriptor: WireObject {
    /// What it is.
    @Always package var mediaType: String = ""
    /// Its digest.
    @Always package var digest: String = ""
    /// Its size in bytes.
    @Always package var size: Int64 = 0
    /// Other places to get it from.
    @OmittedIfEmpty package var urls: [String] = []
    /// Notes by name.
    @OmittedIfEmpty package var annotations: [String: String] = [:]
    /// What the content is for.
    @OmittedIfEmpty package var platform: PlatformDescription? = nil
    /// What kind of artifact it is.
    @OmittedIfEmpty package var artifactType: String = ""

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case mediaType
        case digest
        case size
        case urls
        case annotations
        case platform
        case artifactType
    }
}

/// An inspected image: `GET /images/{name}/json`.
package struct ImageInspection: WireObject {
    /// The image's id, `sha256:…`.
    @Always package var id: String = ""
    /// `name:tag`.
    @Always package var repoTags: [String] = []
    /// `name@sha256:…`.
    @Always package var repoDigests: [String] = []
    /// The image it was built on.
    @Always package var parent: String = ""
    /// The message of the commit or import.
    @Always package var comment: String = ""
    /// When it was made.
    @OmittedIfEmpty package var created: String = ""
    /// Which builder made it.
    @Always package var dockerVersion: String = ""
    /// Who made it.
    @Always package var author: String = ""
    /// The container it was made of, for clients older than API 1.45: empty.
    @OmittedIfEmpty package var container: String? = nil
    /// What that container ran, for clients older than API 1.45.
    @OmittedIfEmpty package var containerConfig: ImageConfig? = nil
    /// What its containers run.
    @Always package var config: ImageConfig? = nil
    /// As Go names it: `amd64`, `arm64`, …
    @Always package var architecture: String = ""
    /// The architecture's variant.
    @OmittedIfEmpty package var variant: String = ""
    /// The operating system.
    @Always package var os: String = ""
    /// The operating system's version.
    @OmittedIfEmpty package var osVersion: String = ""
    /// Bytes of all its layers.
    @Always package var size: Int64 = 0
    /// The same, for clients older than API 1.44.
    @OmittedIfEmpty package var virtualSize: Int64 = 0
    /// Where the storage driver keeps it.
    @Always package var graphDriver: DriverData = DriverData()
    /// Its layers.
    @Always package var rootFS: RootFS = RootFS()
    /// Facts about the image on this machine.
    @Always package var metadata: ImageMetadata = ImageMetadata()
    /// The descriptor of its manifest.
    @OmittedIfEmpty package var descriptor: ImageDescriptor? = nil
    /// Its manifests, if asked for.
    @OmittedIfEmpty package var manifests: [ImageManifestSummary]? = nil

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case id = "Id"
        case repoTags = "RepoTags"
        case repoDigests = "RepoDigests"
        case parent = "Parent"
        case comment = "Comment"
        case created = "Created"
        case dockerVersion = "DockerVersion"
        case author = "Author"
        case container = "Container"
        case containerConfig = "ContainerConfig"
        case config = "Config"
        case architecture = "Architecture"
        case variant = "Variant"
        case os = "Os"
        case osVersion = "OsVersion"
        case size = "Size"
        case virtualSize = "VirtualSize"
        case graphDriver = "GraphDriver"
        case rootFS = "RootFS"
        case metadata = "Metadata"
        case descriptor = "Descriptor"
        case manifests = "Manifests"
    }
}

/// What containers of an image run. Empty fields are left out but for those that clients of old read without looking.
package struct ImageConfig: WireObject {
    /// The user: `name[:group]` or `uid[:gid]`.
    @Always package var user: String = ""
    /// Ports as `80/tcp`.
    @OmittedIfEmpty package var exposedPorts: [String: EmptyObject] = [:]
    /// `NAME=value`.
    @Always package var env: [String]? = nil
    /// The entry point.
    @Always package var entrypoint: [String]? = nil
    /// The command.
    @Always package var cmd: [String]? = nil
    /// Mount points of anonymous volumes.
    @Always package var volumes: [String: EmptyObject]? = nil
    /// The working directory.
    @Always package var workingDir: String = ""
    /// Labels.
    @Always package var labels: [String: String]? = nil
    /// The signal that asks the process to end.
    @OmittedIfEmpty package var stopSignal: String = ""
    /// The health check.
    @OmittedIfEmpty package var healthcheck: HealthConfig? = nil
    /// Triggers for images built on this one.
    @Always package var onBuild: [String]? = nil
    /// The shell of shell-form instructions.
    @OmittedIfEmpty package var shell: [String] = []

    // What a container has and an image does not, for clients older than API 1.50.

    /// Empty.
    @OmittedIfEmpty package var hostname: String? = nil
    /// Empty.
    @OmittedIfEmpty package var domainname: String? = nil
    /// False.
    @OmittedIfEmpty package var attachStdin: Bool? = nil
    /// False.
    @OmittedIfEmpty package var attachStdout: Bool? = nil
    /// False.
    @OmittedIfEmpty package var attachStderr: Bool? = nil
    /// False.
    @OmittedIfEmpty package var tty: Bool? = nil
    /// False.
    @OmittedIfEmpty package var openStdin: Bool? = nil
    /// False.
    @OmittedIfEmpty package var stdinOnce: Bool? = nil
    /// Empty.
    @OmittedIfEmpty package var image: String? = nil

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case user = "User"
        case exposedPorts = "ExposedPorts"
        case env = "Env"
        case entrypoint = "Entrypoint"
        case cmd = "Cmd"
        case volumes = "Volumes"
        case workingDir = "WorkingDir"
        case labels = "Labels"
        case stopSignal = "StopSignal"
        case healthcheck = "Healthcheck"
        case onBuild = "OnBuild"
        case shell = "Shell"
        case hostname = "Hostname"
        case domainname = "Domainname"
        case attachStdin = "AttachStdin"
        case attachStdout = "AttachStdout"
        case attachStderr = "AttachStderr"
        case tty = "Tty"
        case openStdin = "OpenStdin"
        case stdinOnce = "StdinOnce"
        case image = "Image"
    }
}

/// The layers of an image.
package struct RootFS: WireObject {
    /// Always `layers`.
    @Always package var type: String = ""
    /// The digests of the uncompressed layers.
    @OmittedIfEmpty package var layers: [String] = []

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case type = "Type"
        case layers = "Layers"
    }
}

/// Facts about an image on this machine that are not part of the image.
package struct ImageMetadata: WireObject {
    /// When it was last tagged here, or year 1.
    @Always package var lastTagTime: String = ""

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case lastTagTime = "LastTagTime"
    }
}

/// A step in the making of an image: `GET /images/{name}/history`.
package struct ImageHistoryEntry: WireObject {
    /// The comment of the author.
    @Always package var comment: String = ""
    /// Seconds since 1970.
    @Always package var created: Int64 = 0
    /// The instruction.
    @Always package var createdBy: String = ""
    /// The image's id, or `<missing>`.
    @Always package var id: String = ""
    /// Bytes of the step's layer.
    @Always package var size: Int64 = 0
    /// Tags of the image at this step.
    @Always package var tags: [String]? = nil

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case comment = "Comment"
        case created = "Created"
        case createdBy = "CreatedBy"
        case id = "Id"
        case size = "Size"
        case tags = "Tags"
    }
}

/// One thing done by `DELETE /images/{name}`; one of the two is set.
package struct ImageDeletion: WireObject {
    /// A reference that was removed.
    @OmittedIfEmpty package var untagged: String = ""
    /// An image or layer that was removed.
    @OmittedIfEmpty package var deleted: String = ""

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case untagged = "Untagged"
        case deleted = "Deleted"
    }
}

/// A line of the streams of import, load and pull.
package struct ProgressMessage: WireObject {
    /// Text to print as it is.
    @OmittedIfEmpty package var stream: String = ""
    /// The present step.
    @OmittedIfEmpty package var status: String = ""
    /// To which layer.
    @OmittedIfEmpty package var id: String = ""
    /// How far it is.
    @OmittedIfEmpty package var progressDetail: ProgressDetail? = nil
    /// A bar for people.
    @OmittedIfEmpty package var progress: String = ""
    /// Why it failed.
    @OmittedIfEmpty package var error: String = ""
    /// Why it failed.
    @OmittedIfEmpty package var errorDetail: ProgressError? = nil
    /// What came of it.
    @OmittedIfEmpty package var aux: PushResult? = nil

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case stream
        case status
        case id
        case progressDetail
        case progress
        case error
        case errorDetail
        case aux
    }
}

/// How far something is.
package struct ProgressDetail: WireObject {
    /// Bytes done.
    @OmittedIfEmpty package var current: Int64 = 0
    /// Bytes in all; 0 when not known.
    @OmittedIfEmpty package var total: Int64 = 0

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case current
        case total
    }
}

/// Why something failed half-way.
package struct ProgressError: WireObject {
    /// A number for programs.
    @OmittedIfEmpty package var code: Int = 0
    /// In words.
    @OmittedIfEmpty package var message: String = ""

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case code
        case message
    }
}
