import Addresses

/// The names under which the names of addresses are kept: `2.0.17.172.in-addr.arpa.` (RFC 1035, 3.5) and thirty-two
/// digits below `ip6.arpa.` (RFC 3596, 2.5).
package enum ReverseName {
    /// The address that a name is about; `nil` if it is not about a whole address.
    package static func address(_ name: DomainName) -> IPAddress? {
        let labels = name.lowercased.labels.map { Array($0) }
        switch labels.suffix(2).map({ $0 }) {
        case [Array("in-addr".utf8), Array("arpa".utf8)] where labels.count == 6:
            return IPAddress(
                labels.prefix(4).reversed().map { String(decoding: $0, as: UTF8.self) }.joined(separator: "."))
        case [Array("ip6".utf8), Array("arpa".utf8)] where labels.count == 34:
            var number: UInt128 = 0
            for label in labels.prefix(32).reversed() {
                guard label.count == 1, let digit = digit(label[0]) else { return nil }
                number = number << 4 | digit
            }
            return IPAddress(.ipv6, number)
        default:
            return nil
        }
    }

    private static func digit(_ character: UInt8) -> UInt128? {
        switch character {
        case 0x30...0x39: UInt128(character - 0x30)
        case 0x61...0x66: UInt128(character - 0x61 + 10)
        default: nil
        }
    }
}
