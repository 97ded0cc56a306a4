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
        case "state": number(0, UInt32.self).map { $0 & UInt32(stateBit(packet)) != 0 }
        case "conntrack": conntrack(packet)
        case "addrtype": addressKind(packet)
        // Headers that a connection's ordinary packets do not have; without the header none of these holds.
        case "rt", "frag", "hbh", "dst", "ah", "esp", "mh": false
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
        case "conntrack": return conntrackText
        default: return "xt match \(match.name)"
        }
    }

    /// `struct xt_tcp`, `struct xt_udp`: ranges of ports, then what is inverted. The first packet of TCP has SYN alone.
    private func ports(_ packet: FirewallPacket, invertedAt: Int, flagsAt: Int?) -> Bool? {
        guard let firstSource = number(0, UInt16.self), let lastSource = number(2, UInt16.self),
            let first = number(4, UInt16.self), let last = number(6, UInt16.self),
            let inverted = number(invertedAt, UInt8.self)
        else { return nil }
        var isKnown = true
        if (firstSource, lastSource) != (0, 65535) || inverted & 1 != 0 {
            // A client's port may be any.
            if let source = packet.sourcePort {
                if (firstSource...max(firstSource, lastSource)).contains(source) == (inverted & 1 != 0) { return false }
            } else {
                isKnown = false
            }
        }
        if let flagsAt, let mask = number(flagsAt + 1, UInt8.self), let wanted = number(flagsAt + 2, UInt8.self) {
            let option = number(flagsAt, UInt8.self) ?? 0
            if option != 0 { return nil }
            // SYN, or SYN and ACK.
            let flags: UInt8 = packet.isAnswer ? 0x12 : 0x02
            if ((flags & mask == wanted) == (inverted & 8 != 0)) && mask != 0 { return false }
        }
        guard let port = packet.port else { return (first, last) == (0, 65535) && isKnown ? true : nil }
        if (first...max(first, last)).contains(port) == (inverted & 2 != 0) { return false }
        return isKnown ? true : nil
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

    /// What `struct xt_conntrack_mtinfo3` can ask for (`XT_CONNTRACK_…`), as far as it is known here.
    private struct Question: OptionSet {
        let rawValue: UInt16
        static let state = Question(rawValue: 1)
        static let transport = Question(rawValue: 2)
        static let status = Question(rawValue: 0x40)
        static let originalPort = Question(rawValue: 0x200)
        /// The same question as `state`, asked by another name.
        static let alias = Question(rawValue: 0x2000)
    }

    /// `struct xt_conntrack_mtinfo2` and `3`: what is asked, what of it is inverted, and the answers wanted. The port
    /// is a range, in the order of the host's bytes, since revision 3.
    private func conntrack(_ packet: FirewallPacket) -> Bool? {
        guard match.revision >= 2, let asked = number(146, UInt16.self), let inverted = number(148, UInt16.self)
        else { return nil }
        let question = Question(rawValue: asked)
        var isKnown = question.subtracting([.state, .transport, .status, .originalPort, .alias]).isEmpty
        func fails(_ part: Question, _ holds: Bool?) -> Bool {
            guard question.contains(part) else { return false }
            guard let holds else {
                isKnown = false
                return false
            }
            return holds == (inverted & part.rawValue != 0)
        }
        let state = number(150, UInt16.self).map { mask in
            // The connection's state, and a bit for translated destinations.
            mask & (stateBit(packet) | (packet.isTranslated ? 128 : 0)) != 0
        }
        let transport = number(136, UInt16.self).map { $0 == UInt16(packet.transport.number) }
        let translation = UInt16(ConnectionStatus.destinationNAT.rawValue)
        // Of a connection's status it is known whether its destination is translated.
        let status = number(152, UInt16.self).flatMap { $0 == translation ? packet.isTranslated : nil }
        var port: Bool?
        if match.revision >= 3, let first = number(140, UInt16.self), let last = number(156, UInt16.self),
            let original = packet.originalPort
        {
            port = (first...max(first, last)).contains(original)
        }
        if fails(.state, state) || fails(.transport, transport) || fails(.status, status) || fails(.originalPort, port)
        {
            return false
        }
        return isKnown ? true : nil
    }

    private var conntrackText: String {
        guard let asked = number(146, UInt16.self) else { return "xt match conntrack" }
        let question = Question(rawValue: asked)
        var words: [String] = []
        if question.contains(.state), let state = number(150, UInt16.self) {
            let names = [(1, "invalid"), (2, "established"), (4, "related"), (8, "new"), (64, "snat"), (128, "dnat")]
            words.append(
                "ct state " + names.filter { state & UInt16($0.0) != 0 }.map(\.1).joined(separator: ","))
        }
        if question.contains(.originalPort), match.revision >= 3, let port = number(140, UInt16.self) {
            words.append("ct original proto-dst \(port)")
        }
        return words.isEmpty ? "xt match conntrack" : words.joined(separator: " ")
    }

    /// `XT_STATE_BIT` of the packet's connection.
    private func stateBit(_ packet: FirewallPacket) -> UInt16 { packet.isAnswer ? 2 : 8 }

    /// `struct xt_addrtype_info_v1`, as far as it asks for the destination alone: a bit for each kind of address.
    private func addressKind(_ packet: FirewallPacket) -> Bool? {
        guard match.revision >= 1, let source = number(0, UInt16.self), let wanted = number(2, UInt16.self),
            let flags = number(4, UInt32.self), source == 0, flags & ~2 == 0, let isForHost = packet.isForHost
        else { return nil }
        let kind = UInt16(1) << UInt16(isForHost ? IPRoute.Kind.local.rawValue : IPRoute.Kind.unicast.rawValue)
        return (wanted & kind != 0) != (flags & 2 != 0)
    }

    private func number<Number: FixedWidthInteger>(_ offset: Int, _: Number.Type) -> Number? {
        let size = MemoryLayout<Number>.size
        guard match.information.count >= offset + size else { return nil }
        return match.information[offset..<(offset + size)].withUnsafeBytes { $0.loadUnaligned(as: Number.self) }
    }
}
