/// A block of addresses with a common beginning: 172.17.0.0/16.
package struct IPSubnet: Hashable, Sendable, Comparable {
    /// The first address; its bits behind the prefix are 0.
    package let address: IPAddress
    /// How many bits all addresses have in common.
    package let prefixLength: Int

    /// The block of this size that `address` is in; `nil` if an address has fewer bits than that.
    package init?(containing address: IPAddress, prefixLength: Int) {
        guard (0...address.family.bits).contains(prefixLength) else { return nil }
        self.address = IPAddress(address.family, address.number & Self.mask(address.family, prefixLength))
        self.prefixLength = prefixLength
    }

    /// Reads an address, `/` and a number of bits; `nil` for anything else. Bits behind the prefix are dropped: ask
    /// `IPInterface` for them.
    package init?(_ text: some StringProtocol) {
        guard let interface = IPInterface(text) else { return nil }
        self = interface.subnet
    }

    /// IPv4 or IPv6.
    package var family: IPAddress.Family { address.family }

    /// The last address.
    package var lastAddress: IPAddress {
        IPAddress(family, address.number | ~Self.mask(family, prefixLength) & Self.mask(family, family.bits))
    }

    /// Whether the address is in it.
    package func contains(_ other: IPAddress) -> Bool {
        other.family == family && other.number & Self.mask(family, prefixLength) == address.number
    }

    /// Whether all of the other block is in it.
    package func contains(_ other: IPSubnet) -> Bool { other.prefixLength >= prefixLength && contains(other.address) }

    /// Whether there is an address that is in both.
    package func overlaps(_ other: IPSubnet) -> Bool { contains(other) || other.contains(self) }

    package static func < (left: IPSubnet, right: IPSubnet) -> Bool {
        (left.address, left.prefixLength) < (right.address, right.prefixLength)
    }

    /// A one for each bit of the prefix.
    private static func mask(_ family: IPAddress.Family, _ prefixLength: Int) -> UInt128 {
        if prefixLength == 0 { return 0 }
        let ones: UInt128 = family == .ipv4 ? 0xFFFF_FFFF : .max
        return ones & ones << UInt128(family.bits - prefixLength)
    }
}

extension IPSubnet: CustomStringConvertible, Codable {
    package var description: String { "\(address)/\(prefixLength)" }

    package init(from decoder: any Decoder) throws {
        self = try decoder.value("a subnet", Self.init)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// An address together with the size of the subnet it is in, as an interface has it: 172.17.0.2/16.
package struct IPInterface: Hashable, Sendable {
    /// The address.
    package let address: IPAddress
    /// The block that can be reached without a router.
    package let subnet: IPSubnet

    /// An address of a subnet of this size; `nil` if an address has fewer bits than that.
    package init?(_ address: IPAddress, prefixLength: Int) {
        guard let subnet = IPSubnet(containing: address, prefixLength: prefixLength) else { return nil }
        self.address = address
        self.subnet = subnet
    }

    /// Reads an address, `/` and a number of bits; `nil` for anything else.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let address = IPAddress(parts[0]), (1...3).contains(parts[1].utf8.count),
            parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }), let length = Int(parts[1])
        else { return nil }
        self.init(address, prefixLength: length)
    }
}

extension IPInterface: CustomStringConvertible, Codable {
    package var description: String { "\(address)/\(subnet.prefixLength)" }

    package init(from decoder: any Decoder) throws {
        self = try decoder.value("an address with the length of its prefix", Self.init)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
