import CLinux
import SystemPackage

/// A chain of rules; also the way to refer to it.
package struct FirewallChain: Hashable, Sendable {
    /// The table that it is in.
    package var table: FirewallTable
    /// At most 127 bytes.
    package var name: String
    /// Where packets enter it; `nil` if that is only from other chains.
    package var base: Base?

    /// Where and when packets enter a chain.
    package struct Base: Hashable, Sendable {
        /// What it is for.
        package var kind: Kind
        /// The place on the way of a packet.
        package var hook: Hook
        /// Of several chains at one place the one with the lowest is asked first. A chain that translates addresses
        /// has to be behind the tracking of connections (-200).
        package var priority: Int32
        /// What becomes of a packet about which the rules do not decide; chains that translate addresses accept.
        package var accepts: Bool
        /// Of which interfaces' packets, for the hooks of the family `netdev`.
        package var devices: [String]

        /// A place for a chain.
        package init(_ kind: Kind, _ hook: Hook, priority: Int32, accepts: Bool = true, devices: [String] = []) {
            self.kind = kind
            self.hook = hook
            self.priority = priority
            self.accepts = accepts
            self.devices = devices
        }
    }

    /// What a chain that packets enter is for.
    package enum Kind: String, Hashable, Sendable {
        case filter, nat, route
    }

    /// A place on the way of a packet. The numbers are those of IP and bridges; `netdev` has its own.
    package enum Hook: Hashable, Sendable {
        case prerouting, input, forward, output, postrouting
        /// Directly behind an interface (families `netdev` and, since Linux 5.10, `inet`).
        case ingress
        /// Directly before an interface (family `netdev`).
        case egress
    }

    /// A chain that is made like this, or the way to refer to one.
    package init(_ table: FirewallTable, _ name: String, _ base: Base? = nil) {
        self.table = table
        self.name = name
        self.base = base
    }

    /// Reads the payload of an `NFT_MSG_NEWCHAIN`; `nil` of a family that is not known here.
    package init?(payload: ArraySlice<UInt8>) throws(Errno) {
        let (family, attributes) = try FirewallMessage.read(payload)
        guard let family else { return nil }
        table = FirewallTable(family, attributes.text(NFTA_CHAIN_TABLE) ?? "")
        name = attributes.text(NFTA_CHAIN_NAME) ?? ""
        guard let hook = try attributes.nested(NFTA_CHAIN_HOOK) else { return }
        guard let place = Hook(try hook.networkOrder(NFTA_HOOK_HOOKNUM) ?? .max, family) else { return nil }
        var devices = hook.text(NFTA_HOOK_DEV).map { [$0] } ?? []
        if let list = try hook.nested(NFTA_HOOK_DEVS) {
            devices = list.all.map { String(decoding: $0.payload.prefix { $0 != 0 }, as: UTF8.self) }
        }
        base = Base(
            attributes.text(NFTA_CHAIN_TYPE).flatMap(Kind.init) ?? .filter, place,
            priority: try hook.networkOrder(NFTA_HOOK_PRIORITY) ?? 0,
            accepts: try attributes.networkOrder(NFTA_CHAIN_POLICY, as: UInt32.self) != 0, devices: devices)
    }

    // MARK: Requests

    /// Makes the chain if there is none.
    package var addition: Request { request("create", .newChain, FirewallMessage.create) }

    /// Makes the chain; fails if there is one.
    package var creation: Request { request("create", .newChain, Request.create) }

    /// Removes the chain, which nobody may refer to, with its rules.
    package var removal: Request { request("remove", .deleteChain) }

    /// Removes the chain, if there is one, with its rules (Linux 6.3).
    package var destruction: Request { request("remove", .destroyChain) }

    /// Removes all rules of the chain.
    package var flush: Request {
        FirewallMessage.request("flush the \(self)", .deleteRule, table.family) {
            $0.attribute(NFTA_RULE_TABLE, table.name)
            $0.attribute(NFTA_RULE_CHAIN, name)
        }
    }

    private func request(_ verb: String, _ kind: FirewallMessage.Kind, _ flags: Int32 = 0) -> Request {
        FirewallMessage.request("\(verb) the \(self)", kind, table.family, flags: flags) {
            $0.attribute(NFTA_CHAIN_TABLE, table.name)
            $0.attribute(NFTA_CHAIN_NAME, name)
            guard kind == .newChain, let base else { return }
            $0.nested(NFTA_CHAIN_HOOK) {
                $0.networkOrder(NFTA_HOOK_HOOKNUM, base.hook.number(table.family))
                $0.networkOrder(NFTA_HOOK_PRIORITY, base.priority)
                if base.devices.count == 1 { $0.attribute(NFTA_HOOK_DEV, base.devices[0]) }
                if base.devices.count > 1 {
                    $0.nested(NFTA_HOOK_DEVS) { for name in base.devices { $0.attribute(NFTA_DEVICE_NAME, name) } }
                }
            }
            $0.attribute(NFTA_CHAIN_TYPE, base.kind.rawValue)
            $0.networkOrder(NFTA_CHAIN_POLICY, UInt32(base.accepts ? 1 : 0))
        }
    }

    /// Asks for all chains.
    package static func queryAll() -> Request {
        FirewallMessage.request("list the chains of nf_tables", .getChain, nil, flags: Request.dump) { _ in }
    }
}

extension FirewallChain: CustomStringConvertible {
    package var description: String { "chain \(table.family) \(table.name) \(name)" }
}

extension FirewallChain.Hook {
    private static let ip: [FirewallChain.Hook] = [.prerouting, .input, .forward, .output, .postrouting, .ingress]
    private static let arp: [FirewallChain.Hook] = [.input, .output, .forward]
    private static let netdev: [FirewallChain.Hook] = [.ingress, .egress]

    private static func all(_ family: FirewallFamily) -> [FirewallChain.Hook] {
        switch family {
        case .netdev: netdev
        case .arp: arp
        case .inet, .ipv4, .ipv6, .bridge: ip
        }
    }

    fileprivate init?(_ number: UInt32, _ family: FirewallFamily) {
        let all = Self.all(family)
        guard number < all.count else { return nil }
        self = all[Int(number)]
    }

    /// `NF_INET_…`, `NF_ARP_…` or `NF_NETDEV_…`. What the family does not have is a number that the kernel refuses.
    fileprivate func number(_ family: FirewallFamily) -> UInt32 {
        UInt32(Self.all(family).firstIndex(of: self) ?? 255)
    }
}
