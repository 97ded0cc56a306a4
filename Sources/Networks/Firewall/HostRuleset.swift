import Addresses
import LinuxKernel
import Netlink
import PublishedPorts
import SystemPackage

/// The host's packet filter but for Masu's own table: chains, rules, and the elements of sets that rules ask for.
package struct HostRuleset: Sendable {
    /// All chains.
    package var chains: [FirewallChain]
    /// All rules, in the order in which they are asked.
    package var rules: [FirewallRule]
    /// By family, table and name.
    package var elements: [String: [FirewallElement]]
    /// All sets and maps.
    package var sets: [FirewallSet]
    /// Tables of the kernel's old packet filter that may decide as well, and are not read.
    package var legacyTables: [LegacyFilterTable]
    /// Whether bridges have the packet filter look at what passes them.
    package var bridgesCallFirewall: Bool
    /// The numbers of interfaces by their names.
    package var interfaces = ["lo": Int32(1)]

    /// A packet filter; an empty one.
    package init(
        chains: [FirewallChain] = [], rules: [FirewallRule] = [], sets: [FirewallSet] = [],
        elements: [String: [FirewallElement]] = [:], legacyTables: [LegacyFilterTable] = [],
        bridgesCallFirewall: Bool = false
    ) {
        self.legacyTables = legacyTables
        self.bridgesCallFirewall = bridgesCallFirewall
        self.chains = chains
        self.rules = rules
        self.sets = sets
        self.elements = elements
    }

    /// Reads what the kernel has; the calling thread is in the host's network namespace.
    static func read(by socket: NetfilterSocket) throws(NetlinkError) -> HostRuleset {
        let ruleset = try socket.ruleset()
        let dormant = Set(ruleset.tables.filter(\.isDormant).map(key))
        func isHosts(_ table: FirewallTable) -> Bool {
            key(table) != key(PortTable.table) && !dormant.contains(key(table))
        }
        var result = HostRuleset(
            chains: ruleset.chains.filter { isHosts($0.table) }, rules: ruleset.rules.filter { isHosts($0.table) },
            sets: ruleset.sets.filter { isHosts($0.table) }, legacyTables: LegacyFilterTable.deciding(),
            bridgesCallFirewall: HostNetwork.bridgesCallFirewall)
        for set in result.sets {
            // A set that vanished meanwhile is one of which nothing is known.
            result.elements[key(set)] = try? socket.elements(of: set)
        }
        return result
    }

    static func key(_ table: FirewallTable) -> String { "\(table.family) \(table.name)" }
    static func key(_ set: FirewallSet) -> String { "\(key(set.table)) \(set.name)" }
    static func key(_ table: FirewallTable, set: String) -> String { "\(key(table)) \(set)" }

    /// The chains that packets of a family enter at a hook to be filtered, in the order in which they are asked.
    func entries(_ hook: FirewallChain.Hook, _ family: FirewallFamily) -> [FirewallChain] {
        chains.filter { chain in
            guard let base = chain.base, base.hook == hook, base.kind == .filter else { return false }
            return chain.table.family == family || chain.table.family == .inet
        }.sorted { ($0.base?.priority ?? 0) < ($1.base?.priority ?? 0) }
    }

    /// The rules of a chain, in the order in which they are asked.
    func rules(_ table: FirewallTable, _ chain: String) -> [FirewallRule] {
        rules.filter { Self.key($0.table) == Self.key(table) && $0.chain == chain }
    }
}

extension FirewallMode {
    /// Why the host's chains lead to this mode.
    var reasonForChoice: String {
        switch self {
        case .nat: "the forward chains decide, or no chain drops, so the kernel carries packets (mode nat)"
        case .input: "the input chains may drop what the forward chains do not, so the shims carry packets (mode input)"
        }
    }

    /// The mode for a host whose chains cannot be read because of this error: only one without nf_tables certainly has
    /// none that could drop something.
    package static func suiting(unreadable error: Errno) -> FirewallMode {
        // What the kernel says to messages for a part of netfilter that it does not have (nfnetlink_rcv_msg and
        // nfnetlink_rcv_batch).
        [.invalidArgument, .notSupported, .protocolNotSupported].contains(error) ? .nat : .input
    }

    /// The mode that keeps the promise that a host's firewall decides: where new connections to the host itself are
    /// dropped and forwarded ones are not, translated connections would pass unseen, and so the shim carries them.
    package static func suiting(_ host: HostRuleset) -> FirewallMode {
        let evaluation = FirewallEvaluation(host)
        let passesUnseen = IPAddress.Family.allCases.contains { family in
            let delivered = FirewallPacket.unknownService(family, isForwarded: false)
            let forwarded = FirewallPacket.unknownService(family, isForwarded: true)
            // Where it is not known whether they are dropped, as by a table that is not read, the input chains have to
            // be asked.
            let mayBeDropped =
                evaluation.outcome(of: delivered, at: .input).verdict != .accept
                || host.legacyTables.contains { $0.family == family }
            return mayBeDropped && evaluation.outcome(of: forwarded, at: .forward).verdict != .drop
        }
        return passesUnseen ? .input : .nat
    }
}
