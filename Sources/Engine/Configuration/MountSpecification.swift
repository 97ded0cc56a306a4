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
}

/// `-v source:destination[:options]` as one entry of the API's `Binds`.
package struct BindSpecification: Hashable, Sendable, Codable, CustomStringConvertible {
    /// The words after the second colon.
    package enum Option: String, Hashable, Sendable, Codable {
        case ro, rw, z, Z, nocopy, consistent, cached, delegated
        case `private`, rprivate, shared, rshared, slave, rslave
    }

    /// An absolute host path, or a volume's name (refused until volumes land).
    package var source: String
    /// Where it appears in the container.
    package var target: MountTarget
    /// As they were given, in their order.
    package var options: [Option]
    /// Whether a read-only one leaves mounts below it writable, as clients before API 1.44 expect it.
    package var isReadOnlyNonRecursive: Bool?
    /// The engine's choice for the source where nobody chose; nil: rprivate.
    package var fallbackPropagation: MountPropagationMode?

    /// A bind mount of a directory or file.
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

    package var effectivePropagation: MountPropagationMode { propagation ?? fallbackPropagation ?? .rprivate }

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
    /// Both as in `BindSpecification`.
    package var isReadOnlyNonRecursive: Bool?
    package var fallbackPropagation: MountPropagationMode?

    /// A mount without options.
    package init(kind: Kind, source: String = "", target: MountTarget, readOnly: Bool = false) {
        self.kind = kind
        self.source = source
        self.target = target
        self.readOnly = readOnly
    }

    package var effectivePropagation: MountPropagationMode { bind?.propagation ?? fallbackPropagation ?? .rprivate }

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
}

/// A tmpfs asked for by its place and options (`--tmpfs`).
package struct TmpfsMount: Hashable, Sendable, Codable {
    /// Where it appears in the container.
    package var target: MountTarget
    /// Options of tmpfs(5), checked.
    package var options: [TmpfsOption]

    /// A file system in memory.
    package init(target: MountTarget, options: [TmpfsOption] = []) {
        self.target = target
        self.options = options
    }
}

/// A mount option of a tmpfs: `noexec`, `size=64m`.
package struct TmpfsOption: Hashable, Sendable, Codable, CustomStringConvertible {
    /// The option's name.
    package let name: String
    /// What follows the equals sign; `nil` without one.
    package let value: String?

    private static let flags: Set = [
        "defaults", "ro", "rw", "suid", "nosuid", "dev", "nodev", "exec", "noexec", "sync", "async", "dirsync",
        "remount", "mand",
        "nomand", "atime", "noatime", "diratime", "nodiratime", "bind", "rbind", "unbindable", "runbindable", "private",
        "rprivate", "shared", "rshared", "slave", "rslave", "relatime", "norelatime", "strictatime", "nostrictatime",
    ]
    private static let valued: Set = [
        "mode", "uid", "gid", "size", "nr_inodes", "nr_blocks", "mpol", "huge", "noswap", "inode32", "inode64",
    ]

    /// nil: the kernel's tmpfs has no such option.
    package init?(name: String, value: String? = nil) {
        guard Self.flags.contains(name) || Self.valued.contains(name), !(value ?? "").utf8.contains(0),
            !(value ?? "").contains(",")
        else { return nil }
        self.name = name
        self.value = value
    }

    package var description: String { name + (value.map { "=" + $0 } ?? "") }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let name = try container.decode(String.self, forKey: .name)
        guard let option = TmpfsOption(name: name, value: try container.decodeIfPresent(String.self, forKey: .value))
        else { throw EngineError.invalid("\"\(name)\" is not an option of a tmpfs") }
        self = option
    }

    private enum CodingKeys: String, CodingKey { case name, value }
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
