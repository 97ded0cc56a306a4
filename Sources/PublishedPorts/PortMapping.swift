import Addresses

/// Where a container's port is published on the host.
package struct PortBinding: Hashable, Sendable, Codable {
    /// nil: every address.
    package var address: IPAddress?
    /// nil: the engine chooses.
    package var ports: HostPorts?

    /// An address and ports of the host; `nil` is any.
    package init(address: IPAddress? = nil, ports: HostPorts? = nil) {
        self.address = address
        self.ports = ports
    }
}

/// A port of a container and all places where it is published.
package struct PortMapping: Hashable, Sendable, Codable {
    /// The container's.
    package var port: PortRange
    /// Where the host listens for it.
    package var bindings: [PortBinding]

    /// A port of the container and its places on the host.
    package init(port: PortRange, bindings: [PortBinding]) {
        self.port = port
        self.bindings = bindings
    }
}
