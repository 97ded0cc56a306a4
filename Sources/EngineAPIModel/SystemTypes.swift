/// Versions of the daemon and its parts: `GET /version`.
package struct VersionResponse: WireObject {
    /// What product it is.
    @Always package var platform: VersionPlatform = VersionPlatform()
    /// The parts.
    @Always package var components: [VersionComponent] = []
    /// The daemon's version.
    @Always package var version: String = ""
    /// The highest API version it speaks.
    @Always package var apiVersion: String = ""
    /// The lowest API version it speaks.
    @Always package var minAPIVersion: String = ""
    /// What it was built from.
    @Always package var gitCommit: String = ""
    /// Kept for clients that print it.
    @Always package var goVersion: String = ""
    /// The operating system.
    @Always package var os: String = ""
    /// As Go names it.
    @Always package var arch: String = ""
    /// `uname -r`.
    @Always package var kernelVersion: String = ""
    /// Whether experimental features are on.
    @OmittedIfEmpty package var experimental: Bool = false
    /// When it was built.
    @Always package var buildTime: String = ""

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case platform = "Platform"
        case components = "Components"
        case version = "Version"
        case apiVersion = "ApiVersion"
        case minAPIVersion = "MinAPIVersion"
        case gitCommit = "GitCommit"
        case goVersion = "GoVersion"
        case os = "Os"
        case arch = "Arch"
        case kernelVersion = "KernelVersion"
        case experimental = "Experimental"
        case buildTime = "BuildTime"
    }
}

/// What product a daemon is.
package struct VersionPlatform: WireObject {
    /// Its name.
    @Always package var name: String = ""

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case name = "Name"
    }
}

/// A part of the daemon.
package struct VersionComponent: WireObject {
    /// Its name.
    @Always package var name: String = ""
    /// Its version.
    @Always package var version: String = ""
    /// More about it.
    @Always package var details: [String: String]? = nil

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case name = "Name"
        case version = "Version"
        case details = "Details"
    }
}

/// Something that happened: a line of `GET /events`.
package struct EventMessage: WireObject {
    /// Deprecated copy of ``action``.
    @OmittedIfEmpty package var status: String = ""
    /// Deprecated copy of the actor's id.
    @OmittedIfEmpty package var id: String = ""
    /// Deprecated copy of the image's name.
    @OmittedIfEmpty package var from: String = ""
    /// `container`, `image`, `network`, `volume`, `daemon`, …
    @Always package var type: String = ""
    /// What happened: `create`, `start`, `die`, …
    @Always package var action: String = ""
    /// To what.
    @Always package var actor: EventActor = EventActor()
    /// Always `local`.
    @OmittedIfEmpty package var scope: String = ""
    /// Seconds since 1970.
    @OmittedIfEmpty package var time: Int64 = 0
    /// Nanoseconds since 1970.
    @OmittedIfEmpty package var timeNano: Int64 = 0

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case status
        case id
        case from
        case type = "Type"
        case action = "Action"
        case actor = "Actor"
        case scope
        case time
        case timeNano
    }
}

/// What an event is about.
package struct EventActor: WireObject {
    /// The id.
    @Always package var id: String = ""
    /// Name, image, labels, exit code, …
    @Always package var attributes: [String: String] = [:]

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case id = "ID"
        case attributes = "Attributes"
    }
}
