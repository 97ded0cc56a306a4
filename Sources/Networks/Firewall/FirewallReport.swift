import Addresses
import LinuxKernel
import Netlink
import PublishedPorts

/// Who may reach published ports, as the host's own chains say, and what to type where they do not let everybody.
package struct FirewallReport: Hashable, Sendable {
    /// A published port and where it leads.
    package struct Port: Hashable, Sendable {
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
    package enum Source: Hashable, Sendable {
        /// Programs of the host.
        case host
        /// Other machines, by whatever interface.
        case machines
        /// Other machines, by one interface, where it matters by which.
        case interface(String)
        /// Other containers.
        case containers
    }

    /// One port, one kind of senders.
    package struct Entry: Hashable, Sendable {
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
        /// What to type so that the port can be reached; `nil` where it can be, or nothing can be said.
        package var remedy: String?
    }

    /// Who carries packets.
    package var mode: FirewallMode
    /// Whether that was chosen because it suits the host's chains.
    package var isModeChosen: Bool
    /// For each port the senders that can be told apart.
    package var entries: [Entry]
    /// What else may decide, and has not been asked.
    package var notes: [String]

    /// Asks the host's chains about these ports.
    ///
    /// - Parameter interfaces: Those by which other machines can reach the host.
    package init(
        _ ports: [Port], mode: FirewallMode, isModeChosen: Bool = false, _ host: HostRuleset,
        interfaces: [String] = []
    ) {
        self.mode = mode
        self.isModeChosen = isModeChosen
        notes = host.unseen
        let evaluation = FirewallEvaluation(host)
        entries = ports.flatMap { port in
            Self.sources(of: port.published, interfaces).flatMap { sources in
                let entries = sources.map { source in
                    Self.entry(port, source, PacketWay(port, from: source, mode), evaluation, host)
                }
                return Self.merged(entries)
            }
        }
    }

    /// Each kind of senders, and what of it may have to be told apart.
    private static func sources(of port: PublishedPort, _ interfaces: [String]) -> [[Source]] {
        // Nobody else can send packets there.
        if port.hostAddress.isLoopback { return [[.host]] }
        return [[.host], interfaces.isEmpty ? [.machines] : interfaces.map(Source.interface), [.containers]]
    }

    /// One entry for all interfaces where it is the same for all.
    private static func merged(_ entries: [Entry]) -> [Entry] {
        guard var first = entries.first, case .interface = first.source else { return entries }
        first.source = .machines
        let isSame = entries.allSatisfy { entry in
            entry.verdict == first.verdict && entry.reason == first.reason && entry.remedy == first.remedy
        }
        return isSame ? [first] : entries
    }

    private static func entry(
        _ port: Port, _ source: Source, _ way: PacketWay, _ evaluation: FirewallEvaluation, _ host: HostRuleset
    ) -> Entry {
        var outcomes: [FirewallEvaluation.Outcome] = []
        var lines: [String?] = []
        for step in way.steps {
            let passed = evaluation.outcomes(of: step.packet, at: step.hook, priorities: step.priorities)
            for (chain, outcome) in passed {
                var outcome = outcome
                if step.packet.isAnswer {
                    // What lets answers pass is not what anybody asks for.
                    outcome.reason = outcome.verdict == .accept ? nil : outcome.reason.map { "answers: " + $0 }
                }
                outcomes.append(outcome)
                // Where it is not known what stands in the way, it is not known either what helps.
                guard outcome.verdict == .drop else { continue }
                let line = FirewallTool(chain, host).remedy(for: port, from: source, step.hook, chain, step.packet)
                if !lines.contains(line) { lines.append(line) }
            }
        }
        var sum = FirewallEvaluation.sum(of: outcomes)
        let family = port.published.hostAddress.family
        let legacy = host.legacyTables.filter { $0.family == family }
        if sum.verdict == .accept, !legacy.isEmpty {
            sum = .init(verdict: .unknown, reason: HostRuleset.text(of: legacy))
        }
        return Entry(
            port: port.published, sandbox: port.target.sandbox, source: source, verdict: sum.verdict,
            reason: sum.reason, remedy: Self.remedy(lines))
    }
}

extension FirewallReport {
    /// All lines; `nil` if one is missing, as the others do not help without it.
    private static func remedy(_ lines: [String?]) -> String? {
        let known = lines.compactMap(\.self)
        return known.isEmpty || known.count < lines.count ? nil : known.joined(separator: " && ")
    }
}

/// The way of a connection's first packet past the host's chains, and that of the answer.
private struct PacketWay {
    struct Step {
        let hook: FirewallChain.Hook
        let packet: FirewallPacket
        /// Of the chains that see it like this.
        var priorities: ClosedRange<Int32> = .min ... .max
    }

    var steps: [Step] = []

    /// Destinations are translated between chains of these priorities.
    private static let before: ClosedRange<Int32> = .min ... -100
    private static let behind: ClosedRange<Int32> = -99 ... .max

    init(_ port: FirewallReport.Port, from source: FirewallReport.Source, _ mode: FirewallMode) {
        let published = port.published
        let family = published.hostAddress.family
        var asked = FirewallPacket(
            family, published.transport,
            destination: published.hostAddress.isUnspecified ? nil : published.hostAddress, port: published.hostPort,
            originalPort: published.hostPort)
        asked.isForHost = true
        switch source {
        case .host:
            asked.source = published.hostAddress.isUnspecified ? .loopback(family) : published.hostAddress
            asked.inputInterface = "lo"
        // An interface that no rule names.
        case .machines: asked.inputInterface = "masu-outside"
        case .interface(let name): asked.inputInterface = name
        case .containers: asked.inputInterface = port.bridge
        }
        let place = port.target[family].flatMap { $0.mode.translates ? $0 : nil }
        if let place, mode == .nat || published.transport == .sctp {
            addForwarded(asked, to: place.address, port, isFromHost: source == .host)
        } else {
            addDelivered(asked, isFromHost: source == .host)
        }
    }

    /// To the shim's socket.
    private mutating func addDelivered(_ asked: FirewallPacket, isFromHost: Bool) {
        var answer = Self.answer(to: asked)
        answer.outputInterface = asked.inputInterface
        if isFromHost {
            var sent = asked
            sent.inputInterface = nil
            sent.outputInterface = "lo"
            steps.append(Step(hook: .output, packet: sent))
            answer.isForHost = true
        }
        steps += [
            Step(hook: .prerouting, packet: asked), Step(hook: .input, packet: asked),
            Step(hook: .output, packet: answer),
        ]
    }

    /// To the container, with another destination.
    private mutating func addForwarded(
        _ asked: FirewallPacket, to address: IPAddress, _ port: FirewallReport.Port, isFromHost: Bool
    ) {
        var translated = asked
        translated.destination = address
        translated.port = port.published.containerPort
        translated.isTranslated = true
        translated.isForHost = false
        translated.outputInterface = port.bridge
        var answer = Self.answer(to: translated)
        answer.inputInterface = port.bridge
        if isFromHost {
            var sent = asked
            sent.inputInterface = nil
            sent.outputInterface = "lo"
            translated.inputInterface = nil
            answer.isForHost = true
            // What the host sends to a container passes the chains for its own packets.
            steps = [
                Step(hook: .output, packet: sent, priorities: Self.before),
                Step(hook: .output, packet: translated, priorities: Self.behind),
                Step(hook: .postrouting, packet: translated), Step(hook: .input, packet: answer),
            ]
            return
        }
        answer.outputInterface = asked.inputInterface
        var routed = translated
        routed.outputInterface = nil
        steps = [
            Step(hook: .prerouting, packet: asked, priorities: Self.before),
            Step(hook: .prerouting, packet: routed, priorities: Self.behind),
            Step(hook: .forward, packet: translated), Step(hook: .postrouting, packet: translated),
            Step(hook: .forward, packet: answer),
        ]
    }

    private static func answer(to packet: FirewallPacket) -> FirewallPacket {
        var answer = packet
        answer.isAnswer = true
        (answer.source, answer.destination) = (packet.destination, packet.source)
        (answer.sourcePort, answer.port) = (packet.port, packet.sourcePort)
        (answer.inputInterface, answer.outputInterface) = (nil, nil)
        answer.isForHost = false
        return answer
    }
}

extension HostRuleset {
    /// What may decide about packets besides the chains that are asked.
    var unseen: [String] {
        var notes: [String] = []
        for family in IPAddress.Family.allCases {
            let tables = legacyTables.filter { $0.family == family }
            if !tables.isEmpty { notes.append(Self.text(of: tables)) }
        }
        // Chains of other families and places see packets before and behind those of IP.
        let others = chains.filter { chain in
            guard let base = chain.base else { return false }
            return chain.table.family == .netdev || chain.table.family == .bridge || base.hook == .ingress
                || base.hook == .egress
        }
        for chain in others {
            // Not every name that the kernel takes can be written in nft's language.
            let names = [chain.table.name, chain.name]
            let place = names.allSatisfy(FirewallTool.isPlain) ? "\(chain)" : "ruleset"
            notes.append("\(chain) may drop packets as well; it has not been asked (nft list \(place))")
        }
        if bridgesCallFirewall {
            notes.append(
                "bridges call the packet filter (net.bridge.bridge-nf-call-iptables or -ip6tables is 1): the host's "
                    + "forward chains decide about packets between containers of one network as well")
        }
        return notes
    }

    /// Says that these tables, which are of one family, have not been asked.
    static func text(of legacy: [LegacyFilterTable]) -> String {
        let program = legacy.first?.family == .ipv6 ? "ip6tables-legacy" : "iptables-legacy"
        let names = legacy.map(\.name)
        return "rules of \(program) are not read here (table \(names.joined(separator: ", "))); see "
            + names.map { "\(program) -t \($0) -S" }.joined(separator: ", ")
    }
}
