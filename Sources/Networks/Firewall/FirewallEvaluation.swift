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
        var doubt: Outcome?
        var permission: String?
        for chain in host.entries(hook, FirewallFamily(packet.family)) {
            let outcome = ask(chain, packet)
            switch outcome.verdict {
            case .drop: return outcome
            case .unknown: doubt = doubt ?? outcome
            case .accept: permission = permission ?? outcome.reason
            }
        }
        return doubt ?? Outcome(verdict: .accept, reason: permission)
    }

    private func ask(_ chain: FirewallChain, _ packet: FirewallPacket) -> Outcome {
        var walk = Walk(host: host, packet: packet)
        let decision = walk.run(chain.table, chain.name, depth: 0)
        var outcome: Outcome
        switch decision {
        case .accept(let reason): outcome = Outcome(verdict: .accept, reason: reason)
        case .drop(let reason): outcome = Outcome(verdict: .drop, reason: reason)
        case .goesOn:
            let accepts = chain.base?.accepts ?? true
            outcome = Outcome(
                verdict: accepts ? .accept : .drop, reason: accepts ? nil : "\(chain): policy drop")
        }
        // A rule that may apply, and would decide otherwise.
        if let doubt = walk.doubts.first(where: { $0.verdict != outcome.verdict }) {
            outcome = Outcome(verdict: .unknown, reason: doubt.reason)
        }
        return outcome
    }
}

/// A packet's way through the rules of one chain and those that it leads to.
private struct Walk {
    enum Decision {
        case accept(String)
        case drop(String)
        /// No rule has decided.
        case goesOn
    }

    /// More than the kernel allows.
    private static let depthLimit = 20

    let host: HostRuleset
    let packet: FirewallPacket
    /// What rules would have decided of which it is not known whether they apply.
    var doubts: [FirewallEvaluation.Outcome] = []

    mutating func run(_ table: FirewallTable, _ chain: String, depth: Int) -> Decision {
        guard depth < Self.depthLimit else { return .goesOn }
        for rule in host.rules(table, chain) {
            var match = RuleMatch(host: host, packet: packet, table: table)
            switch match.apply(rule) {
            case .fails: continue
            case .holds(nil), .mayHold(nil): continue
            case .holds(let verdict?):
                switch follow(verdict, rule, table, depth) {
                case .decided(let decision): return decision
                case .returned: return .goesOn
                case .nextRule: continue
                }
            case .mayHold(let verdict?):
                // What follows is only one of two possibilities; what the other one would come to is a doubt.
                if case .decided(let decision) = follow(verdict, rule, table, depth) { add(decision) }
            }
        }
        return .goesOn
    }

    private mutating func add(_ decision: Decision) {
        switch decision {
        case .accept(let reason): doubts.append(.init(verdict: .accept, reason: reason))
        case .drop(let reason): doubts.append(.init(verdict: .drop, reason: reason))
        case .goesOn: break
        }
    }

    private enum Step {
        case decided(Decision)
        case returned
        case nextRule
    }

    private mutating func follow(
        _ verdict: Verdict, _ rule: FirewallRule, _ table: FirewallTable, _ depth: Int
    ) -> Step {
        let text = RuleText(rule).description
        switch verdict {
        case .accept: return .decided(.accept(text))
        case .drop: return .decided(.drop(text))
        case .return: return .returned
        case .continue: return .nextRule
        case .jump(let chain):
            let decision = run(table, chain, depth: depth + 1)
            if case .goesOn = decision { return .nextRule }
            return .decided(decision)
        case .goTo(let chain):
            let decision = run(table, chain, depth: depth + 1)
            if case .goesOn = decision { return .returned }
            return .decided(decision)
        // A program may take it (`queue`), which is not known here.
        case .other:
            doubts.append(.init(verdict: .drop, reason: text))
            return .nextRule
        }
    }
}
