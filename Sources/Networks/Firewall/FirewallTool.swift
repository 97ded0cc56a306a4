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

    /// Whether a shell and nft(8) take a name as it is. Others could be something else to them than one name.
    static func isPlain(_ name: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    /// A name as one word of a shell.
    private static func quoted(_ name: String) -> String {
        if isPlain(name) { return name }
        return "'" + name.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }

    /// The line that lets a connection to a port pass a chain that packets enter at a hook, and nothing else; `nil` if
    /// the tool has no such line.
    ///
    /// - Parameter packet: What the chain sees of it.
    func remedy(
        for port: FirewallReport.Port, from source: FirewallReport.Source, _ hook: FirewallChain.Hook,
        _ chain: FirewallChain, _ packet: FirewallPacket
    ) -> String? {
        let number = port.published.hostPort
        let transport = port.published.transport.rawValue
        switch self {
        case .ufw: return Self.uncomplicated(port, hook, packet)
        case .firewalld:
            // Its ports are those of the host itself; what it forwards to, and answers, it lets pass without a line.
            guard hook == .input, !packet.isTranslated, !packet.isAnswer else { return nil }
            return "firewall-cmd --permanent \(Self.zone(source, port))--add-port=\(number)/\(transport) && "
                + "firewall-cmd --reload"
        case .iptables:
            guard Self.isPlain(chain.table.name), Self.isPlain(chain.name) else { return nil }
            // The plain name may be that of iptables-legacy, whose tables are others.
            let program = chain.table.family == .ipv6 ? "ip6tables-nft" : "iptables-nft"
            let table = chain.table.name == "filter" ? "" : "-t \(chain.table.name) "
            // Not to the same port of other machines.
            let place = hook == .output ? "-o lo " : ""
            let condition =
                packet.isTranslated
                ? "-m conntrack --ctstate DNAT --ctorigdstport \(number)"
                : packet.isAnswer
                    ? "--sport \(number) -m conntrack --ctstate ESTABLISHED" : "\(place)--dport \(number)"
            return "\(program) \(table)-I \(chain.name) -p \(transport) \(condition) -j ACCEPT"
        case .nftables:
            guard Self.isPlain(chain.table.name), Self.isPlain(chain.name) else { return nil }
            let place = hook == .output ? "oifname lo " : ""
            let condition =
                packet.isTranslated
                ? "ct status dnat meta l4proto \(transport) ct original proto-dst \(number)"
                : packet.isAnswer
                    ? "\(transport) sport \(number) ct state established" : "\(place)\(transport) dport \(number)"
            return "nft insert rule \(chain.table.family) \(chain.table.name) \(chain.name) \(condition) accept"
        }
    }

    /// A line of ufw(8), which has none for SCTP, nor one for answers alone.
    private static func uncomplicated(
        _ port: FirewallReport.Port, _ hook: FirewallChain.Hook, _ packet: FirewallPacket
    ) -> String? {
        let transport = port.published.transport
        guard transport != .sctp, !packet.isAnswer else { return nil }
        if packet.isTranslated {
            guard hook == .forward, let place = port.target[packet.family] else { return nil }
            return "ufw route allow proto \(transport.rawValue) to \(place.address) "
                + "port \(port.published.containerPort)"
        }
        return hook == .input ? "ufw allow \(port.published.hostPort)/\(transport.rawValue)" : nil
    }

    /// The option that names the zone by whose rules a packet from there is judged; that of an interface without one is
    /// the default, which firewall-cmd(1) takes for an empty name as well.
    private static func zone(_ source: FirewallReport.Source, _ port: FirewallReport.Port) -> String {
        let interface: String
        switch source {
        case .host, .machines: return ""
        case .interface(let name): interface = name
        case .containers: interface = port.bridge
        }
        return "--zone=\"$(firewall-cmd --get-zone-of-interface=\(quoted(interface)))\" "
    }
}
