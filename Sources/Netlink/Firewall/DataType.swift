import Addresses

/// What the keys and values of sets are, by the numbers of nft(8), which needs them to print them.
package struct DataType: Hashable, Sendable {
    /// The kernel does not look at it.
    package let number: UInt32
    /// How many bytes a value has.
    package let length: Int
    /// How nft(8) reads it.
    let byteOrder: ByteOrder

    /// The numbers are those of nft(8).
    enum ByteOrder: UInt32 {
        case host = 1
        case network = 2
    }

    private init(_ number: UInt32, _ length: Int, _ byteOrder: ByteOrder) {
        self.number = number
        self.length = length
        self.byteOrder = byteOrder
    }

    /// IPv4 or IPv6 (`nf_proto`).
    package static let networkProtocol = DataType(2, 1, .host)
    /// `ipv4_addr`.
    package static let ipv4 = DataType(7, 4, .network)
    /// `ipv6_addr`.
    package static let ipv6 = DataType(8, 16, .network)
    /// `ether_addr`.
    package static let hardwareAddress = DataType(9, 6, .network)
    /// `inet_proto`.
    package static let transportProtocol = DataType(12, 1, .network)
    /// `inet_service`.
    package static let port = DataType(13, 2, .network)
    /// `mark`.
    package static let mark = DataType(19, 4, .host)
    /// `iface_index`.
    package static let interfaceIndex = DataType(20, 4, .host)
    /// `ct_state`.
    package static let connectionState = DataType(26, 4, .host)
    /// `ct_dir`.
    package static let connectionDirection = DataType(27, 1, .host)
    /// `ct_status`.
    package static let connectionStatus = DataType(28, 4, .host)
    /// `fib_addrtype`.
    package static let addressKind = DataType(38, 4, .host)
    /// `ifname`.
    package static let interfaceName = DataType(41, 16, .host)

    /// An address of IPv4 or IPv6.
    package static func address(_ family: IPAddress.Family) -> DataType { family == .ipv4 ? .ipv4 : .ipv6 }

    private static let known: [DataType] = [
        networkProtocol, ipv4, ipv6, hardwareAddress, transportProtocol, port, mark, interfaceIndex, connectionState,
        connectionDirection, connectionStatus, addressKind, interfaceName,
    ]

    /// Types of a concatenation are six bits each.
    static func combined(_ types: [DataType]) -> UInt32 { types.reduce(0) { $0 << 6 | $1.number } }

    /// Those that `number` is a combination of; of one that is not known here what is known is its length, if it is the
    /// only one.
    static func parts(of number: UInt32, length: Int) -> [DataType] {
        var parts: [DataType] = []
        var rest = number
        repeat {
            let last = rest & 0x3f
            rest >>= 6
            let type = known.first { $0.number == last }
            parts.insert(type ?? DataType(last, rest == 0 && parts.isEmpty ? length : 4, .network), at: 0)
        } while rest != 0
        return parts
    }
}

/// A value of one field of a packet, or of a key.
package struct FieldValue: Hashable, Sendable {
    /// As the kernel has it.
    package let bytes: [UInt8]

    /// A value as the kernel has it.
    package init(bytes: [UInt8]) { self.bytes = bytes }

    private init(host number: some FixedWidthInteger) { bytes = withUnsafeBytes(of: number) { Array($0) } }

    /// An interface's name: all sixteen bytes of it.
    package static func name(_ name: String) -> FieldValue {
        FieldValue(bytes: Array((Array(name.utf8) + Array(repeating: 0, count: 16)).prefix(16)))
    }

    /// How an interface's name begins.
    package static func name(beginningWith start: String) -> FieldValue { FieldValue(bytes: Array(start.utf8)) }

    /// A port of TCP, UDP or SCTP.
    package static func port(_ port: UInt16) -> FieldValue { FieldValue(host: port.bigEndian) }
    /// An address of IPv4 or IPv6.
    package static func address(_ address: IPAddress) -> FieldValue { FieldValue(bytes: address.bytes) }
    /// A hardware address.
    package static func hardwareAddress(_ address: MACAddress) -> FieldValue { FieldValue(bytes: address.bytes) }
    /// A protocol.
    package static func transport(_ transport: TransportProtocol) -> FieldValue {
        FieldValue(bytes: [transport.number])
    }

    /// IPv4 or IPv6.
    package static func family(_ family: IPAddress.Family) -> FieldValue { FieldValue(bytes: [family.number]) }

    /// An interface's number.
    package static func index(_ index: Int32) -> FieldValue { FieldValue(host: index) }

    /// A mark, or bits of a connection.
    package static func number(_ number: UInt32) -> FieldValue { FieldValue(host: number) }

    /// Whose an address is: `RTN_UNICAST`, `RTN_LOCAL` and so on.
    package static func kind(_ kind: IPRoute.Kind) -> FieldValue { FieldValue(host: UInt32(kind.rawValue)) }
}

/// The key of an element of a set: one value, or several behind each other.
package struct FirewallKey: Hashable, Sendable {
    /// As the kernel has it: of several values each begins at a multiple of four bytes.
    package let bytes: [UInt8]

    /// A key as the kernel has it.
    package init(bytes: [UInt8]) { self.bytes = bytes }

    /// A key of these values.
    package init(_ values: [FieldValue]) {
        if values.count == 1 { bytes = values[0].bytes } else { bytes = values.flatMap { Self.padded($0.bytes) } }
    }

    /// A key of these values.
    package init(_ values: FieldValue...) { self.init(values) }

    /// The values of a key with parts of these types; `nil` if it has another length.
    package func values(_ types: [DataType]) -> [FieldValue]? {
        guard types.count > 1 else { return [FieldValue(bytes: bytes)] }
        guard bytes.count == Self.length(types) else { return nil }
        var start = 0
        return types.map { type in
            defer { start += (type.length + 3) & ~3 }
            return FieldValue(bytes: Array(bytes[start..<(start + type.length)]))
        }
    }

    /// How many bytes a key with parts of these types has.
    package static func length(_ types: [DataType]) -> Int {
        types.count == 1 ? types[0].length : types.reduce(0) { $0 + (($1.length + 3) & ~3) }
    }

    private static func padded(_ bytes: [UInt8]) -> [UInt8] {
        bytes + Array(repeating: 0, count: (4 - bytes.count % 4) % 4)
    }
}
