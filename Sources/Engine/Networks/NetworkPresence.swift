import Networks
import PublishedPorts

/// What a container that runs has of its networks.
struct NetworkPresence: Sendable {
    /// Its places on networks, in the order of the interfaces.
    var endpoints: [Endpoint] = []
    /// The ports of the host that are its.
    var ports: [PublishedPort] = []

    /// The same with these ports.
    func with(_ ports: [PublishedPort]) -> NetworkPresence {
        var copy = self
        copy.ports = ports
        return copy
    }

    /// The place on a network.
    func endpoint(on networkID: String) -> Endpoint? { endpoints.first { $0.networkID == networkID } }
}
