import Addresses
import Netlink
import PublishedPorts

/// What `table inet masu` says about networks. All rules are there from the beginning; a network is a few elements of
/// the sets that they look into, so that a packet's way does not become longer with each network.
///
/// Every rule has a comment that no other rule of its chain has: it tells readers what the rule is for, and the daemon
/// whether the rule is still there (see `FirewallContent`).
///
/// A rule here can only forbid, or say that no other one of these forbids: what the host's own tables drop is dropped.
enum NetworkFirewall {
    static let table = PortTable.table

    // MARK: Sets

    /// The bridges of networks.
    static let bridges = FirewallSet(table, "bridges", key: [.interfaceName])
    /// Bridges by which packets may leave where they came in: containers that may talk to each other.
    static let open = FirewallSet(table, "open", key: [.interfaceName, .interfaceName])
    /// Bridges of networks without a way out.
    static let inner = FirewallSet(table, "internal", key: [.interfaceName])
    /// Pairs of a bridge with itself, by which a container reaches a published port of the same network.
    static let hairpin = FirewallSet(table, "hairpin", key: [.interfaceName, .interfaceName])

    /// Addresses of containers to which nobody outside may send of his own accord.
    static func protected(_ family: IPAddress.Family) -> FirewallSet {
        FirewallSet(table, "protected\(family.rawValue)", key: [.address(family)], hasIntervals: true)
    }

    /// Addresses of containers whose published ports everybody may reach there.
    static func routed(_ family: IPAddress.Family) -> FirewallSet {
        FirewallSet(table, "routed\(family.rawValue)", key: [.address(family)], hasIntervals: true)
    }

    /// From which interfaces packets to published ports of such addresses are welcome.
    static func trusted(_ family: IPAddress.Family) -> FirewallSet {
        FirewallSet(table, "trusted\(family.rawValue)", key: [.address(family), .interfaceName], hasIntervals: true)
    }

    /// Addresses of containers that nobody outside knows the way to.
    static func hidden(_ family: IPAddress.Family) -> FirewallSet {
        FirewallSet(table, "masquerade\(family.rawValue)", key: [.address(family)], hasIntervals: true)
    }

    /// The addresses of the host that some of them are to have outside.
    static func outer(_ family: IPAddress.Family) -> FirewallSet {
        FirewallSet(
            table, "source\(family.rawValue)", key: [.address(family)], .values([.address(family)]), hasIntervals: true)
    }

    /// All sets that have elements of networks, and of nobody else.
    static var sets: [FirewallSet] {
        [bridges, open, inner, hairpin, PortTable.isolated]
            + IPAddress.Family.allCases.flatMap {
                [protected($0), routed($0), trusted($0), hidden($0), outer($0)]
            }
    }

    // MARK: Chains

    /// Before connections are tracked.
    static let raw = FirewallChain(table, "raw", .init(.filter, .prerouting, priority: -300))
    /// What passes from one interface to another.
    static let forward = FirewallChain(table, "forward", .init(.filter, .forward, priority: 0))
    /// What leaves.
    static let postrouting = FirewallChain(table, "postrouting", .init(.nat, .postrouting, priority: 100))

    /// All chains about networks.
    static var chains: [FirewallChain] { [raw, forward, postrouting] }

    /// All rules about networks, in their order.
    static var rules: [FirewallRule] { rawRules + forwardRules + postroutingRules }

    private static var rawRules: [FirewallRule] {
        var rules: [FirewallRule] = []
        // Bridges route 127.0.0.0/8, so that published ports answer there. What comes from outside with such an
        // address is never right (CVE-2020-8558).
        if let loopback = IPSubnet("127.0.0.0/8") {
            for (selector, word) in [(Selector.destination(.ipv4), "to"), (.source(.ipv4), "from")] {
                rules.append(
                    FirewallRule(in: raw, comment: "nothing \(word) 127.0.0.0/8 comes from outside") {
                        $0.require(.inputInterface, .notEqual, .name("lo"))
                        $0.require(selector, in: loopback)
                        $0.drop()
                    })
            }
        }
        return rules
    }

    private static var forwardRules: [FirewallRule] {
        [
            FirewallRule(in: forward, comment: "connections that were let pass") {
                $0.require([.established, .related])
                $0.accept()
            },
            FirewallRule(in: forward, comment: "containers of one network reach each other") {
                $0.require(.inputInterface, .outputInterface, in: open)
                $0.accept()
            },
            // Nobody leaves or enters a network without a way out.
            FirewallRule(in: forward, comment: "nobody leaves an internal network") {
                $0.require(.inputInterface, in: inner)
                $0.drop()
            },
            FirewallRule(in: forward, comment: "nobody enters an internal network") {
                $0.require(.outputInterface, in: inner)
                $0.drop()
            },
            // A published port is for everybody, other networks included.
            FirewallRule(in: forward, comment: "published ports are for everybody") {
                $0.require(.destinationNAT)
                $0.accept()
            },
            // Networks are apart from each other.
            FirewallRule(in: forward, comment: "networks are apart") {
                $0.require(.inputInterface, in: bridges)
                $0.require(.outputInterface, in: bridges)
                $0.drop()
            },
        ] + IPAddress.Family.allCases.flatMap(directRules)
    }

