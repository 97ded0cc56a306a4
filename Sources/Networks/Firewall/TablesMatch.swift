import Addresses
import Netlink

/// A condition of iptables in a rule that iptables-nft has made: the kernel's structures of xtables.
struct TablesMatch {
    private let match: TablesExtension

    init(_ match: TablesExtension) { self.match = match }

    /// Whether it holds for the first packet of a connection; `nil` where that is not known.
    func holds(_ packet: FirewallPacket) -> Bool? {
        switch match.name {
        case "comment": true
        case "tcp": packet.transport == .tcp ? ports(packet, invertedAt: 11, flagsAt: 8) : false
        case "udp": packet.transport == .udp ? ports(packet, invertedAt: 8, flagsAt: nil) : false
        case "multiport": multiport(packet)
        case "state": number(0, UInt32.self).map { $0 & 8 != 0 }
        case "conntrack": match.revision >= 1 ? conntrack(packet) : nil
        default: nil
        }
    }

    /// A description in words like those of iptables(8).
    var text: String {
        switch match.name {
        case "tcp", "udp":
            if let first = number(4, UInt16.self), let last = number(6, UInt16.self), (first, last) != (0, 65535) {
                return "\(match.name) dport \(first == last ? "\(first)" : "\(first)-\(last)")"
            }
            return "meta l4proto \(match.name)"
        case "conntrack":
            guard let state = number(150, UInt16.self) else { return "xt match conntrack" }
            let names = [(1, "invalid"), (2, "established"), (4, "related"), (8, "new"), (64, "snat"), (128, "dnat")]
            return "ct state " + names.filter { state & UInt16($0.0) != 0 }.map(\.1).joined(separator: ",")
        default: return "xt match \(match.name)"
        }
    }

    /// `struct xt_tcp`, `struct xt_udp`: ranges of ports, then what is inverted. The first packet of TCP has SYN alone.
    private func ports(_ packet: FirewallPacket, invertedAt: Int, flagsAt: Int?) -> Bool? {
        guard let firstSource = number(0, UInt16.self), let lastSource = number(2, UInt16.self),
            let first = number(4, UInt16.self), let last = number(6, UInt16.self),
            let inverted = number(invertedAt, UInt8.self)
        else { return nil }
        // A client's port may be any.
        if (firstSource, lastSource) != (0, 65535) || inverted & 1 != 0 { return nil }
        if let flagsAt, let mask = number(flagsAt + 1, UInt8.self), let wanted = number(flagsAt + 2, UInt8.self) {
            let option = number(flagsAt, UInt8.self) ?? 0
            if option != 0 { return nil }
            if ((0x02 & mask == wanted) == (inverted & 8 != 0)) && mask != 0 { return false }
        }
        guard let port = packet.port else { return (first, last) == (0, 65535) ? true : nil }
        return (first...max(first, last)).contains(port) != (inverted & 2 != 0)
    }

    /// `struct xt_multiport_v1`: which side, how many, ports, which of them begin ranges, what is inverted.
    private func multiport(_ packet: FirewallPacket) -> Bool? {
        guard let side = number(0, UInt8.self), let count = number(1, UInt8.self), count <= 15,
            let inverted = number(47, UInt8.self), side == 1
        else { return nil }
        guard let port = packet.port else { return nil }
        var index = 0
        var isFound = false
        while index < Int(count) {
            guard let first = number(2 + index * 2, UInt16.self), let flag = number(32 + index, UInt8.self) else {
                return nil
            }
            var last = first
            if flag != 0 {
                index += 1
                guard let end = number(2 + index * 2, UInt16.self) else { return nil }
                last = end
            }
            if first <= port && port <= last { isFound = true }
            index += 1
        }
        return isFound != (inverted != 0)
    }

    /// `struct xt_conntrack_mtinfo2` and `3`, as far as they ask for the state alone.
    private func conntrack(_ packet: FirewallPacket) -> Bool? {
        guard match.revision >= 2, let asked = number(146, UInt16.self), let inverted = number(148, UInt16.self),
            let state = number(150, UInt16.self)
        else { return nil }
        if asked != 1 { return nil }
        // New, and a bit for translated destinations.
        let present: UInt16 = 8 | (packet.isTranslated ? 128 : 0)
        return (state & present != 0) != (inverted & 1 != 0)
    }

    private func number<Number: FixedWidthInteger>(_ offset: Int, _: Number.Type) -> Number? {
        let size = MemoryLayout<Number>.size
        guard match.information.count >= offset + size else { return nil }
        return match.information[offset..<(offset + size)].withUnsafeBytes { $0.loadUnaligned(as: Number.self) }
    }
}
