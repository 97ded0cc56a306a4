import Addresses
import Netlink

/// A bridge network as `table inet masu` sees it.
package struct FirewallBridge: Hashable, Sendable, Codable {
    /// The bridge's interface.
    package var name: String
    /// How others reach its containers by IPv4; `nil` without IPv4.
    package var ipv4: GatewayMode?
    /// The same for IPv6.
    package var ipv6: GatewayMode?
    /// Whether nothing may leave it, and nothing enter it.
    package var isInternal: Bool
    /// Whether its containers reach each other.
    package var allowsContainerTraffic: Bool
    /// Whether what leaves it gets the host's address.
    package var masquerades: Bool
    /// The addresses that what leaves it gets instead of that of the interface it leaves by.
    package var sources: [IPAddress]
    /// Interfaces of the host from which its containers may be reached by their own addresses.
    package var trustedInterfaces: [String]

    /// A network with Docker's defaults.
    package init(
        _ name: String, ipv4: GatewayMode? = .nat, ipv6: GatewayMode? = nil, isInternal: Bool = false,
        allowsContainerTraffic: Bool = true, masquerades: Bool = true, sources: [IPAddress] = [],
        trustedInterfaces: [String] = []
    ) {
        self.name = name
        self.ipv4 = ipv4
        self.ipv6 = ipv6
        self.isInternal = isInternal
        self.allowsContainerTraffic = allowsContainerTraffic
        self.masquerades = masquerades
        self.sources = sources
        self.trustedInterfaces = trustedInterfaces
    }

    /// How others reach its containers.
    package func mode(_ family: IPAddress.Family) -> GatewayMode? { family == .ipv4 ? ipv4 : ipv6 }

    /// What the network has in sets and maps.
    package var elements: [FirewallElements] {
        let own = FirewallElement(FirewallKey(.name(name)))
        let pair = FirewallKey(.name(name), .name(name))
        var groups = [
            FirewallElements(PortTable.bridges, [own]),
            FirewallElements(PortTable.hairpins, [FirewallElement(pair)]),
            FirewallElements(
                PortTable.pairs, [FirewallElement(pair, .verdict(allowsContainerTraffic ? .accept : .drop))]),
        ]
        if isInternal { groups.append(FirewallElements(PortTable.internal, [own])) }
        if !trustedInterfaces.isEmpty {
            groups.append(
                FirewallElements(
                    PortTable.trusted,
                    trustedInterfaces.map { FirewallElement(FirewallKey(.name($0), .name(name))) }))
        }
        for family in IPAddress.Family.allCases { groups += elements(family, own) }
        return groups
    }

    private func elements(_ family: IPAddress.Family, _ own: FirewallElement) -> [FirewallElements] {
        // A family that the network does not have is closed as well: nothing is expected there.
        guard let mode = mode(family) else { return [FirewallElements(PortTable.closed(family), [own])] }
        var groups: [FirewallElements] = []
        if mode != .natUnprotected { groups.append(FirewallElements(PortTable.closed(family), [own])) }
        if mode == .routed { groups.append(FirewallElements(PortTable.routed(family), [own])) }
        guard masquerades, mode.translates, !isInternal else { return groups }
        if let source = sources.first(where: { $0.family == family }) {
            let element = FirewallElement(own.key, .value(FirewallKey(.address(source))))
            groups.append(FirewallElements(PortTable.sources(family), [element]))
        } else {
            groups.append(FirewallElements(PortTable.masqueraded(family), [own]))
        }
        return groups
    }
}