    /// About packets for containers' own addresses. The host's neighbours can send them by way of it.
    private static func directRules(_ family: IPAddress.Family) -> [FirewallRule] {
        let name = PortTable.name(family)
        return [
            FirewallRule(in: forward, comment: "published ports of routed networks, \(name)") {
                $0.require(.destination(family), in: routed(family))
                $0.require(.destination(family), .transportProtocol, .destinationPort, in: PortTable.published(family))
                $0.accept()
            },
            // As with Docker, a container that can be reached answers a ping.
            FirewallRule(in: forward, comment: "pings of routed networks, \(name)") {
                $0.require(.destination(family), in: routed(family))
                $0.require(.transportProtocol, .equal, FieldValue(bytes: [family == .ipv4 ? 1 : 58]))
                $0.accept()
            },
            FirewallRule(in: forward, comment: "published ports by way of trusted interfaces, \(name)") {
                $0.require(.destination(family), .inputInterface, in: trusted(family))
                $0.require(.destination(family), .transportProtocol, .destinationPort, in: PortTable.published(family))
                $0.accept()
            },
            FirewallRule(in: forward, comment: "addresses of containers are out of reach, \(name)") {
                $0.require(.destination(family), in: protected(family))
                $0.drop()
            },
        ]
    }

    private static var postroutingRules: [FirewallRule] {
        var rules = [
            // The next one where bridges call the packet filter (bridge-nf-call-iptables), which then does not know by
            // which interface a packet came. What the host itself sends came by none.
            FirewallRule(in: postrouting, comment: "published ports of one network, seen by bridges") {
                $0.require(.inputInterfaceIndex, .equal, .index(0))
                $0.require(.outputInterface, in: bridges)
                $0.require(.destinationNAT)
                $0.require(.sourceKind, .notEqual, .kind(.local))
                $0.masquerade()
            },
            // A container that reaches itself, or one on its own network, by a published port: the answer has to come
            // back the same way.
            FirewallRule(in: postrouting, comment: "published ports of one network") {
                $0.require(.inputInterface, .outputInterface, in: hairpin)
                $0.require(.destinationNAT)
                $0.masquerade()
            },
        ]
        // Who asked for a published port of 127.0.0.1 is answered by way of the bridge.
        if let loopback = IPSubnet("127.0.0.0/8") {
            rules.append(
                FirewallRule(in: postrouting, comment: "published ports of 127.0.0.1") {
                    $0.require(.outputInterface, in: bridges)
                    $0.require(.source(.ipv4), in: loopback)
                    $0.masquerade()
                })
        }
        for family in IPAddress.Family.allCases {
            rules.append(
                FirewallRule(in: postrouting, comment: "addresses that networks chose, \(PortTable.name(family))") {
                    $0.require(.outputInterface, in: bridges, isInverted: true)
                    $0.translateSource(.source(family), by: outer(family), family)
                })
            rules.append(
                FirewallRule(in: postrouting, comment: "the host's address, \(PortTable.name(family))") {
                    $0.require(.outputInterface, in: bridges, isInverted: true)
                    $0.require(.source(family), in: hidden(family))
                    $0.masquerade()
                })
        }
        return rules
    }

    // MARK: Changes

    /// What gives this part of the table this content, whatever of it is there: all at once, so that no packet passes
    /// in between. Chains and sets of others stay.
    static func restoration(of networks: [Network]) -> [Request] {
        var changes = [table.addition]
        changes += sets.flatMap { [$0.addition, $0.flush] }
        changes += chains.flatMap { [$0.addition, $0.flush] }
        changes += rules.map(\.addition)
        for network in networks { changes += additions(for: network) }
        return changes
    }

    /// What lets a network in.
    static func additions(for network: Network) -> [Request] {
        elements(of: network).flatMap { $0.set.addition(of: $0.elements) }
    }

    /// What takes a network out.
    static func removals(of network: Network) -> [Request] {
        elements(of: network).flatMap { $0.set.removal(of: $0.elements) }
    }

    /// The elements that a network has.
    static func elements(of network: Network) -> [FirewallElements] {
        guard case .bridge(let settings) = network.settings else { return [] }
        let name = FieldValue.name(settings.interfaceName)
        let note = FirewallUserData(comment: network.id)
        let pair = FirewallElement(FirewallKey(name, name), userData: note)
        let single = FirewallElement(FirewallKey(name), userData: note)
        var result = [FirewallElements(bridges, [single]), FirewallElements(hairpin, [pair])]
        result.append(
            settings.allowsContainerTraffic
                ? FirewallElements(open, [pair]) : FirewallElements(PortTable.isolated, [single]))
        if network.isInternal { result.append(FirewallElements(inner, [single])) }
        for pool in network.pools { result += elements(of: pool, network, settings, note) }
        return result
    }

    private static func elements(
        of pool: AddressPool, _ network: Network, _ settings: BridgeSettings, _ note: FirewallUserData
    ) -> [FirewallElements] {
        let family = pool.subnet.family
        let (first, last) = (FieldValue.address(pool.subnet.address), FieldValue.address(pool.subnet.lastAddress))
        func all(_ content: FirewallElement.Content = .none) -> FirewallElement {
            FirewallElement(FirewallKey(first), through: FirewallKey(last), content, userData: note)
        }
        var result: [FirewallElements] = []
        let mode = settings.mode(family)
        if mode == .routed { result.append(FirewallElements(routed(family), [all()])) }
        if mode != .natUnprotected || network.isInternal {
            result.append(FirewallElements(protected(family), [all()]))
            let trusted = settings.trustedHostInterfaces.map { interface in
                FirewallElement(
                    FirewallKey(first, .name(interface)), through: FirewallKey(last, .name(interface)), userData: note)
            }
            if !trusted.isEmpty { result.append(FirewallElements(Self.trusted(family), trusted)) }
        }
        guard mode.translates, settings.masquerades, !network.isInternal else { return result }
        if let address = family == .ipv4 ? settings.hostIPv4 : settings.hostIPv6, address.family == family {
            result.append(FirewallElements(outer(family), [all(.value(FirewallKey(.address(address))))]))
        } else {
            result.append(FirewallElements(hidden(family), [all()]))
        }
        return result
    }
}
