/// Where in a container something is mounted: an absolute path that is not the root.
package struct MountTarget: Hashable, Sendable, Codable, CustomStringConvertible {
    /// As it was given.
    package let description: String

    /// Why a text is no place for a mount.
    package enum Refusal: Error, Hashable, Sendable {
        case relative, root
    }

    /// Reads an absolute path, and cleans it.
    package init(_ text: String) throws(Refusal) {
        guard text.hasPrefix("/") else { throw .relative }
        if lexicallyClean(text) == "/" { throw .root }
        description = text
    }

    /// Without `.`, `..` and doubled slashes.
    package var path: String { lexicallyClean(description) }

    package init(from decoder: any Decoder) throws {
        try self.init(try decoder.singleValueContainer().decode(String.self))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// Whether mounts below a bind mount show on the other side; mount_namespaces(7).
package enum MountPropagationMode: String, Hashable, Sendable, Codable {
    case `private`, rprivate, shared, rshared, slave, rslave

    package var isShared: Bool { self == .shared || self == .rshared }
    package var isSlave: Bool { self == .slave || self == .rslave }

    /// The same for a mount without those below it.
    package var ofOneMount: MountPropagationMode { isShared ? .shared : isSlave ? .slave : .private }
}

/// `-v source:destination[:options]` as one entry of the API's `Binds`.
package struct BindSpecification: Hashable, Sendable, Codable, CustomStringConvertible {
    /// The words after the second colon.
    package enum Option: String, Hashable, Sendable, Codable {
        case ro, rw, z, Z, nocopy, consistent, cached, delegated
        case `private`, rprivate, shared, rshared, slave, rslave
    }

    /// An absolute host path, or a volume's name.
    package var source: String
    /// Where it appears in the container.
    package var target: MountTarget
    /// As they were given, in their order.
    package var options: [Option]
    /// Whether a read-only one leaves mounts below it writable, as clients before API 1.44 expect it.
    package var isReadOnlyNonRecursive: Bool?

    /// A bind mount of a directory or file, or a mount of a volume.
    package init(source: String, target: MountTarget, options: [Option] = []) {
        self.source = source
        self.target = target
        self.options = options
    }

    /// Whether the source names a volume instead of a path.
    package var isVolume: Bool { !source.hasPrefix("/") }
    /// Whether nothing can be written through it.
    package var isReadOnly: Bool { options.contains(.ro) }

    /// One of the kernel's propagation types, if given.
    package var propagation: MountPropagationMode? {
        options.lazy.compactMap { MountPropagationMode(rawValue: $0.rawValue) }.first
    }

    package var description: String {
        source + ":" + target.description + (options.isEmpty ? "" : ":" + mode)
    }

    /// The options as Docker writes them.
    package var mode: String { options.map(\.rawValue).joined(separator: ",") }
}

/// One `--mount` (the API's `Mounts`).
package struct MountSpecification: Hashable, Sendable, Codable {
    /// The kinds of mounts that the API knows.
    package enum Kind: String, Hashable, Sendable, Codable {
        case bind, tmpfs, volume, image, cluster, npipe
    }

    /// What is mounted.
    package var kind: Kind
    /// The host's path or the volume's name; empty where there is none.
    package var source = ""
    /// Where it appears in the container.
    package var target: MountTarget
    /// Nothing can be written through it.
    package var readOnly = false
    /// `consistency` as given; carried.
    package var consistency = ""
    /// Options of the kind `bind`.
    package var bind: BindOptions?
    /// Options of the kind `tmpfs`.
    package var tmpfs: TmpfsOptions?
    /// Options of the kind `volume`.
    package var volume: VolumeOptions?
    /// Options of the kind `image`.
    package var image: ImageOptions?
    /// As in `BindSpecification`.
    package var isReadOnlyNonRecursive: Bool?

    /// A mount without options.
    package init(kind: Kind, source: String = "", target: MountTarget, readOnly: Bool = false) {
        self.kind = kind
        self.source = source
        self.target = target
        self.readOnly = readOnly
    }

    /// What only bind mounts have.
    package struct BindOptions: Hashable, Sendable, Codable {
        /// nil: the engine's default for the source.
        package var propagation: MountPropagationMode?
        /// Mounts below the source do not come with it.
        package var nonRecursive = false
        /// A missing source is made, as an empty directory.
        package var createMountpoint = false
        /// Of a read-only mount, those below stay writable.
        package var readOnlyNonRecursive = false
        /// A kernel that cannot make those below read-only is an error.
        package var readOnlyForceRecursive = false

        /// A mount without options.
        package init() {}
    }

    /// What only tmpfs mounts have.
    package struct TmpfsOptions: Hashable, Sendable, Codable {
        /// Bytes; nil: half of memory, the kernel's default.
        package var sizeBytes: Int64?
        /// Permission bits; nil: 1777.
        package var mode: UInt32?
        /// Options of tmpfs(5), checked.
        package var options: [TmpfsOption] = []

        /// A mount without options.
        package init() {}
    }

    /// What only mounts of volumes have.
    package struct VolumeOptions: Hashable, Sendable, Codable {
        /// What the image has at the place is not copied into the volume.
        package var noCopy = false
        /// Of a volume that is made.
        package var labels: [String: String] = [:]
        /// The part of the volume that is mounted; nil: all.
        package var subpath: Subpath?
        /// The driver's name; empty: the one the volume has, or the local one.
        package var driver = ""
        /// What the driver is told if it makes the volume.
        package var driverOptions: [String: String] = [:]

        /// A mount without options.
        package init() {}
    }

    /// What only mounts of images have.
    package struct ImageOptions: Hashable, Sendable, Codable {
        /// The part of the image that is mounted; nil: all.
        package var subpath: Subpath?

        /// A mount without options.
        package init() {}
    }
}

/// `path` without `.`, `..` and doubled slashes, resolved by text alone (absolute paths only: `..` at the root stays
/// there).
func lexicallyClean(_ path: String) -> String {
    var parts: [Substring] = []
    for part in path.split(separator: "/") {
        if part == "." { continue }
        if part == ".." { _ = parts.popLast() } else { parts.append(part) }
    }
    return "/" + parts.joined(separator: "/")
}
