/// The part for Linux of a container's configuration (`config-linux.md`).
package struct Linux: Codable, Hashable, Sendable {
    /// User ids in a new user namespace.
    package var uidMappings: [LinuxIDMapping]?
    /// Group ids in a new user namespace.
    package var gidMappings: [LinuxIDMapping]?
    /// Kernel parameters set inside the container, by dotted name.
    package var sysctl: [String: String]?
    /// Limits for the container as a whole.
    package var resources: LinuxResources?
    /// The container's cgroup: absolute, or relative to a place of the runtime's choosing.
    package var cgroupsPath: String?
    /// Namespaces that are made or joined; any not named here are shared with the runtime.
    package var namespaces: [LinuxNamespace]?
    /// Devices that exist in the container beside the standard ones.
    package var devices: [LinuxDevice]?
    /// Network devices of the host moved into the container, by their name on the host.
    package var netDevices: [String: LinuxNetDevice]?
    /// The system call filter.
    package var seccomp: LinuxSeccomp?
    /// `shared`, `slave`, `private` or `unbindable`, with or without the prefix `r`.
    package var rootfsPropagation: String?
    /// Paths that cannot be read in the container.
    package var maskedPaths: [String]?
    /// Paths that cannot be written in the container.
    package var readonlyPaths: [String]?
    /// The SELinux label for mounts.
    package var mountLabel: String?
    /// Cache and memory bandwidth allocation.
    package var intelRdt: LinuxIntelRdt?
    /// The execution domain (personality(2)).
    package var personality: LinuxPersonality?
    /// Offsets in a new time namespace, by clock (`boottime`, `monotonic`).
    package var timeOffsets: [String: LinuxTimeOffset]?
    /// NUMA memory policy (set_mempolicy(2)).
    package var memoryPolicy: LinuxMemoryPolicy?

    /// Nothing set.
    package init() {}
}

/// A run of ids of a user namespace.
package struct LinuxIDMapping: Codable, Hashable, Sendable {
    /// The first id inside.
    package var containerID: UInt32
    /// The first id outside.
    package var hostID: UInt32
    /// How many.
    package var size: UInt32

    /// `size` ids from `containerID` on are those from `hostID` on outside.
    package init(containerID: UInt32, hostID: UInt32, size: UInt32) {
        self.containerID = containerID
        self.hostID = hostID
        self.size = size
    }
}

/// A namespace the container has of its own or joins.
package struct LinuxNamespace: Codable, Hashable, Sendable {
    /// Which kind.
    package var type: LinuxNamespaceType
    /// The namespace to join; `nil` makes a new one.
    package var path: String?

    /// A new namespace of kind `type`, or the one at `path`.
    package init(type: LinuxNamespaceType, path: String? = nil) {
        self.type = type
        self.path = path
    }
}

/// The kinds of namespaces (namespaces(7)), as the specification spells them.
package enum LinuxNamespaceType: String, Codable, Hashable, Sendable, CaseIterable {
    case pid, network, mount, ipc, uts, user, cgroup, time
}

/// A device file inside the container.
package struct LinuxDevice: Codable, Hashable, Sendable {
    /// Where, as an absolute path in the container.
    package var path: String
    /// `c` or `u` (character), `b` (block) or `p` (FIFO).
    package var type: String
    /// The major number.
    package var major: Int64?
    /// The minor number.
    package var minor: Int64?
    /// Permission bits; `nil` is 0o666.
    package var fileMode: UInt32?
    /// The owner in the container.
    package var uid: UInt32?
    /// The group in the container.
    package var gid: UInt32?

    /// A device file at `path`.
    package init(path: String, type: String, major: Int64? = nil, minor: Int64? = nil) {
        self.path = path
        self.type = type
        self.major = major
        self.minor = minor
    }
}

/// What a network device of the host is called in the container.
package struct LinuxNetDevice: Codable, Hashable, Sendable {
    /// The name inside; `nil` keeps it.
    package var name: String?

    /// A device that keeps its name.
    package init(name: String? = nil) {
        self.name = name
    }
}

/// Resource Director Technology.
package struct LinuxIntelRdt: Codable, Hashable, Sendable {
    /// The class of service.
    package var closID: String?
    /// Lines of the `schemata` file.
    package var schemata: [String]?
    /// The L3 line of the `schemata` file.
    package var l3CacheSchema: String?
    /// The memory bandwidth line of the `schemata` file.
    package var memBwSchema: String?
    /// Whether a monitoring group is made.
    package var enableMonitoring: Bool?

    /// Nothing set.
    package init() {}
}

/// The execution domain (personality(2)).
package struct LinuxPersonality: Codable, Hashable, Sendable {
    /// `LINUX` or `LINUX32`.
    package var domain: String
    /// No flags are defined.
    package var flags: [String]?

    /// A domain.
    package init(domain: String) {
        self.domain = domain
    }
}

/// How far a clock of a time namespace is ahead of the host's.
package struct LinuxTimeOffset: Codable, Hashable, Sendable {
    /// Whole seconds.
    package var secs: Int64?
    /// Nanoseconds beside them.
    package var nanosecs: UInt32?

    /// No offset.
    package init() {}
}

/// NUMA memory policy (set_mempolicy(2)).
package struct LinuxMemoryPolicy: Codable, Hashable, Sendable {
    /// `MPOL_DEFAULT` and its sisters.
    package var mode: String
    /// A list such as `0-3,7`.
    package var nodes: String?
    /// `MPOL_F_STATIC_NODES` and its sisters.
    package var flags: [String]?

    /// A mode.
    package init(mode: String) {
        self.mode = mode
    }
}
