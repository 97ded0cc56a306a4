import CLinux

/// Changes of nf_tables that are made all at once, or not at all.
package struct FirewallTransaction: Sendable {
    /// In the order in which they are made.
    package private(set) var changes: [Request] = []
    /// The state of nf_tables that they are made for; in another one they are refused (`NetlinkError.isStale`).
    package var generation: UInt32?

    /// - Parameter generation: As `NetfilterSocket.generation` or `Ruleset.generation` told it; `nil` for any.
    package init(_ changes: [Request] = [], generation: UInt32? = nil) {
        self.changes = changes
        self.generation = generation
    }

    /// Whether there is nothing to change.
    package var isEmpty: Bool { changes.isEmpty }

    /// Adds a change at the end.
    package mutating func append(_ change: Request) {
        changes.append(change)
    }

    /// Adds changes at the end.
    package mutating func append(_ more: [Request]) {
        changes += more
    }

    /// The changes between a beginning and an end.
    var batch: Batch {
        let start = Request("change nf_tables", type: Self.begin) {
            FirewallMessage.appendHeader(0, resource: UInt16(NFNL_SUBSYS_NFTABLES), to: &$0)
            if let generation { $0.networkOrder(NFNL_BATCH_GENID, generation) }
        }
        let end = Request("change nf_tables", type: Self.begin + 1) {
            FirewallMessage.appendHeader(0, resource: UInt16(NFNL_SUBSYS_NFTABLES), to: &$0)
        }
        return Batch([start] + changes + [end])
    }

    /// `NFNL_MSG_BATCH_BEGIN`.
    private static let begin = 16
}
