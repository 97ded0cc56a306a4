import OCISpec

/// What a device of the Container Device Interface changes in a container (CDI 1.1.0, "OCI Edits").
package struct ContainerEdits: Hashable, Sendable, Codable {
    /// `NAME=value`.
    package var env: [String] = []
    package var deviceNodes: [DeviceNode] = []
    package var netDevices: [NetworkDevice] = []
    package var mounts: [EditedMount] = []
    package var hooks: [EditedHook] = []
    package var additionalGids: [UInt32] = []
    package var intelRdt: LinuxIntelRdt?

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
        package var path: String
        package var hostPath: String?
        /// `b`, `c`, `u` or `p`.
        package var type: String?
        package var major: Int64?
        package var minor: Int64?
        package var fileMode: UInt32?
        /// Any of `rwm`; `rwm` if it is not said.
        package var permissions: String?
        package var uid: UInt32?
        package var gid: UInt32?
    }

    /// A network interface of the host that the container gets.
    package struct NetworkDevice: Hashable, Sendable, Codable {
        package var hostInterfaceName: String
        package var name: String
    }

    /// A mount.
    package struct EditedMount: Hashable, Sendable, Codable {
        package var hostPath: String
        package var containerPath: String
        package var type: String?
        package var options: [String]?
    }

    /// A program of the host that the runtime starts.
    package struct EditedHook: Hashable, Sendable, Codable {
        /// `prestart`, `createRuntime`, `createContainer`, `startContainer`, `poststart` or `poststop`.
        package var hookName: String
        package var path: String
        package var args: [String]?
        package var env: [String]?
        package var timeout: Int?
    }
}
