import CLinux
import SystemPackage

/// Which packets a table of nf_tables is for (`NFPROTO_…`).
package enum FirewallFamily: UInt8, Hashable, Sendable, CaseIterable {
    /// IPv4 and IPv6.
    case inet = 1
    case ipv4 = 2
    case arp = 3
    case netdev = 5
    case bridge = 7
    case ipv6 = 10
}

/// A table of nf_tables, which holds chains and sets; also the way to refer to it.
package struct FirewallTable: Hashable, Sendable {
    /// Which packets it is for.
    package var family: FirewallFamily
    /// At most 255 bytes.
    package var name: String
    /// Whether its chains are not asked.
    package var isDormant: Bool

    /// A table that is made like this, or the way to refer to one.
    package init(_ family: FirewallFamily, _ name: String, isDormant: Bool = false) {
        self.family = family
        self.name = name
        self.isDormant = isDormant
    }

    /// Reads the payload of an `NFT_MSG_NEWTABLE` or `NFT_MSG_DELTABLE`; `nil` of a family that is not known here.
    package init?(payload: ArraySlice<UInt8>) throws(Errno) {
        let (family, attributes) = try FirewallMessage.read(payload)
        guard let family else { return nil }
        self.family = family
        name = attributes.text(NFTA_TABLE_NAME) ?? ""
        isDormant = try attributes.networkOrder(NFTA_TABLE_FLAGS, as: UInt32.self).map { $0 & 1 != 0 } ?? false
    }

    // MARK: Requests

    /// Makes the table if there is none.
    package var addition: Request { request("create", .newTable, FirewallMessage.create) }

    /// Makes the table; fails if there is one.
    package var creation: Request { request("create", .newTable, Request.create) }

    /// Removes the table with all that is in it.
    package var removal: Request { request("remove", .deleteTable) }

    /// Removes the table with all that is in it, if there is one (Linux 6.3).
    package var destruction: Request { request("remove", .destroyTable) }

    /// Empties the table of all rules; chains and sets stay.
    package var flush: Request {
        FirewallMessage.request("flush the \(self)", .deleteRule, family) { $0.attribute(NFTA_RULE_TABLE, name) }
    }

    private func request(_ verb: String, _ kind: FirewallMessage.Kind, _ flags: Int32 = 0) -> Request {
        FirewallMessage.request("\(verb) the \(self)", kind, family, flags: flags) {
            $0.attribute(NFTA_TABLE_NAME, name)
            if kind == .newTable { $0.networkOrder(NFTA_TABLE_FLAGS, UInt32(isDormant ? 1 : 0)) }
        }
    }

    /// Asks for all tables.
    package static func queryAll() -> Request {
        FirewallMessage.request("list the tables of nf_tables", .getTable, nil, flags: Request.dump) { _ in }
    }
}

extension FirewallTable: CustomStringConvertible {
    /// As nft(8) names it: "table inet masu".
    package var description: String { "table \(family) \(name)" }
}

extension FirewallFamily: CustomStringConvertible {
    /// As nft(8) names it.
    package var description: String {
        switch self {
        case .inet: "inet"
        case .ipv4: "ip"
        case .arp: "arp"
        case .netdev: "netdev"
        case .bridge: "bridge"
        case .ipv6: "ip6"
        }
    }
}
