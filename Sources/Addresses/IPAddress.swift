/// An IPv4 or IPv6 address.
///
/// Its text is the usual short one: four decimal numbers, or RFC 5952. In order, IPv4 addresses come before IPv6
/// addresses.
package struct IPAddress: Hashable, Sendable, Comparable {
    /// The kinds of addresses.
    package enum Family: UInt8, Hashable, Sendable, Comparable, CaseIterable {
        case ipv4 = 4
        case ipv6 = 6

        /// How many bits an address has.
        package var bits: Int { self == .ipv4 ? 32 : 128 }

        package static func < (left: Family, right: Family) -> Bool { left.rawValue < right.rawValue }
    }

    /// IPv4 or IPv6.
    package let family: Family
    /// The address as a number; of an IPv4 address the lower 32 bits.
    package let number: UInt128

    /// The address that is this number; of IPv4 only the lower 32 bits count.
    package init(_ family: Family, _ number: UInt128) {
        self.family = family
        self.number = family == .ipv4 ? number & 0xFFFF_FFFF : number
    }

    /// Four bytes of an IPv4 address, or sixteen of an IPv6 address, in the order of the network; `nil` for any other
    /// count.
    package init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        self.init(bytes.count == 4 ? .ipv4 : .ipv6, bytes.reduce(0) { $0 << 8 | UInt128($1) })
    }

    /// Reads four decimal numbers, without leading zeros, or an IPv6 address, without a zone; `nil` for anything else.
    package init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        if bytes.contains(UInt8(ascii: ":")) {
            guard let number = Self.ipv6(bytes[...]) else { return nil }
            self.init(.ipv6, number)
        } else {
            guard let number = Self.ipv4(bytes[...]) else { return nil }
            self.init(.ipv4, UInt128(number))
        }
    }

    /// Four bytes or sixteen, in the order of the network.
    package var bytes: [UInt8] {
        let count = family.bits / 8
        return (0..<count).map { UInt8(truncatingIfNeeded: number >> UInt128((count - 1 - $0) * 8)) }
    }

    /// Whether it has 128 bits.
    package var isIPv6: Bool { family == .ipv6 }

    /// Whether it is 0.0.0.0 or ::, which mean no address.
    package var isUnspecified: Bool { number == 0 }

    /// Whether it means the machine itself: 127.0.0.0/8 and ::1.
    package var isLoopback: Bool { family == .ipv4 ? number >> 24 == 127 : number == 1 }

    /// Whether it means something on one link only: 169.254.0.0/16 and fe80::/10.
    package var isLinkLocal: Bool { family == .ipv4 ? number >> 16 == 0xA9FE : number >> 118 == 0x3FA }

    /// Whether it is that of a group: 224.0.0.0/4 and ff00::/8.
    package var isMulticast: Bool { family == .ipv4 ? number >> 28 == 0xE : number >> 120 == 0xFF }

    /// 0.0.0.0 or ::.
    package static func unspecified(_ family: Family) -> IPAddress { IPAddress(family, 0) }

    /// 127.0.0.1 or ::1.
    package static func loopback(_ family: Family) -> IPAddress { IPAddress(family, family == .ipv4 ? 0x7F00_0001 : 1) }

    /// The address so many further; `nil` past the last one.
    package func advanced(by distance: UInt128) -> IPAddress? {
        let (sum, overflow) = number.addingReportingOverflow(distance)
        if overflow || family == .ipv4 && sum > 0xFFFF_FFFF { return nil }
        return IPAddress(family, sum)
    }

    package static func < (left: IPAddress, right: IPAddress) -> Bool {
        (left.family, left.number) < (right.family, right.number)
    }
}

// MARK: Text

extension IPAddress: CustomStringConvertible {
    package var description: String {
        if family == .ipv4 { return bytes.map { "\($0)" }.joined(separator: ".") }
        // IPv4 addresses in the form of IPv6 are written as such, as everybody does.
        if number >> 32 == 0xFFFF { return "::ffff:\(IPAddress(.ipv4, number))" }
        let groups = (0..<8).map { UInt16(truncatingIfNeeded: number >> UInt128((7 - $0) * 16)) }
        let zeros = Self.longestZeros(groups)
        func text(_ range: Range<Int>) -> String { groups[range].map { String($0, radix: 16) }.joined(separator: ":") }
        guard zeros.count > 1 else { return text(0..<8) }
        return text(0..<zeros.lowerBound) + "::" + text(zeros.upperBound..<8)
    }

    /// The first of the longest rows of zeros.
    private static func longestZeros(_ groups: [UInt16]) -> Range<Int> {
        var longest = 0..<0
        var start = 0
        for index in 0...groups.count where index == groups.count || groups[index] != 0 {
            if index - start > longest.count { longest = start..<index }
            start = index + 1
        }
        return longest
    }

    private static func ipv4(_ text: ArraySlice<UInt8>) -> UInt32? {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var number: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.count), part.count == 1 || part.first != UInt8(ascii: "0") else { return nil }
            var value: UInt32 = 0
            for digit in part {
                guard (0x30...0x39).contains(digit) else { return nil }
                value = value * 10 + UInt32(digit - 0x30)
            }
            guard value < 256 else { return nil }
            number = number << 8 | value
        }
        return number
    }

    private static func ipv6(_ text: ArraySlice<UInt8>) -> UInt128? {
        guard let gap = gap(in: text) else {
            guard let groups = groups(text), groups.count == 8 else { return nil }
            return join(groups)
        }
        let (head, tail) = (text[..<gap], text[(gap + 2)...])
        guard let first = head.isEmpty ? [] : groups(head), let last = tail.isEmpty ? [] : groups(tail),
            // A dotted end may only be at the very end.
            !head.contains(UInt8(ascii: ".")), first.count + last.count <= 7
        else { return nil }
        return join(first + Array(repeating: 0, count: 8 - first.count - last.count) + last)
    }

    /// Where `::` begins, of which there is one at most: a second one makes an empty group.
    private static func gap(in text: ArraySlice<UInt8>) -> Int? {
        text.indices.dropLast().first { text[$0] == UInt8(ascii: ":") && text[$0 + 1] == UInt8(ascii: ":") }
    }

    private static func groups(_ text: ArraySlice<UInt8>) -> [UInt16]? {
        var result: [UInt16] = []
        let parts = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if index == parts.count - 1, part.contains(UInt8(ascii: ".")) {
                guard let number = ipv4(part) else { return nil }
                result += [UInt16(truncatingIfNeeded: number >> 16), UInt16(truncatingIfNeeded: number)]
                continue
            }
            guard (1...4).contains(part.count), part.first != UInt8(ascii: "+"), part.first != UInt8(ascii: "-"),
                let value = UInt16(String(decoding: part, as: UTF8.self), radix: 16)
            else { return nil }
            result.append(value)
        }
        return result
    }

    private static func join(_ groups: [UInt16]) -> UInt128 { groups.reduce(0) { $0 << 16 | UInt128($1) } }
}

extension IPAddress: Codable {
    package init(from decoder: any Decoder) throws {
        self = try decoder.value("an IP address", Self.init)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension Decoder {
    /// What a text says, which must be `what`.
    func value<Value>(_ what: String, _ read: (String) -> Value?) throws -> Value {
        let container = try singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = read(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "\"\(text)\" is not \(what)")
        }
        return value
    }
}
