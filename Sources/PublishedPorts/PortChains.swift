import Addresses
import Netlink

/// The chains of `table inet masu` and their rules, which are the same on every machine.
enum PortChains {
    private static func chain(
        _ name: String, _ kind: FirewallChain.Kind, _ hook: FirewallChain.Hook, _ priority: Int32
    ) -> FirewallChain {
        FirewallChain(PortTable.table, name, .init(kind, hook, priority: priority))
    }

    /// Before connections are known.
    private static let guardian = chain("guard", .filter, .prerouting, -300)
    /// What comes from other machines and from containers.
    private static let arriving = chain("arriving", .nat, .prerouting, -100)
    /// What the host's own programs send.
    private static let sending = chain("sending", .nat, .output, -100)
    private static let forwarding = chain("forwarding", .filter, .forward, 0)
    private static let leaving = chain("leaving", .nat, .postrouting, 100)

    static let all = [guardian, arriving, sending, forwarding, leaving]

    static var rules: [FirewallRule] {
        guardRules + destinationRules(arriving) + destinationRules(sending) + forwardRules + sourceRules
    }

    private static let loopback = IPSubnet(containing: .loopback(.ipv4), prefixLength: 8)
    private static let linkLocal = IPSubnet(containing: IPAddress(.ipv6, 0xFE80 << 112), prefixLength: 10)

    // MARK: Loopback addresses stay inside

    /// A bridge of ours routes 127.0.0.0/8, so that connections from there reach containers. Nobody else may send such
    /// packets: a container could reach what listens on the host's loopback address alone, another machine a port that
    /// is published there (CVE-2020-8558 is of this kind).
    private static var guardRules: [FirewallRule] {
        guard let loopback else { return [] }
        return [Selector.destination(.ipv4), .source(.ipv4)].map { selector in
            FirewallRule(in: guardian) {
                $0.require(.inputInterface, .notEqual, .name("lo"))
                $0.require(selector, in: loopback)
                $0.drop()
            }
        }
    }

    // MARK: Published ports

    private static func destinationRules(_ chain: FirewallChain) -> [FirewallRule] {
        IPAddress.Family.allCases.flatMap { family in
            [
                FirewallRule(in: chain) {
                    requireRoutable(family, &$0)
                    $0.translateDestination(
                        .destination(family), .transportProtocol, .destinationPort, by: PortTable.addressed(family),
                        family)
                },
                FirewallRule(in: chain) {
                    requireRoutable(family, &$0)
                    $0.require(.destinationKind, .equal, .kind(.local))
                    $0.translateDestination(
                        .transportProtocol, .destinationPort, by: PortTable.ports(family), family)
                },
            ]
        }
    }

    /// Packets from link-local addresses cannot be forwarded; they reach the shim's socket.
    private static func requireRoutable(_ family: IPAddress.Family, _ rule: inout RuleBuilder) {
        rule.require(family)
        if family == .ipv6, let linkLocal { rule.require(.source(.ipv6), in: linkLocal, isInverted: true) }
    }

    // MARK: Between networks

    private static var forwardRules: [FirewallRule] {
        func rule(_ body: (inout RuleBuilder) -> Void) -> FirewallRule { FirewallRule(in: forwarding, body) }
        var rules = [
            rule {
                $0.require([.established, .related] as ConnectionState)
                $0.accept()
            },
            // Whatever has made the connection one to a container: a published port of ours, or a rule of the
            // administrator's.
            rule {
                $0.require(.outputInterface, in: PortTable.bridges)
                $0.require(ConnectionStatus.destinationNAT)
                $0.accept()
            },
            rule { $0.decide(.inputInterface, .outputInterface, by: PortTable.pairs) },
            rule {
                $0.require(.inputInterface, in: PortTable.internal)
                $0.drop()
            },
            rule {
                $0.require(.outputInterface, in: PortTable.internal)
                $0.drop()
            },
            rule {
                $0.require(.inputInterface, .outputInterface, in: PortTable.trusted)
                $0.accept()
            },
        ]
        for family in IPAddress.Family.allCases {
            rules += [
                rule {
                    $0.require(.destination(family), .transportProtocol, .destinationPort, in: PortTable.open(family))
                    $0.accept()
                },
                rule {
                    // ICMP or ICMPv6.
                    $0.require(.transportProtocol, .equal, FieldValue(bytes: [family == .ipv4 ? 1 : 58]))
                    $0.require(.outputInterface, in: PortTable.routed(family))
                    $0.accept()
                },
                rule {
                    $0.require(family)
                    $0.require(.outputInterface, in: PortTable.closed(family))
                    $0.drop()
                },
            ]
        }
        return rules
    }

    // MARK: Addresses of senders

    private static var sourceRules: [FirewallRule] {
        func rule(_ body: (inout RuleBuilder) -> Void) -> FirewallRule { FirewallRule(in: leaving, body) }
        var rules = [
            // A container would answer its own loopback interface.
            rule {
                $0.require(.outputInterface, in: PortTable.bridges)
                if let loopback { $0.require(.source(.ipv4), in: loopback) }
                $0.masquerade()
            },
            rule {
                $0.require(.outputInterface, in: PortTable.bridges)
                $0.require(.source(.ipv6), .equal, .address(.loopback(.ipv6)))
                $0.masquerade()
            },
            // A container that reaches another one, or itself, by the host's address: the answer must come back to the
            // host, and not go to the container directly.
            rule {
                $0.require(.inputInterface, .outputInterface, in: PortTable.hairpins)
                $0.require(ConnectionStatus.destinationNAT)
                $0.masquerade()
            },
            // The same where bridges call the packet filter (bridge-nf-call-iptables), which does not say where such a
            // packet came from. What the host itself sends has no such interface either.
            rule {
                $0.require(.inputInterfaceIndex, .equal, .index(0))
                $0.require(.outputInterface, in: PortTable.bridges)
                $0.require(ConnectionStatus.destinationNAT)
                $0.require(.sourceKind, .notEqual, .kind(.local))
                $0.masquerade()
            },
        ]
        for family in IPAddress.Family.allCases {
            rules += [
                rule {
                    $0.require(family)
                    $0.require(.outputInterface, in: PortTable.bridges, isInverted: true)
                    $0.translateSourceOfInterface(by: PortTable.sources(family), family)
                },
                rule {
                    $0.require(family)
                    $0.require(.outputInterface, in: PortTable.bridges, isInverted: true)
                    $0.require(.inputInterface, in: PortTable.masqueraded(family))
                    $0.masquerade()
                },
            ]
        }
        return rules
    }
}

extension RuleBuilder {
    /// Lets connections come from the address that the map has for the interface they came in by.
    fileprivate mutating func translateSourceOfInterface(by map: FirewallSet, _ family: IPAddress.Family) {
        append(.meta(.inputInterfaceName, into: .first))
        append(.map(.first, by: map.name, into: .first))
        append(.translate(AddressTranslation(.source, FirewallFamily(family), address: .first)))
    }
}
