import OCISpec

/// What a device of the Container Device Interface changes in a container (CDI 1.1.0, "OCI Edits").
package struct ContainerEdits: Hashable, Sendable, Codable {
    /// `NAME=value`.
    package var env: [String] = []
    /// Device files.
    package var deviceNodes: [DeviceNode] = []
    /// Interfaces of the host that move into the container.
    package var netDevices: [NetworkDevice] = []
    /// Mounts, each in the place of one that is there already.
    package var mounts: [EditedMount] = []
    /// Programs of the host.
    package var hooks: [EditedHook] = []
    /// Groups of the process.
    package var additionalGids: [UInt32] = []
    /// The class of caches and memory bandwidth.
    package var intelRdt: LinuxIntelRdt?

    /// No change.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case env, deviceNodes, netDevices, mounts, hooks, additionalGids, intelRdt
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        env = try container.decodeIfPresent([String].self, forKey: .env) ?? []
        deviceNodes = try container.decodeIfPresent([DeviceNode].self, forKey: .deviceNodes) ?? []
        netDevices = try container.decodeIfPresent([NetworkDevice].self, forKey: .netDevices) ?? []
        mounts = try container.decodeIfPresent([EditedMount].self, forKey: .mounts) ?? []
        hooks = try container.decodeIfPresent([EditedHook].self, forKey: .hooks) ?? []
        additionalGids = try container.decodeIfPresent([UInt32].self, forKey: .additionalGids) ?? []
        intelRdt = try container.decodeIfPresent(LinuxIntelRdt.self, forKey: .intelRdt)
    }

    /// A device file; what is not said is taken from the host's.
    package struct DeviceNode: Hashable, Sendable, Codable {
        /// In the container.
        package var path: String
        /// On the host, if it has another path there.
        package var hostPath: String?
        /// `b`, `c`, `u` or `p`.
        package var type: String?
        /// The driver's number.
        package var major: Int64?
        /// The device's number.
        package var minor: Int64?
        /// Permission bits.
        package var fileMode: UInt32?
        /// Any of `rwm`; `rwm` if it is not said.
        package var permissions: String?
        /// The owner.
        package var uid: UInt32?
        /// The owner's group.
        package var gid: UInt32?
    }

    /// A network interface of the host that the container gets.
    package struct NetworkDevice: Hashable, Sendable, Codable {
        /// Its name on the host.
        package var hostInterfaceName: String
        /// Its name in the container.
        package var name: String
    }

    /// A mount.
    package struct EditedMount: Hashable, Sendable, Codable {
        /// The source.
        package var hostPath: String
        /// The place in the container.
        package var containerPath: String
        /// The file system's type; a bind mount if it is not said.
        package var type: String?
        /// Options of mount(8).
        package var options: [String]?
    }

    /// A program of the host that the runtime starts.
    package struct EditedHook: Hashable, Sendable, Codable {
        /// `prestart`, `createRuntime`, `createContainer`, `startContainer`, `poststart` or `poststop`.
        package var hookName: String
        /// The program.
        package var path: String
        /// Its arguments, its name among them.
        package var args: [String]?
        /// Its variables.
        package var env: [String]?
        /// Seconds after which it is killed.
        package var timeout: Int?
    }
}
