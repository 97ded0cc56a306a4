/// Something that is mounted in a container beside its root, as it was settled when the container was made.
///
/// Each start mounts it, `inspect` lists it, and others get it with `--volumes-from`. File systems of `--tmpfs` are not
/// among them.
package struct MountPoint: Hashable, Sendable, Codable {
    /// What is mounted.
    package enum Content: Hashable, Sendable, Codable {
        case bind(MountedPath)
        case volume(MountedVolume)
        case image(MountedImage)
        case tmpfs(MountSpecification.TmpfsOptions)
    }

    /// What is mounted.
    package var content: Content
    /// Where it is in the container.
    package var target: MountTarget
    /// The words behind the second colon of `-v`, as `inspect` shows them.
    package var mode: String
    /// Whether something can be written through it.
    package var isWritable: Bool
    /// Of what cannot be written: whether mounts below it can, as clients before API 1.44 expect it.
    package var isReadOnlyAtTopOnly: Bool?

    /// Something at `target`.
    package init(_ content: Content, at target: MountTarget, mode: String = "", isWritable: Bool = true) {
        self.content = content
        self.target = target
        self.mode = mode
        self.isWritable = isWritable
    }

    /// What is mounted, by the API's word.
    package var kind: MountSpecification.Kind {
        switch content {
        case .bind: .bind
        case .volume: .volume
        case .image: .image
        case .tmpfs: .tmpfs
        }
    }

    /// Where it is in the container: absolute, without `.` and `..`.
    package var destination: String { target.path }

    /// Where it is on the host, as far as that can be told.
    package var source: String {
        switch content {
        case .bind(let bind): bind.path
        case .volume(let volume): volume.path
        case .image(let image): image.reference
        case .tmpfs: ""
        }
    }

    /// The volume, if it is one.
    package var volume: MountedVolume? {
        guard case .volume(let volume) = content else { return nil }
        return volume
    }

    /// The id of the image whose files it has, if it is one's.
    var imageID: String? {
        guard case .image(let image) = content else { return nil }
        return image.id
    }

    /// The bind mount's directory or file, if it is one.
    var bind: MountedPath? {
        guard case .bind(let bind) = content else { return nil }
        return bind
    }

    /// How mounts spread through it; nil for what is no bind mount.
    package var propagation: MountPropagationMode? { bind?.effectivePropagation }
}

/// A directory or file of the host.
package struct MountedPath: Hashable, Sendable, Codable {
    /// Absolute.
    package var path: String
    /// As it was asked for; nil: as the engine chose.
    package var propagation: MountPropagationMode?
    /// The engine's choice for the path where nobody chose; nil: `rprivate`.
    package var fallbackPropagation: MountPropagationMode?
    /// Whether mounts below the path come with it.
    package var isRecursive = true
    /// Whether each start makes a directory where nothing is.
    package var makesSource = false

    /// The directory or file at `path`.
    package init(path: String) { self.path = path }

    /// How mounts spread through it.
    package var effectivePropagation: MountPropagationMode { propagation ?? fallbackPropagation ?? .rprivate }
}

/// A volume in a container.
package struct MountedVolume: Hashable, Sendable, Codable {
    /// The volume's name; of an anonymous one, which nobody has named, 64 hexadecimal digits.
    package var name: String
    /// The name of its driver.
    package var driver: String
    /// Where it is on the host, for `inspect`.
    package var path: String
    /// Whether it was made for a container that gave it no name, so that it goes with the last one that has it.
    package var isAnonymous: Bool
    /// The part of it that is mounted; nil: all.
    package var subpath: Subpath?
    /// Whether it gets what the image has at its place, as long as it is empty.
    package var copiesUp: Bool

    /// A volume that exists.
    package init(
        name: String, driver: String, path: String, isAnonymous: Bool = false, subpath: Subpath? = nil,
        copiesUp: Bool = false
    ) {
        self.name = name
        self.driver = driver
        self.path = path
        self.isAnonymous = isAnonymous
        self.subpath = subpath
        self.copiesUp = copiesUp
    }
}

/// The files of an image in a container, which cannot be written.
package struct MountedImage: Hashable, Sendable, Codable {
    /// As it was asked for.
    package var reference: String
    /// `sha256:…`, what it meant when the container was made.
    package var id: String
    /// The part of it that is mounted; nil: all.
    package var subpath: Subpath?
    /// The snapshot with its files, which is the container's.
    package var snapshot: String

    /// An image whose files are in `snapshot`.
    package init(reference: String, id: String, subpath: Subpath? = nil, snapshot: String) {
        self.reference = reference
        self.id = id
        self.subpath = subpath
        self.snapshot = snapshot
    }
}
