import CLinux
import SystemPackage

/// A rule of a chain.
package struct FirewallRule: Hashable, Sendable {
    /// The table that its chain is in.
    package var table: FirewallTable
    /// The name of its chain.
    package var chain: String
    /// Its steps, in their order.
    package var expressions: [Expression]
    /// What belongs to it and means nothing to the kernel.
    package var userData: FirewallUserData?
    /// The kernel's number for it; `nil` of one that is not there yet.
    package var handle: UInt64?

    /// A rule of these steps.
    package init(
        in chain: FirewallChain, _ expressions: [Expression], comment: String? = nil, handle: UInt64? = nil
    ) {
        table = chain.table
        self.chain = chain.name
        self.expressions = expressions
        userData = comment.map(FirewallUserData.init(comment:))
        self.handle = handle
    }

    /// Reads the payload of an `NFT_MSG_NEWRULE`; `nil` of a family that is not known here.
    package init?(payload: ArraySlice<UInt8>) throws(Errno) {
        let (family, attributes) = try FirewallMessage.read(payload)
        guard let family else { return nil }
        table = FirewallTable(family, attributes.text(NFTA_RULE_TABLE) ?? "")
        chain = attributes.text(NFTA_RULE_CHAIN) ?? ""
        expressions = try attributes.expressions(NFTA_RULE_EXPRESSIONS)
        userData = attributes[NFTA_RULE_USERDATA].map { FirewallUserData(bytes: Array($0)) }
        handle = try attributes.networkOrder(NFTA_RULE_HANDLE)
    }

    // MARK: Requests

    /// Puts the rule at the end of its chain.
    package var addition: Request {
        request("add a rule to", .newRule, FirewallMessage.create | Self.append) { appendContent(to: &$0) }
    }

    /// Puts the rule at the beginning of its chain.
    package var insertion: Request {
        request("insert a rule into", .newRule, FirewallMessage.create) { appendContent(to: &$0) }
    }

    /// Puts the rule before that with this handle.
    package func insertion(before handle: UInt64) -> Request {
        request("insert a rule into", .newRule, FirewallMessage.create) {
            $0.networkOrder(NFTA_RULE_POSITION, handle)
            appendContent(to: &$0)
        }
    }

    /// Puts the rule in the place of that with the same handle; one without a handle, at the end of its chain.
    package var replacement: Request {
        guard let handle else { return addition }
        return request("replace a rule of", .newRule, Self.replace) {
            $0.networkOrder(NFTA_RULE_HANDLE, handle)
            appendContent(to: &$0)
        }
    }

    /// Removes the rule with this handle.
    package static func removal(_ handle: UInt64, of chain: FirewallChain) -> Request {
        FirewallRule(in: chain, []).request("remove a rule of", .deleteRule, 0) {
            $0.networkOrder(NFTA_RULE_HANDLE, handle)
        }
    }

    private func appendContent(to builder: inout MessageBuilder) {
        builder.expressions(NFTA_RULE_EXPRESSIONS, expressions)
        if let userData { builder.attribute(NFTA_RULE_USERDATA, userData.bytes) }
    }

    private func request(
        _ what: String, _ kind: FirewallMessage.Kind, _ flags: Int32, _ body: (inout MessageBuilder) -> Void
    ) -> Request {
        FirewallMessage.request(
            "\(what) the chain \(table.family) \(table.name) \(chain)", kind, table.family, flags: flags
        ) {
            $0.attribute(NFTA_RULE_TABLE, table.name)
            $0.attribute(NFTA_RULE_CHAIN, chain)
            body(&$0)
        }
    }

    /// Asks for all rules.
    package static func queryAll() -> Request {
        FirewallMessage.request("list the rules of nf_tables", .getRule, nil, flags: Request.dump) { _ in }
    }

    /// Asks for the rules of one table.
    package static func queryAll(of table: FirewallTable) -> Request {
        FirewallMessage.request("list the rules of the \(table)", .getRule, table.family, flags: Request.dump) {
            $0.attribute(NFTA_RULE_TABLE, table.name)
        }
    }

    /// `NLM_F_APPEND`.
    private static let append: Int32 = 0x800
    /// `NLM_F_REPLACE`.
    private static let replace: Int32 = 0x100
}
