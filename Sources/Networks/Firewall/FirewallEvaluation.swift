import Addresses
import Netlink

/// Asks the rules of a packet filter what becomes of a packet, without sending it.
package struct FirewallEvaluation: Sendable {
    /// What becomes of a packet.
    package enum Verdict: String, Hashable, Sendable, Codable {
        case accept, drop
        /// A rule that decides asks for something that is not known here.
        case unknown
    }

    /// A verdict, and what decides.
    package struct Outcome: Hashable, Sendable {
        /// What becomes of the packet.
        package var verdict: Verdict
        /// The rule, in the language of nft(8), or the chain whose policy it is; `nil` if nothing drops the packet.
        package var reason: String?

        /// A verdict, and its reason.
        package init(verdict: Verdict, reason: String? = nil) {
            self.verdict = verdict
            self.reason = reason
        }
    }

    private let host: HostRuleset

    /// The rules of one host.
    package init(_ host: HostRuleset) { self.host = host }

    /// What becomes of a packet at a hook: each chain there can drop it.
    package func outcome(of packet: FirewallPacket, at hook: FirewallChain.Hook) -> Outcome {
        Self.sum(of: outcomes(of: packet, at: hook).map(\.outcome))
    }

    /// What each chain at a hook says, in the order in which they are asked.
    ///
    /// - Parameter priorities: Those of the chains that are asked.
    func outcomes(
        of packet: FirewallPacket, at hook: FirewallChain.Hook, priorities: ClosedRange<Int32> = .min ... .max
    ) -> [(chain: FirewallChain, outcome: Outcome)] {
        host.entries(hook, FirewallFamily(packet.family)).filter { priorities.contains($0.base?.priority ?? 0) }
            .map { ($0, ask($0, packet)) }
    }

    /// What becomes of a packet of which chains say this, one after the other.
    static func sum(of outcomes: [Outcome]) -> Outcome {
        outcomes.first { $0.verdict == .drop } ?? outcomes.first { $0.verdict == .unknown }
            ?? Outcome(verdict: .accept, reason: outcomes.lazy.compactMap(\.reason).first)
    }

    private func ask(_ chain: FirewallChain, _ packet: FirewallPacket) -> Outcome {
        var walk = Walk(host: host, packet: packet)
        var possible = walk.run(chain.table, chain.name, depth: 0)
        if possible.goesOn {
            let accepts = chain.base?.accepts ?? true
            possible.add(
                Outcome(verdict: accepts ? .accept : .drop, reason: accepts ? nil : "\(chain): policy drop"))
        }
        guard let first = possible.decisions.first else { return Outcome(verdict: .accept) }
        if possible.decisions.count == 1 { return first }
        // Of two possibilities the one that depends on what is not known came first.
        return Outcome(verdict: .unknown, reason: first.reason ?? possible.decisions.compactMap(\.reason).first)
    }
}

/// What a chain may come to: more than one thing where a rule asks for what is not known.
private struct Possibilities {
    /// At most one for each verdict.
    private(set) var decisions: [FirewallEvaluation.Outcome] = []
    /// Whether it may be that no rule decides.
    var goesOn = false

    mutating func add(_ decision: FirewallEvaluation.Outcome) {
        if !decisions.contains(where: { $0.verdict == decision.verdict }) { decisions.append(decision) }
    }
}

/// A packet's way through the rules of one chain and those that it leads to.
private struct Walk {
    /// More than the kernel allows.
    private static let depthLimit = 20

    let host: HostRuleset
    let packet: FirewallPacket

    mutating func run(_ table: FirewallTable, _ chain: String, depth: Int) -> Possibilities {
        var result = Possibilities()
        guard depth < Self.depthLimit else {
            result.goesOn = true
            return result
        }
        for rule in host.rules(table, chain) {
            var match = RuleMatch(host: host, packet: packet, table: table)
            let verdict: Verdict
            let isCertain: Bool
            switch match.apply(rule) {
            case .fails, .holds(nil), .mayHold(nil): continue
            case .holds(let decided?): (verdict, isCertain) = (decided, true)
            case .mayHold(let decided?): (verdict, isCertain) = (decided, false)
            }
            if follow(verdict, rule, table, depth, &result), isCertain { return result }
        }
        result.goesOn = true
        return result
    }

    /// Adds what a verdict may come to; whether no rule behind this one is asked.
    private mutating func follow(
        _ verdict: Verdict, _ rule: FirewallRule, _ table: FirewallTable, _ depth: Int, _ result: inout Possibilities
    ) -> Bool {
        switch verdict {
        case .accept, .drop:
            result.add(
                FirewallEvaluation.Outcome(
                    verdict: verdict == .accept ? .accept : .drop, reason: RuleText(rule).description))
            return true
        case .return:
            result.goesOn = true
            return true
        case .continue: return false
        case .jump(let chain), .goTo(let chain):
            let other = run(table, chain, depth: depth + 1)
            for decision in other.decisions { result.add(decision) }
            if case .jump = verdict { return !other.goesOn }
            // Nothing comes back from there but to the chain that led here.
            if other.goesOn { result.goesOn = true }
            return true
        // A program may take it (`queue`), which is not known here.
        case .other:
            result.add(FirewallEvaluation.Outcome(verdict: .unknown, reason: RuleText(rule).description))
            return false
        }
    }
}
