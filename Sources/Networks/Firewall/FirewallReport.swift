import Addresses
import Netlink
import PublishedPorts

/// Who may reach published ports, as the host's own chains say, and what to type where they do not let anybody.
package struct FirewallReport: Hashable, Sendable, Codable {
    /// A published port and where it leads.
    package struct Port: Hashable, Sendable, Codable {
        /// The port of the host.
        package var published: PublishedPort
        /// The sandbox.
        package var target: PortTarget
        /// The interface of the container's network.
        package var bridge: String

        /// A port that leads to a sandbox on the network with this interface.
        package init(_ published: PublishedPort, to target: PortTarget, bridge: String) {
            self.published = published
            self.target = target
            self.bridge = bridge
        }
    }

    /// From where packets come.
    package enum Source: Hashable, Sendable, Codable {
        /// Programs of the host.
        case host
        /// Other machines, by whatever interface.
        case machines
        /// Other containers.
        case containers
    }

    /// One port, one kind of senders.
    package struct Entry: Hashable, Sendable, Codable {
        /// The port of the host.
        package var port: PublishedPort
        /// Whose it is.
        package var sandbox: String
        /// Who sends.
        package var source: Source
        /// Whether they reach it.
        package var verdict: FirewallEvaluation.Verdict
        /// What decides: a rule in nft's language, or a chain whose policy it is; `nil` where nothing is in the way.
        package var reason: String?
        /// What to type so that the port can be reached; `nil` where it can be.
        package var remedy: String?
    }

    /// Who carries packets.
    package var mode: FirewallMode
    /// For each port the senders that can be told apart.
    package var entries: [Entry]

    /// Asks the host's chains about these ports.
    package init(_ ports: [Port], mode: FirewallMode, _ host: HostRuleset) {
        self.mode = mode
        let tool = FirewallTool(host)
        let evaluation = FirewallEvaluation(host)
        entries = ports.flatMap { port in
            Self.sources(of: port.published).map { source in
                let (hook, packet) = Self.packet(port, from: source, mode)
                let outcome = evaluation.outcome(of: packet, at: hook)
                return Entry(
                    port: port.published, sandbox: port.target.sandbox, source: source, verdict: outcome.verdict,
                    reason: outcome.reason,
                    remedy: outcome.verdict == .accept ? nil : tool.remedy(for: port, hook, outcome.reason))
            }
        }
    }

    private static func sources(of port: PublishedPort) -> [Source] {
        // Nobody else can send packets there.
        port.hostAddress.isLoopback ? [.host] : [.host, .machines, .containers]
    }

    /// The packet as the hook that decides about it sees it.
    private static func packet(
        _ port: Port, from source: Source, _ mode: FirewallMode
    ) -> (FirewallChain.Hook, FirewallPacket) {
        let published = port.published
        let family = published.hostAddress.family
        let place = port.target[family].flatMap { $0.mode.translates ? $0 : nil }
        let isTranslated = place != nil && (mode == .nat || published.transport == .sctp)
        var packet = FirewallPacket(
            family, published.transport, destination: isTranslated ? place?.address : address(published),
            port: isTranslated ? published.containerPort : published.hostPort, originalPort: published.hostPort,
            isTranslated: isTranslated)
        switch source {
        case .host:
            packet.source = .loopback(family)
            packet.inputInterface = isTranslated ? nil : "lo"
            packet.outputInterface = isTranslated ? port.bridge : nil
            // What the host sends to a container passes the chains for its own packets.
            return (isTranslated ? .output : .input, packet)
        case .machines:
            // An interface that no rule names.
            packet.inputInterface = "masu-outside"
        case .containers:
            packet.inputInterface = port.bridge
        }
        packet.outputInterface = isTranslated ? port.bridge : nil
        return (isTranslated ? .forward : .input, packet)
    }

    private static func address(_ port: PublishedPort) -> IPAddress? {
        port.hostAddress.isUnspecified ? nil : port.hostAddress
    }
}

/// With what the host's administrator keeps its packet filter, as far as its chains tell.
enum FirewallTool: Hashable {
    case nftables(table: String, chain: String)
    case iptables
    case ufw
    case firewalld
    case none

    init(_ host: HostRuleset) {
        let names = Set(host.chains.map(\.name))
        if host.chains.contains(where: { $0.table.name == "firewalld" }) {
            self = .firewalld
        } else if names.contains("ufw-user-input") || names.contains("ufw6-user-input") {
            self = .ufw
        } else if let chain = host.chains.first(where: { $0.base?.kind == .filter && !Self.isOfTables($0) }) {
            self = .nftables(table: "\(chain.table.family) \(chain.table.name)", chain: chain.name)
        } else if names.contains("INPUT") || names.contains("FORWARD") {
            self = .iptables
        } else {
            self = .none
        }
    }

    /// Whether iptables made the chain: its own have names in capitals.
    private static func isOfTables(_ chain: FirewallChain) -> Bool { chain.name == chain.name.uppercased() }

    /// The line that lets packets to a port pass a hook; `reason` is what drops them.
    func remedy(for port: FirewallReport.Port, _ hook: FirewallChain.Hook, _ reason: String?) -> String? {
        let number = port.published.hostPort
        let transport = port.published.transport.rawValue
        let isForwarded = hook == .forward
        switch self {
        case .none: return nil
        case .ufw:
            return isForwarded
                ? "ufw route allow proto \(transport) to any port \(port.published.containerPort)"
                : "ufw allow \(number)/\(transport)"
        case .firewalld:
            return isForwarded
                ? "firewall-cmd --permanent --zone=trusted --add-interface=\(port.bridge) && firewall-cmd --reload"
                : "firewall-cmd --permanent --add-port=\(number)/\(transport) && firewall-cmd --reload"
        case .iptables:
            let program = port.published.hostAddress.isIPv6 ? "ip6tables" : "iptables"
            let chain = isForwarded ? "FORWARD" : hook == .output ? "OUTPUT" : "INPUT"
            let original = "-m conntrack --ctstate DNAT --ctorigdstport \(number)"
            return isForwarded || hook == .output
                ? "\(program) -I \(chain) -p \(transport) \(original) -j ACCEPT"
                : "\(program) -I \(chain) -p \(transport) --dport \(number) -j ACCEPT"
        case .nftables(let table, let chain):
            let place = reason.flatMap(Self.place) ?? "\(table) \(chain)"
            return isForwarded || hook == .output
                ? "nft insert rule \(place) meta l4proto \(transport) ct original proto-dst \(number) accept"
                : "nft insert rule \(place) \(transport) dport \(number) accept"
        }
    }

    /// The table and chain that a reason names: `inet filter input: …`, or `chain inet filter input: policy drop`.
    private static func place(_ reason: String) -> String? {
        guard let end = reason.firstIndex(of: ":") else { return nil }
        let words = reason[..<end].split(separator: " ")
        return words.count >= 3 ? words.suffix(3).joined(separator: " ") : nil
    }
}
