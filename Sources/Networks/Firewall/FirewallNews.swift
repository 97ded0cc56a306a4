import Netlink
import PublishedPorts

/// What notifications of nf_tables ask of the daemon.
///
/// A container that ends takes its own elements out of the table; all else that is gone was somebody's who had no
/// business there, or who removes all that there is. Whether something lacks is for a look at the table to say.
struct FirewallNews: Hashable {
    /// Whether something may lack in Masu's own table.
    private(set) var concernsOwnTable = false
    /// Whether the host's own chains may decide otherwise than before.
    private(set) var concernsHost = false
    /// Who made the last change of Masu's table, as `ps` shows it.
    private(set) var author: String?
    private var current = Transaction()

    /// What has been told of a transaction whose end has not been told yet.
    private struct Transaction: Hashable {
        var concernsOwnTable = false
        var concernsHost = false
    }

    /// What the kernel calls the process that removes the elements of its container.
    private static let shim = "masu-shim"

    /// Nothing has happened.
    init() {}

    /// Notes what has happened.
    mutating func add(_ change: FirewallNotification) {
        switch change {
        case .tableAdded(let table), .tableRemoved(let table), .contentChanged(let table):
            if Self.isOwn(table) { current.concernsOwnTable = true } else { current.concernsHost = true }
        case .elementsAdded(let table):
            if !Self.isOwn(table) { current.concernsHost = true }
        case .generation(_, _, let process):
            if current.concernsHost { concernsHost = true }
            if current.concernsOwnTable, process != Self.shim {
                concernsOwnTable = true
                author = process
            }
            current = Transaction()
        case .other: break
        }
    }

    /// Notes that more has happened than was told.
    mutating func addUnknown() {
        concernsOwnTable = true
        concernsHost = true
        author = nil
    }

    /// Notes that Masu's table has been looked at.
    mutating func settleOwnTable() {
        concernsOwnTable = false
        author = nil
    }

    /// Notes that Masu's table has still to be looked at.
    mutating func reopenOwnTable(changedBy author: String?) {
        concernsOwnTable = true
        self.author = author
    }

    /// Notes that the host's chains have been asked.
    mutating func settleHost() { concernsHost = false }

    private static func isOwn(_ table: FirewallTable) -> Bool {
        table.family == PortTable.table.family && table.name == PortTable.table.name
    }
}
