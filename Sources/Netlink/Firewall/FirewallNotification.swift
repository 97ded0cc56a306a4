import CLinux
import SystemPackage

/// What the group `Subscription.Group.firewall` tells.
package enum FirewallNotification: Hashable, Sendable {
    /// A table has been made, or put to sleep or woken.
    case tableAdded(FirewallTable)
    /// As at `nft flush ruleset`, where nothing is told of what was in it.
    case tableRemoved(FirewallTable)
    /// Sets of this table have got elements.
    case elementsAdded(FirewallTable)
    /// Anything else in this table has come, gone or changed: a chain, a rule, a set, or elements that have gone.
    case contentChanged(FirewallTable)
    /// The end of a transaction: the new state, and the process that made it.
    case generation(UInt32, processID: Int32?, processName: String?)
    /// What is of no table of a known family, or is not known here, such as a counter with a name.
    case other

    /// `nil` for what is not of nf_tables.
    package init?(_ message: Message) throws(Errno) {
        guard Int32(message.type >> 8) == NFNL_SUBSYS_NFTABLES else { return nil }
        switch FirewallMessage.kind(of: message) {
        case .newTable:
            self = try FirewallTable(payload: message.payload).map { .tableAdded($0) } ?? .other
        case .deleteTable, .destroyTable:
            self = try FirewallTable(payload: message.payload).map { .tableRemoved($0) } ?? .other
        case .newElement:
            self = try Self.table(of: message).map { .elementsAdded($0) } ?? .other
        case .newChain, .deleteChain, .destroyChain, .newRule, .deleteRule, .destroyRule, .newSet, .deleteSet,
            .destroySet, .deleteElement, .destroyElement:
            self = try Self.table(of: message).map { .contentChanged($0) } ?? .other
        case .newGeneration:
            let attributes = try FirewallMessage.read(message.payload).attributes
            self = .generation(
                try attributes.networkOrder(NFTA_GEN_ID) ?? 0,
                processID: try attributes.networkOrder(NFTA_GEN_PROC_PID),
                processName: attributes.text(NFTA_GEN_PROC_NAME))
        case .getTable, .getChain, .getRule, .getSet, .getElement, .getGeneration, nil: self = .other
        }
    }

    /// Whatever a message is about, the name of its table has the same number.
    private static func table(of message: Message) throws(Errno) -> FirewallTable? {
        let (family, attributes) = try FirewallMessage.read(message.payload)
        guard let family, let name = attributes.text(NFTA_RULE_TABLE) else { return nil }
        return FirewallTable(family, name)
    }
}
