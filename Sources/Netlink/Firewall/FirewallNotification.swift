import CLinux
import SystemPackage

/// What the group `Subscription.Group.firewall` tells.
package enum FirewallNotification: Hashable, Sendable {
    case tableAdded(FirewallTable)
    /// As at `nft flush ruleset`, where nothing is told of what was in it.
    case tableRemoved(FirewallTable)
    /// The end of a transaction: the new state, and the process that made it.
    case generation(UInt32, processID: Int32?, processName: String?)
    /// Anything else that has changed, such as a chain, rule or element.
    case other

    /// `nil` for what is not of nf_tables.
    package init?(_ message: Message) throws(Errno) {
        guard Int32(message.type >> 8) == NFNL_SUBSYS_NFTABLES else { return nil }
        switch FirewallMessage.kind(of: message) {
        case .newTable:
            self = try FirewallTable(payload: message.payload).map { .tableAdded($0) } ?? .other
        case .deleteTable, .destroyTable:
            self = try FirewallTable(payload: message.payload).map { .tableRemoved($0) } ?? .other
        case .newGeneration:
            let attributes = try FirewallMessage.read(message.payload).attributes
            self = .generation(
                try attributes.networkOrder(NFTA_GEN_ID) ?? 0,
                processID: try attributes.networkOrder(NFTA_GEN_PROC_PID),
                processName: attributes.text(NFTA_GEN_PROC_NAME))
        default: self = .other
        }
    }
}
