import Addresses
import Netlink

/// A rule in the language of nft(8), for people: conditions that have no short form there stand by their names.
struct RuleText: CustomStringConvertible {
    let description: String

    init(_ rule: FirewallRule) {
        var words: [String] = []
        var loaded: [Int: String] = [:]
        for expression in rule.expressions { Self.add(expression, &words, &loaded) }
        description =
            "\(rule.table.family) \(rule.table.name) \(rule.chain): "
            + (words.isEmpty ? "(nothing)" : words.joined(separator: " "))
    }

    private static func add(_ expression: Expression, _ words: inout [String], _ loaded: inout [Int: String]) {
        switch expression {
        case .meta(let key, let register): loaded[register.slot] = name(key)
        case .connection(let key, let direction, let register):
            loaded[register.slot] = name(key, direction)
        case .payload(let field, let register): loaded[register.slot] = name(field)
        case .routeLookup(_, _, let register): loaded[register.slot] = "fib"
        case .socket(_, let register): loaded[register.slot] = "socket"
        case .bitwise(let source, let target, let mask, _):
            let name = loaded[source.slot] ?? "?"
            loaded[target.slot] = bits(name, mask) ?? "\(name) & \(hex(mask))"
        case .compare(let register, let comparison, let bytes):
            let name = loaded[register.slot] ?? "?"
            if name.hasPrefix("ct state ") || name.hasPrefix("ct status "), bytes.allSatisfy({ $0 == 0 }) {
                // Some of the bits, or none.
                words.append(comparison == .equal ? "not \(name)" : name)
            } else {
                words.append("\(name)\(sign(comparison)) \(value(bytes, name))")
            }
        case .range(let register, let isInside, let first, let last):
            let name = loaded[register.slot] ?? "?"
            words.append("\(name)\(isInside ? "" : " !=") \(value(first, name))-\(value(last, name))")
        case .isMember(let register, let set, let isInverted):
            words.append("\(loaded[register.slot] ?? "?")\(isInverted ? " !=" : "") @\(set)")
        case .map(let register, let map, _), .decide(let register, let map):
            words.append("\(loaded[register.slot] ?? "?") vmap @\(map)")
        case .verdict(let verdict): words.append(text(verdict))
        case .reject: words.append("reject")
        case .limit: words.append("limit")
        case .tablesMatch(let match):
            if match.name != "comment" { words.append(TablesMatch(match).text) }
        case .tablesTarget(let target): words.append(target.name == "REJECT" ? "reject" : "xt target \(target.name)")
        case .unknown(let name): words.append(name)
        case .setMeta, .setConnection, .setPayload, .immediate, .translate, .masquerade, .redirect, .transparentProxy,
            .doNotTrack, .counter, .log:
            break
        }
    }

    private static func text(_ verdict: Verdict) -> String {
        switch verdict {
        case .accept: "accept"
        case .drop: "drop"
        case .continue: "continue"
        case .return: "return"
        case .jump(let chain): "jump \(chain)"
        case .goTo(let chain): "goto \(chain)"
        case .other: "queue"
        }
    }

    private static func sign(_ comparison: Comparison) -> String {
        switch comparison {
        case .equal: ""
        case .notEqual: " !="
        case .less: " <"
        case .lessOrEqual: " <="
        case .greater: " >"
        case .greaterOrEqual: " >="
        }
    }

    private static func name(_ key: MetaKey) -> String {
        switch key {
        case .inputInterfaceName: "iifname"
        case .outputInterfaceName: "oifname"
        case .inputInterfaceIndex: "iif"
        case .outputInterfaceIndex: "oif"
        case .networkProtocol: "meta nfproto"
        case .transportProtocol: "meta l4proto"
        case .mark: "meta mark"
        default: "meta \(key.rawValue)"
        }
    }

    private static func name(_ key: ConnectionKey, _ direction: ConnectionKey.Direction?) -> String {
        let start = direction.map { $0 == .original ? "ct original " : "ct reply " } ?? "ct "
        return switch key {
        case .state: start + "state"
        case .status: start + "status"
        case .mark: start + "mark"
        case .destinationPort: start + "proto-dst"
        case .sourcePort: start + "proto-src"
        case .transportProtocol: start + "protocol"
        default: start + "\(key.rawValue)"
        }
    }

    private static func name(_ field: PayloadField) -> String {
        switch (field.base, field.offset, field.length) {
        case (.transport, 0, 2): "th sport"
        case (.transport, 2, 2): "th dport"
        case (.network, 12..<16, 1...4): "ip saddr"
        case (.network, 16..<20, 1...4): "ip daddr"
        case (.network, 8, 16): "ip6 saddr"
        case (.network, 24, 16): "ip6 daddr"
        case (.network, 9, 1): "ip protocol"
        default: "@\(field.base),\(field.offset * 8),\(field.length * 8)"
        }
    }

    private static func value(_ bytes: [UInt8], _ name: String) -> String {
        if name.hasSuffix("port") || name.contains("proto-"), bytes.count == 2 {
            return "\(Int(bytes[0]) << 8 | Int(bytes[1]))"
        }
        if name.hasSuffix("ifname") { return "\"\(String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self))\"" }
        if name == "meta l4proto" || name == "ip protocol", bytes.count == 1 {
            return TransportProtocol(number: bytes[0])?.rawValue ?? "\(bytes[0])"
        }
        if name == "meta nfproto", bytes.count == 1 { return bytes[0] == 2 ? "ipv4" : "ipv6" }
        if name.contains("addr"), let address = IPAddress(bytes: bytes) { return address.description }
        if name.contains("addr"), bytes.count < 4 {
            return bytes.map { "\($0)" }.joined(separator: ".") + ".0/\(bytes.count * 8)"
        }
        return hex(bytes)
    }

    /// What bits of a connection's state or status are called.
    private static func bits(_ name: String, _ mask: [UInt8]) -> String? {
        guard mask.count == 4, name == "ct state" || name == "ct status" else { return nil }
        let value = mask.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
        let known: [(UInt32, String)] =
            name == "ct state"
            ? [(1, "invalid"), (2, "established"), (4, "related"), (8, "new"), (64, "untracked")]
            : [(2, "seen-reply"), (4, "assured"), (8, "confirmed"), (16, "snat"), (32, "dnat"), (512, "dying")]
        let words = known.filter { value & $0.0 != 0 }.map(\.1)
        return words.isEmpty ? nil : "\(name) \(words.joined(separator: ","))"
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        "0x" + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
