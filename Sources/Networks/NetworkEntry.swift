import Addresses

/// A network with all that is known about it while the daemon runs.
struct NetworkEntry: Sendable {
    let network: Network
    /// Who has which address: for each of the network's pools, in their order.
    var leases: [AddressLeases]
    /// Those on it, by their sandboxes.
    var endpoints: [String: Endpoint] = [:]
    /// The bridge, if it has one.
    var bridge: BridgeLink?
    /// Whether it is about to be removed: then nobody gets on it.
    var isBeingRemoved = false

    init(_ network: Network) {
        self.network = network
        leases = network.pools.map { AddressLeases($0) }
    }

    /// Notes that an endpoint is there, and its addresses with it; false where somebody has one of them.
    mutating func adopt(_ endpoint: Endpoint) -> Bool {
        // Addresses of plugins' networks are given by the plugins.
        let addresses = endpoint.plugins == nil ? [endpoint.ipv4, endpoint.ipv6].compactMap { $0?.address } : []
        guard endpoints[endpoint.sandbox] == nil, addresses.allSatisfy(isFree) else { return false }
        for address in addresses { _ = take(address) }
        endpoints[endpoint.sandbox] = endpoint
        return true
    }

    /// Notes that an endpoint is gone.
    mutating func forget(_ sandbox: String) {
        guard let endpoint = endpoints.removeValue(forKey: sandbox) else { return }
        for interface in [endpoint.ipv4, endpoint.ipv6] {
            if let interface { release(interface.address) }
        }
    }

    private func isFree(_ address: IPAddress) -> Bool { leases.contains { $0.isFree(address) } }

    private mutating func take(_ address: IPAddress) -> Bool {
        leases.indices.contains { leases[$0].take(address) }
    }

    /// Gives an address back.
    mutating func release(_ address: IPAddress) {
        for index in leases.indices { leases[index].release(address) }
    }

    /// Takes the address that was asked for, or the lowest free one.
    mutating func lease(
        _ family: IPAddress.Family, wanted: IPAddress?
    ) throws(NetworksError) -> (interface: IPInterface, gateway: IPAddress?) {
        for index in leases.indices where leases[index].pool.subnet.family == family {
            let pool = leases[index].pool
            let address: IPAddress?
            if let wanted {
                guard pool.subnet.contains(wanted) else { continue }
                guard leases[index].take(wanted) else { throw .forbidden("Address already in use") }
                address = wanted
            } else {
                address = leases[index].takeLowest()
            }
            guard let address, let interface = IPInterface(address, prefixLength: pool.subnet.prefixLength) else {
                continue
            }
            return (interface, gateway(for: pool))
        }
        if let wanted {
            throw .invalid("invalid address \(wanted): It does not belong to any of this network's subnets")
        }
        throw NetworksError(
            .exhausted,
            "no available IPv\(family.rawValue) addresses on this network's address pools: \(network.name) "
                + "(\(network.id))")
    }

    /// Who forwards what comes from a pool: the network's gateway, or the one that an administrator names instead.
    private func gateway(for pool: AddressPool) -> IPAddress? {
        guard case .bridge = network.settings else { return pool.gateway }
        return pool.auxiliary[pool.subnet.family == .ipv4 ? "DefaultGatewayIPv4" : "DefaultGatewayIPv6"] ?? pool.gateway
    }
}
