import Addresses
import Netlink

/// `table inet masu`: everything of Masu's in the host's packet filter.
///
/// There is a rule for each kind of packets, and none for a port, a container or a network: those are elements of maps
/// and sets, which cost the same whether there is one or ten thousand. Every element of a port names the sandbox that
/// it belongs to, so that the kernel itself says what is left of which container.
///
/// | map or set | key | leads to |
/// |---|---|---|
/// | `ports4`, `ports6` | protocol, port of all addresses of the host | address, port of a container |
/// | `addressed4`, `addressed6` | address, protocol, port of the host | address, port of a container |
/// | `open4`, `open6` | address, protocol, port of a container whose network routes | |
/// | `bridges` | interface of each bridge network | |
/// | `hairpins` | the interface of each bridge network, twice | |
/// | `pairs` | interface in, interface out | what becomes of packets between containers of a network |
/// | `internal` | interface of a network that nothing may leave or enter | |
/// | `closed4`, `closed6` | interface that only translated connections may enter | |
/// | `routed4`, `routed6` | interface of a network whose containers may be pinged | |
/// | `trusted` | interface of the host, interface of a bridge that it may enter | |
/// | `masqueraded4`, `masqueraded6` | interface whose packets leave with the host's address | |
/// | `sources4`, `sources6` | interface whose packets leave with a particular address | the address |
///
/// No rule of it lets a packet pass that the host's own chains drop: of several chains at a hook, each can drop.
package enum PortTable {
    /// The table itself.
    package static let table = FirewallTable(.inet, "masu")

    /// Ports of all addresses.
    package static func ports(_ family: IPAddress.Family) -> FirewallSet {
        FirewallSet(
            table, "ports\(family.rawValue)", key: [.transportProtocol, .port],
            .values([.address(family), .port]))
    }

    /// Ports of one address.
    package static func addressed(_ family: IPAddress.Family) -> FirewallSet {
        FirewallSet(
            table, "addressed\(family.rawValue)", key: [.address(family), .transportProtocol, .port],
            .values([.address(family), .port]))
    }

    /// Ports that are open by the containers' own addresses.
    package static func open(_ family: IPAddress.Family) -> FirewallSet {
        FirewallSet(table, "open\(family.rawValue)", key: [.address(family), .transportProtocol, .port])
    }

    /// Interfaces of bridge networks.
    package static let bridges = FirewallSet(table, "bridges", key: [.interfaceName])
    /// Pairs of the same interface, for packets that come back to the network they are from.
    package static let hairpins = FirewallSet(table, "hairpins", key: [.interfaceName, .interfaceName])
    /// What becomes of packets between two interfaces.
    package static let pairs = FirewallSet(table, "pairs", key: [.interfaceName, .interfaceName], .verdicts)
    /// Interfaces of networks that nothing may leave or enter.
    package static let `internal` = FirewallSet(table, "internal", key: [.interfaceName])
    /// Interfaces of the host, each with that of a network that it may enter.
    package static let trusted = FirewallSet(table, "trusted", key: [.interfaceName, .interfaceName])

    /// Interfaces that only translated connections may enter.
    package static func closed(_ family: IPAddress.Family) -> FirewallSet {
        FirewallSet(table, "closed\(family.rawValue)", key: [.interfaceName])
    }

    /// Interfaces of networks whose containers may be pinged.
    package static func routed(_ family: IPAddress.Family) -> FirewallSet {
        FirewallSet(table, "routed\(family.rawValue)", key: [.interfaceName])
    }

    /// Interfaces whose packets leave with the host's address.
    package static func masqueraded(_ family: IPAddress.Family) -> FirewallSet {
        FirewallSet(table, "masqueraded\(family.rawValue)", key: [.interfaceName])
    }

    /// Interfaces whose packets leave with a particular address, and that address.
    package static func sources(_ family: IPAddress.Family) -> FirewallSet {
        FirewallSet(table, "sources\(family.rawValue)", key: [.interfaceName], .values([.address(family)]))
    }

    /// The maps and sets that have elements of ports.
    package static let portSets = IPAddress.Family.allCases.flatMap { [ports($0), addressed($0), open($0)] }

    /// The maps and sets that have elements of networks.
    package static let bridgeSets =
        [bridges, hairpins, pairs, `internal`, trusted]
        + IPAddress.Family.allCases.flatMap { [closed($0), routed($0), masqueraded($0), sources($0)] }

    /// Makes the table, in place of one that is there already, with these elements: in one transaction, so that there
    /// is no moment without it.
    package static func creation(_ elements: [FirewallElements]) -> FirewallTransaction {
        // Removing what is not there would be an error.
        var transaction = FirewallTransaction([table.addition, table.removal, table.creation])
        transaction.append((portSets + bridgeSets).map(\.creation))
        transaction.append(PortChains.all.map(\.creation))
        transaction.append(PortChains.rules.map(\.addition))
        for group in elements { transaction.append(group.set.addition(of: group.elements)) }
        return transaction
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
