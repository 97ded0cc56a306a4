import Addresses

/// A port of the host that belongs to a container: bound, and listened to, by the container's shim.
///
/// A request for all addresses becomes two of them, one for each family, with the same number.
package struct PublishedPort: Hashable, Sendable, Codable {
    /// TCP, UDP or SCTP.
    package var transport: TransportProtocol
    /// One address of the host, or `0.0.0.0` or `::` for all of the family.
    package var hostAddress: IPAddress
    /// The host's port.
    package var hostPort: UInt16
    /// The container's port.
    package var containerPort: UInt16

    /// A port of the host that stands for a container's.
    package init(_ transport: TransportProtocol, _ hostAddress: IPAddress, _ hostPort: UInt16, to containerPort: UInt16)
    {
        self.transport = transport
        self.hostAddress = hostAddress
        self.hostPort = hostPort
        self.containerPort = containerPort
    }
}

extension PublishedPort: CustomStringConvertible {
    /// As Docker's errors write it: `0.0.0.0:8080`.
    package var description: String { Self.text(hostAddress, hostPort) }

    static func text(_ address: IPAddress, _ port: UInt16) -> String {
        address.isIPv6 ? "[\(address)]:\(port)" : "\(address):\(port)"
    }
}

/// How a network lets others reach its containers; Docker's `com.docker.network.bridge.gateway_mode_ipv4` and `…_ipv6`.
package enum GatewayMode: String, Hashable, Sendable, Codable, CaseIterable {
    /// Only through ports of the host.
    case nat
    /// Through ports of the host, and every port of the container by its own address.
    case natUnprotected = "nat-unprotected"
    /// Published ports by the container's own address, and none of the host's.
    case routed
    /// Not at all: the host itself has no address there.
    case isolated

    /// Whether the host's ports stand for the container's.
    package var translates: Bool { self == .nat || self == .natUnprotected }
}

/// Whose ports are published, and where packets for them go.
package struct PortTarget: Hashable, Sendable, Codable {
    /// The id of the sandbox, which is the container's; it is written to each element of the firewall's maps.
    package var sandbox: String
    /// Where IPv4 goes; `nil` if the sandbox has no such address.
    package var ipv4: Place?
    /// Where IPv6 goes; `nil` if the sandbox has no such address.
    package var ipv6: Place?

    /// An address of the sandbox, and how its network lets others reach it.
    package struct Place: Hashable, Sendable, Codable {
        /// The address inside.
        package var address: IPAddress
        /// What the network says.
        package var mode: GatewayMode

        /// An address; of a network that translates, unless something else is said.
        package init(_ address: IPAddress, _ mode: GatewayMode = .nat) {
            self.address = address
            self.mode = mode
        }
    }

    /// A sandbox with these addresses.
    package init(sandbox: String, ipv4: Place? = nil, ipv6: Place? = nil) {
        self.sandbox = sandbox
        self.ipv4 = ipv4
        self.ipv6 = ipv6
    }

    /// Where packets of this family go.
    package subscript(family: IPAddress.Family) -> Place? { family == .ipv4 ? ipv4 : ipv6 }
}

/// Who carries what comes to a published port to its container.
package enum FirewallMode: String, Hashable, Sendable, Codable, CaseIterable {
    /// The kernel, by changing the destination of packets, which then pass the host's forward chain.
    case nat
    /// The shim, by its sockets, so that the host's input chain says who may connect. The client's address is kept.
    case input
}

/// What a shim is to publish: the section `publishedPorts` of its configuration.
package struct PortPublication: Hashable, Sendable, Codable {
    /// What is asked for.
    package var requests: [PortRequest]
    /// Whose ports they are.
    package var target: PortTarget
    /// Who carries packets.
    package var mode: FirewallMode
    /// Whether the shim carries what the kernel does not (Docker's `userland-proxy`): connections of the other family,
    /// and all if the firewall has been emptied. Without it the sockets do nothing but keep others away from the ports.
    package var splices: Bool
    /// Whether the namespace has the rules by which the shim's connections can have the client's own address (see
    /// `TransparentAccept`).
    package var isTransparent: Bool

    /// Ports that the kernel carries as far as it can, and the shim otherwise.
    package init(
        _ requests: [PortRequest], to target: PortTarget, mode: FirewallMode = .nat, splices: Bool = true,
        isTransparent: Bool = false
    ) {
        self.requests = requests
        self.target = target
        self.mode = mode
        self.splices = splices
        self.isTransparent = isTransparent
    }

    /// The host's addresses that a request means here: of families that translate, or whose packets the shim can carry
    /// to the sandbox's other address.
    package func addresses(of request: PortRequest) -> [IPAddress] {
        request.hostAddresses.filter { address in
            if let place = target[address.family] { return place.mode.translates }
            let other = target[address.family == .ipv4 ? .ipv6 : .ipv4]
            return splices && request.transport != .sctp && (other?.mode.translates ?? false)
        }
    }
}
