import Addresses
import Networks

/// All that `docker network inspect` shows of a network.
package struct NetworkDetails: Sendable {
    /// The network itself.
    package var network: Network
    /// The running containers on it.
    package var members: [NetworkMember]
    /// How many addresses are left.
    package var usage: [PoolUsage]
}

/// A running container on a network.
package struct NetworkMember: Hashable, Sendable {
    /// The container's id.
    package var container: String
    /// The container's name.
    package var name: String
    /// 64 hexadecimal digits.
    package var endpoint: String
    /// nil on networks without interfaces of their own.
    package var macAddress: MACAddress?
    /// The address with the size of its subnet.
    package var ipv4: IPInterface?
    /// The address with the size of its subnet.
    package var ipv6: IPInterface?
}

/// A container's place on one network, as `inspect` shows it.
package struct EndpointDetails: Sendable {
    /// The network's name.
    package var network: String
    /// Empty if there is no such network, or the container has not been there yet.
    package var networkID: String
    /// What the container wants to be there.
    package var asked: NetworkEndpoint
    /// What it is there, while it runs and the network has interfaces.
    package var endpoint: Endpoint?
    /// The endpoint's id, while the container runs; else empty.
    package var endpointID: String
    /// All names under which others on the network find it; empty on networks without names.
    package var dnsNames: [String]

    /// A place; of a container that does not run, without an endpoint.
    package init(
        network: String, networkID: String, asked: NetworkEndpoint, endpoint: Endpoint? = nil, endpointID: String,
        dnsNames: [String]
    ) {
        self.network = network
        self.networkID = networkID
        self.asked = asked
        self.endpoint = endpoint
        self.endpointID = endpointID
        self.dnsNames = dnsNames
    }
}
