/// A container's configuration: the `config.json` of an OCI bundle.
///
/// Types in this folder carry the names that the runtime specification's own Go bindings use, without a prefix; their
/// properties are spelled as in JSON. Members a file does not have are `nil`; members we do not know are ignored, as
/// the specification asks.
///
/// Open Container Initiative Runtime Specification 1.3, `config.md`.
package struct Spec: Codable, Hashable, Sendable {
    /// The version of the specification this file keeps to (SemVer).
    package var ociVersion: String
    /// The container's first process; needed by `start`, not by `create`.
    package var process: Process?
    /// The root file system.
    package var root: Root?
    /// The host name in the container's own UTS namespace.
    package var hostname: String?
    /// The NIS domain name in the container's own UTS namespace.
    package var domainname: String?
    /// Mounts beside the root, made in this order.
    package var mounts: [Mount]?
    /// Programs run at points of the life cycle.
    package var hooks: Hooks?
    /// Anything else, for people and for programs above the runtime.
    package var annotations: [String: String]?
    /// The settings for Linux.
    package var linux: Linux?

    /// A configuration that has only its version.
    package init(ociVersion: String = "1.3.0") {
        self.ociVersion = ociVersion
    }
}

/// Where the container's root file system is.
package struct Root: Codable, Hashable, Sendable {
    /// An absolute path, or one relative to the bundle.
    package var path: String
    /// Whether the root is mounted read-only.
    package var readonly: Bool?

    /// A root at `path`.
    package init(path: String, readonly: Bool? = nil) {
        self.path = path
        self.readonly = readonly
    }
}

/// One mount inside the container.
package struct Mount: Codable, Hashable, Sendable {
    /// Where, as an absolute path in the container.
    package var destination: String
    /// The file system's name; ignored for bind mounts.
    package var type: String?
    /// A device, a file or directory of the host (bind mounts; relative ones are relative to the bundle), or a mere
    /// name.
    package var source: String?
    /// Options as in fstab(5), and those of `config.md`, "Linux mount options" (`rbind`, `rro`, `rprivate`,
    /// `tmpcopyup`, …).
    package var options: [String]?
    /// With `gidMappings`: an id-mapped mount.
    package var uidMappings: [LinuxIDMapping]?
    /// With `uidMappings`: an id-mapped mount.
    package var gidMappings: [LinuxIDMapping]?

    /// A mount of `source` at `destination`.
    package init(destination: String, type: String? = nil, source: String? = nil, options: [String]? = nil) {
        self.destination = destination
        self.type = type
        self.source = source
        self.options = options
    }
}

/// Programs that the runtime runs at points of a container's life cycle (`config.md`, "POSIX-platform Hooks").
package struct Hooks: Codable, Hashable, Sendable {
    /// Deprecated by the specification: runs where `createRuntime` runs, before those.
    package var prestart: [Hook]?
    /// In the runtime's namespaces, during `create`, before pivot_root.
    package var createRuntime: [Hook]?
    /// In the container's namespaces, during `create`, before pivot_root.
    package var createContainer: [Hook]?
    /// In the container's namespaces, during `start`, before the user's program.
    package var startContainer: [Hook]?
    /// In the runtime's namespaces, after the user's program has started.
    package var poststart: [Hook]?
    /// In the runtime's namespaces, after the container is deleted.
    package var poststop: [Hook]?

    /// No hooks.
    package init() {}
}

/// One program run at a point of the life cycle; it reads the container's `State` from its standard input.
package struct Hook: Codable, Hashable, Sendable {
    /// The program's absolute path.
    package var path: String
    /// All arguments, the program's name included.
    package var args: [String]?
    /// The whole environment, as `NAME=value`.
    package var env: [String]?
    /// Seconds after which the hook is killed and counts as failed.
    package var timeout: Int?

    /// A hook that runs `path`.
    package init(path: String, args: [String]? = nil, env: [String]? = nil, timeout: Int? = nil) {
        self.path = path
        self.args = args
        self.env = env
        self.timeout = timeout
    }
}
