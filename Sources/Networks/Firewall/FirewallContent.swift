import Netlink
import PublishedPorts

/// What `table inet masu` has: what it is to have, or what of it the kernel has.
struct FirewallContent: Sendable {
    /// By name.
    var chains: [String: FirewallChain] = [:]
    /// Of each chain the comments of its rules, in the order in which they are asked.
    var rules: [String: [String]] = [:]
    /// By name.
    var sets: [String: FirewallSet] = [:]
    /// Of each set its elements, by their keys.
    var elements: [String: [FirewallKey: FirewallElement]] = [:]

    /// What the table is to have with these networks and elements of ports; the last parameter is that of
    /// `PortTable.rules`.
    init(_ networks: [Network], _ ports: [FirewallElements], bridgesCallFirewall: Bool) {
        let chains = PortTable.chains + NetworkFirewall.chains
        self.chains = Dictionary(uniqueKeysWithValues: chains.map { ($0.name, $0) })
        add(PortTable.rules(bridgesCallFirewall: bridgesCallFirewall) + NetworkFirewall.rules)
        let sets = PortTable.sets + NetworkFirewall.sets
        self.sets = Dictionary(uniqueKeysWithValues: sets.map { ($0.name, $0) })
        for group in ports + networks.flatMap(NetworkFirewall.elements) { add(group.elements, to: group.set) }
    }

    private init() {}

    private mutating func add(_ rules: [FirewallRule]) {
        // A rule without a comment is not Masu's.
        for rule in rules { self.rules[rule.chain, default: []] += [rule.userData?.comment].compactMap { $0 } }
    }

    private mutating func add(_ elements: [FirewallElement], to set: FirewallSet) {
        for element in elements { self.elements[set.name, default: [:]][element.key] = element }
    }

    /// Reads what the kernel has; `nil` without the table, or while its chains are not asked.
    static func read(by socket: NetfilterSocket) throws(NetlinkError) -> FirewallContent? {
        let table = PortTable.table
        func isOurs(_ other: FirewallTable) -> Bool { other.family == table.family && other.name == table.name }
        guard let present = try socket.tables().first(where: isOurs), !present.isDormant else { return nil }
        var content = FirewallContent()
        for chain in try socket.chains() where isOurs(chain.table) { content.chains[chain.name] = chain }
        content.add(try socket.rules(of: table))
        for set in try socket.sets() where isOurs(set.table) {
            content.sets[set.name] = set
            content.add(try socket.elements(of: set), to: set)
        }
        return content
    }

    /// The first thing of `wanted` that is not here, in words; `nil` if all is. What others have added is no matter.
    func lack(of wanted: FirewallContent) -> String? {
        for (name, chain) in wanted.chains.sorted(by: { $0.key < $1.key }) {
            guard let present = chains[name] else { return "the chain \(name)" }
            guard present.base == chain.base else { return "the chain \(name) as it has to be" }
            let comments = wanted.rules[name] ?? []
            let found = (rules[name] ?? []).filter(comments.contains)
            if found == comments { continue }
            let missing = comments.first { !found.contains($0) }
            return missing.map { "a rule of the chain \(name) (\($0))" } ?? "the order of rules in the chain \(name)"
        }
        for (name, set) in wanted.sets.sorted(by: { $0.key < $1.key }) {
            guard let present = sets[name] else { return "the \(set.kindName) \(name)" }
            guard present.key == set.key, present.content == set.content, present.hasIntervals == set.hasIntervals
            else { return "the \(set.kindName) \(name) as it has to be" }
            let found = elements[name] ?? [:]
            for (key, element) in wanted.elements[name] ?? [:] where found[key]?.says(element) != true {
                return "an element of the \(set.kindName) \(name)"
            }
        }
        return nil
    }

    /// Takes the elements of ports away that are in the way of wanted ones: with their keys, but leading elsewhere.
    func removalOfOthers(than wanted: FirewallContent) -> [Request] {
        PortTable.sets.flatMap { set -> [Request] in
            let present = elements[set.name] ?? [:]
            let others = (wanted.elements[set.name] ?? [:]).values.compactMap { element in
                present[element.key].flatMap { $0.says(element) ? nil : $0 }
            }
            return others.isEmpty ? [] : set.removal(of: others)
        }
    }
}

extension FirewallElement {
    /// Whether it is for the same keys and leads to the same.
    fileprivate func says(_ other: FirewallElement) -> Bool {
        key == other.key && (lastKey ?? key) == (other.lastKey ?? other.key) && content == other.content
    }
}

extension FirewallSet {
    fileprivate var kindName: String { content == .none ? "set" : "map" }
}
