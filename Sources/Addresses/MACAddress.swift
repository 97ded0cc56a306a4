/// The hardware address of a network interface: six bytes, written as `02:42:ac:11:00:02`.
package struct MACAddress: Hashable, Sendable {
    /// The six bytes.
    package let bytes: [UInt8]

    /// Six bytes; `nil` for any other count.
    package init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 6 else { return nil }
        self.bytes = Array(bytes)
    }

    /// Reads pairs of hexadecimal digits divided by `:` or `-`; `nil` for anything else.
    package init?(_ text: String) {
        let separator: Character = text.contains("-") ? "-" : ":"
        let parts = text.split(separator: separator, omittingEmptySubsequences: false)
        let bytes = parts.compactMap { $0.utf8.count == 2 && $0.first != "+" ? UInt8($0, radix: 16) : nil }
        guard parts.count == 6 else { return nil }
        self.init(bytes: bytes)
    }

    /// The address Masu gives an interface that has this IP address and no hardware address of its own: locally
    /// administered, and the same whenever the IP address is given again, so that nobody's caches become wrong.
    package init(derivedFrom address: IPAddress) {
        let bytes = address.bytes
        switch address.family {
        case .ipv4: self.bytes = [0x02, 0x42] + bytes
        // Of an IPv6 address all bytes count; the last ones, which are those that differ, as they are.
        case .ipv6:
            let head = bytes.dropLast(3).reduce(UInt32(0x811C_9DC5)) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
            self.bytes =
                [0x06, UInt8(truncatingIfNeeded: head >> 8), UInt8(truncatingIfNeeded: head)] + bytes.suffix(3)
        }
    }
}

extension MACAddress: CustomStringConvertible, Codable {
    package var description: String {
        bytes.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined(separator: ":")
    }

    package init(from decoder: any Decoder) throws {
        self = try decoder.value("a MAC address", Self.init)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
