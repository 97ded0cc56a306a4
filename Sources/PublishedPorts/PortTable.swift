import Addresses
import Netlink

/// The part of `table inet masu`, which is all of Masu's in the host's packet filter, that is about published ports.
///
/// There is a rule for each kind of packets and none for a port: ports are elements of maps, which cost the same
/// whether there is one or ten thousand. Every element names the sandbox that it belongs to, so that the kernel itself
/// says what is left of which container.
///
/// | map or set | key | leads to |
/// |---|---|---|
/// | `ports4`, `ports6` | protocol, port of all addresses of the host | address, port of a container |
/// | `addressed4`, `addressed6` | address, protocol, port of the host | address, port of a container |
/// | `published4`, `published6` | address, protocol, port of a container | |
///
/// What keeps networks apart, and lets published ports of containers' own addresses pass, is the other part of the
/// table. No rule of either lets a packet pass that the host's own chains drop: of several chains at a hook, each can
/// drop.
package enum PortTable {
    /// The table itself.
    package static let table = FirewallTable(.inet, "masu")

    /// Ports of all addresses.
    package static func ports(_ family: IPAddress.Family) -> FirewallSet {
        FirewallSet(
            table, "ports\(family.rawValue)", key: [.transportProtocol, .port], .values([.address(family), .port]))
    }

    /// Ports of one address.
    package static func addressed(_ family: IPAddress.Family) -> FirewallSet {
        FirewallSet(
            table, "addressed\(family.rawValue)", key: [.address(family), .transportProtocol, .port],
            .values([.address(family), .port]))
    }

    /// Published ports by containers' own addresses.
    package static func published(_ family: IPAddress.Family) -> FirewallSet {
        FirewallSet(table, "published\(family.rawValue)", key: [.address(family), .transportProtocol, .port])
    }

    /// Bridges whose ports are kept apart, so that containers on them reach each other by the host alone.
    package static let isolated = FirewallSet(table, "isolated", key: [.interfaceName])

    /// All maps and sets that have elements of ports.
    package static let sets = IPAddress.Family.allCases.flatMap { [ports($0), addressed($0), published($0)] }

    /// What comes from other machines and from containers.
    private static let arriving = FirewallChain(table, "arriving", .init(.nat, .prerouting, priority: -100))
    /// What the host's own programs send.
    private static let sending = FirewallChain(table, "sending", .init(.nat, .output, priority: -100))

    /// All chains about ports.
    package static let chains = [arriving, sending]

    /// All rules about ports, in their order. Every rule has a comment that no other rule of its chain has.
    ///
    /// - Parameter bridgesCallFirewall: Whether bridges have the packet filter look at what passes them. A bridge then
    ///   sends a packet on by itself whose destination was changed to one of its own containers, which it does not
    ///   between ports that are kept apart: what comes from such bridges is left to the shim's sockets.
    package static func rules(bridgesCallFirewall: Bool) -> [FirewallRule] {
        let exception = FirewallRule(in: arriving, comment: "left to the shims: bridges that would not send it back") {
            $0.require(.inputInterface, in: isolated)
            $0.accept()
        }
        return (bridgesCallFirewall ? [exception] : []) + chains.flatMap(rules)
    }

    /// What comments call a family.
    package static func name(_ family: IPAddress.Family) -> String { family == .ipv4 ? "IPv4" : "IPv6" }

    /// Makes this part of the table, whatever of it is there, with these elements. Others, which belong to containers
    /// that run, stay.
    ///
    /// - Parameter bridgesCallFirewall: As for `rules`.
    package static func restoration(
        of elements: [FirewallElements], bridgesCallFirewall: Bool = false
    ) -> [Request] {
        var changes = [table.addition, isolated.addition] + sets.map(\.addition)
        changes += chains.flatMap { [$0.addition, $0.flush] }
        changes += rules(bridgesCallFirewall: bridgesCallFirewall).map(\.addition)
        for group in elements { changes += group.set.addition(of: group.elements) }
        return changes
    }

    private static func rules(_ chain: FirewallChain) -> [FirewallRule] {
        IPAddress.Family.allCases.flatMap { family in
            [
                FirewallRule(in: chain, comment: "published ports of one address, \(name(family))") {
                    requireRoutable(family, &$0)
                    $0.translateDestination(
                        .destination(family), .transportProtocol, .destinationPort, by: addressed(family), family)
                },
                FirewallRule(in: chain, comment: "published ports of all addresses, \(name(family))") {
                    requireRoutable(family, &$0)
                    $0.require(.destinationKind, .equal, .kind(.local))
                    $0.translateDestination(.transportProtocol, .destinationPort, by: ports(family), family)
                },
            ]
        }
    }

    /// Leaves to the shim's sockets what cannot be forwarded: packets from link-local addresses, and those for `::1`.
    ///
    /// The answers to the latter would need a route for `::1` by way of the bridge; and where bridges call the packet
    /// filter (bridge-nf-call-ip6tables), the kernel takes such a route for one back into the bridge.
    private static func requireRoutable(_ family: IPAddress.Family, _ rule: inout RuleBuilder) {
        rule.require(family)
        guard family == .ipv6, let linkLocal = IPSubnet("fe80::/10") else { return }
        rule.require(.source(.ipv6), in: linkLocal, isInverted: true)
        rule.require(.destination(.ipv6), .notEqual, .address(.loopback(.ipv6)))
    }
}

/// Elements of one set or map.
package struct FirewallElements: Hashable, Sendable {
    /// Where they belong.
    package let set: FirewallSet
    /// What belongs there.
    package var elements: [FirewallElement]

    /// Elements of a set or map.
    package init(_ set: FirewallSet, _ elements: [FirewallElement]) {
        self.set = set
        self.elements = elements
    }
}
