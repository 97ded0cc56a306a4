import Addresses
import Netlink
import PublishedPorts

/// With what the host's administrator keeps a table, as far as its chains tell: what is typed into another one's table
/// is gone at its next start.
enum FirewallTool: Hashable {
    case nftables
    case iptables
    case ufw
    case firewalld

    /// The tool whose table a chain is in.
    init(_ chain: FirewallChain, _ host: HostRuleset) {
        let table = chain.table
        let names = Set(host.chains.filter { HostRuleset.key($0.table) == HostRuleset.key(table) }.map(\.name))
        if table.name == "firewalld" || names.contains("INPUT_ZONES") {
            self = .firewalld
        } else if names.contains("ufw-user-input") || names.contains("ufw6-user-input") {
            self = .ufw
        } else if Self.isOfTables(chain) {
            self = .iptables
        } else {
            self = .nftables
        }
    }

    /// Whether iptables made the chain: it calls tables and chains like this, and gives them a place by a name.
    private static func isOfTables(_ chain: FirewallChain) -> Bool {
        let hooks: [FirewallChain.Hook: String] = [
            .prerouting: "PREROUTING", .input: "INPUT", .forward: "FORWARD", .output: "OUTPUT",
            .postrouting: "POSTROUTING",
        ]
        guard let base = chain.base else { return false }
        return [.ipv4, .ipv6].contains(chain.table.family)
            && ["filter", "nat", "mangle", "raw", "security"].contains(chain.table.name)
            && chain.name == hooks[base.hook]
    }

    /// The line that lets a connection to a port pass a chain that packets enter at a hook.
    ///
    /// - Parameter packet: What the chain sees of it.
    func remedy(
        for port: FirewallReport.Port, _ hook: FirewallChain.Hook, _ chain: FirewallChain, _ packet: FirewallPacket
    ) -> String {
        let number = port.published.hostPort
        let transport = port.published.transport.rawValue
        switch self {
        case .ufw:
            if hook == .output, packet.isAnswer { return "ufw allow out from any port \(number) proto \(transport)" }
            return packet.isTranslated
                ? "ufw route allow proto \(transport) to any port \(port.published.containerPort)"
                : "ufw allow \(number)/\(transport)"
        case .firewalld:
            return packet.isTranslated
                ? "firewall-cmd --permanent --zone=trusted --add-interface=\(port.bridge) && firewall-cmd --reload"
                : "firewall-cmd --permanent --add-port=\(number)/\(transport) && firewall-cmd --reload"
        case .iptables:
            // The plain name may be that of iptables-legacy, whose tables are others.
            let program = chain.table.family == .ipv6 ? "ip6tables-nft" : "iptables-nft"
            let table = chain.table.name == "filter" ? "" : "-t \(chain.table.name) "
            let condition =
                packet.isTranslated
                ? "-m conntrack --ctstate DNAT --ctorigdstport \(number)"
                : packet.isAnswer
                    ? "--sport \(number) -m conntrack --ctstate ESTABLISHED" : "--dport \(number)"
            return "\(program) \(table)-I \(chain.name) -p \(transport) \(condition) -j ACCEPT"
        case .nftables:
            let condition =
                packet.isTranslated
                ? "ct status dnat meta l4proto \(transport) ct original proto-dst \(number)"
                : packet.isAnswer ? "\(transport) sport \(number) ct state established" : "\(transport) dport \(number)"
            return "nft insert rule \(chain.table.family) \(chain.table.name) \(chain.name) \(condition) accept"
        }
    }
}
