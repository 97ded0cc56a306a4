import Addresses
import PublishedPorts

extension Networks {
    /// Where packets go that come to the ports of a container with these places: of each family to the address by
    /// which the container's own packets leave.
    package func portTarget(of sandbox: String, _ endpoints: [Endpoint]) -> PortTarget {
        var target = PortTarget(sandbox: sandbox)
        if let endpoint = endpoints.first(where: { $0.plugins != nil }) {
            target.ipv4 = endpoint.ipv4.map { PortTarget.Place($0.address) }
            target.ipv6 = endpoint.ipv6.map { PortTarget.Place($0.address) }
            return target
        }
        target.ipv4 = place(.ipv4, endpoints)
        target.ipv6 = place(.ipv6, endpoints)
        return target
    }

    /// The interface of the network by which packets of a family come to the ports of a container with these places;
    /// `nil` where they are carried to no bridge.
    package func portInterface(_ family: IPAddress.Family, _ endpoints: [Endpoint]) -> String? {
        gateway(family, endpoints)?.network.interfaceName
    }

    /// Where ports of a container with these places are published that name no address; nil is everywhere.
    package func hostBinding(of endpoints: [Endpoint]) -> IPAddress? {
        gateway(.ipv4, endpoints).flatMap { candidate in
            guard case .bridge(let settings) = candidate.network.settings else { return nil }
            return settings.hostBinding
        }
    }

    private func place(_ family: IPAddress.Family, _ endpoints: [Endpoint]) -> PortTarget.Place? {
        // Others give their containers addresses of a network that the host's ports do not stand for.
        guard let candidate = gateway(family, endpoints), case .bridge(let settings) = candidate.network.settings,
            let address = candidate.endpoint.address(family)?.address
        else { return nil }
        return PortTarget.Place(address, settings.mode(family))
    }

    private func gateway(_ family: IPAddress.Family, _ endpoints: [Endpoint]) -> GatewayChoice.Candidate? {
        let networks = all
        let candidates = endpoints.compactMap { endpoint in
            networks.first { $0.id == endpoint.networkID }.map {
                GatewayChoice.Candidate(endpoint: endpoint, network: $0)
            }
        }
        return GatewayChoice.choose(family, candidates)
    }
}
