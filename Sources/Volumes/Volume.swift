import OCISpec

/// A place for files that outlives the containers which use it.
package struct Volume: Hashable, Sendable, Codable {
    /// What people call it; 64 hexadecimal digits if nobody gave it a name.
    package let name: String
    /// What made it: `local`, or the name of a plugin.
    package let driver: String
    /// When it was made; `nil` if its plugin does not tell.
    package let createdAt: Timestamp?
    /// The user's own notes. Docker tells apart none and an empty list of them.
    package let labels: [String: String]?
    /// The driver's options, as they were asked for.
    package let options: [String: String]?
    /// What the driver has understood of them.
    package let definition: VolumeDefinition

    /// A volume.
    package init(
        name: String, driver: String, createdAt: Timestamp?, labels: [String: String]? = nil,
        options: [String: String]? = nil, definition: VolumeDefinition
    ) {
        self.name = name
        self.driver = driver
        self.createdAt = createdAt
        self.labels = labels
        self.options = options
        self.definition = definition
    }

    /// The driver that is built in.
    package static let localDriver = "local"

    /// The label of volumes that nobody gave a name, by which a prune knows them.
    package static let anonymousLabel = "com.docker.volume.anonymous"

    /// Whether nobody gave it a name.
    package var isAnonymous: Bool { labels?[Self.anonymousLabel] != nil }

    /// Whether its files take room of this machine that a removal gives back: Docker leaves volumes with options out of
    /// prunes and sums.
    package var isPlain: Bool { driver == Self.localDriver && (options ?? [:]).isEmpty }
}

/// What a volume is to its driver.
package enum VolumeDefinition: Hashable, Sendable, Codable {
    /// A directory below the data root, or a file system that each container mounts.
    case local(LocalOptions)
    /// Something that a plugin knows by the volume's name.
    case plugin
}

/// On which machines a volume is the same one.
package enum VolumeScope: String, Hashable, Sendable, Codable {
    case local, global
}

/// A volume, and what its driver says of it at the moment.
package struct VolumeDetails: Hashable, Sendable {
    /// The volume.
    package var volume: Volume
    /// On which machines it is the same one.
    package var scope: VolumeScope
    /// Where its files are on this machine; empty if the driver does not know, which may be until a container uses it.
    package var mountpoint: String
    /// What a plugin wants to be shown, a JSON object as text; `nil` for nothing.
    package var status: String?

    /// A volume with what its driver says.
    package init(volume: Volume, scope: VolumeScope = .local, mountpoint: String, status: String? = nil) {
        self.volume = volume
        self.scope = scope
        self.mountpoint = mountpoint
        self.status = status
    }
}
