import Addresses
import Netlink

/// The first packet of a connection, as far as it is known: what is `nil` may be anything.
package struct FirewallPacket: Hashable, Sendable {
    /// IPv4 or IPv6.
    package var family: IPAddress.Family
    /// TCP, UDP or SCTP.
    package var transport: TransportProtocol
    /// Who sends it.
    package var source: IPAddress?
    /// Whom it is for, after translation.
    package var destination: IPAddress?
    /// The port that it is for, after translation.
    package var port: UInt16?
    /// The port before translation; the same as `port` without one.
    package var originalPort: UInt16?
    /// The interface that it comes in by.
    package var inputInterface: String?
    /// The interface that it leaves by.
    package var outputInterface: String?
    /// Whether its destination has been translated.
    package var isTranslated: Bool
    /// Whether it answers the first packet.
    package var isAnswer = false
    /// The port that it comes from.
    package var sourcePort: UInt16?
    /// Whether its destination is an address of the host.
    package var isForHost: Bool?

    /// A packet of which this is known.
    package init(
        _ family: IPAddress.Family, _ transport: TransportProtocol, source: IPAddress? = nil,
        destination: IPAddress? = nil, port: UInt16? = nil, originalPort: UInt16? = nil,
        inputInterface: String? = nil, outputInterface: String? = nil, isTranslated: Bool = false
    ) {
        self.family = family
        self.transport = transport
        self.source = source
        self.destination = destination
        self.port = port
        self.originalPort = originalPort
        self.inputInterface = inputInterface
        self.outputInterface = outputInterface
        self.isTranslated = isTranslated
    }

    /// One for a service that no firewall has been told of, from another machine (RFC 5737 and 3849): forwarded with
    /// another destination than it came with, or delivered to the host itself as it came.
    static func unknownService(_ family: IPAddress.Family, isForwarded: Bool) -> FirewallPacket {
        let (source, destination): (UInt128, UInt128) =
            family == .ipv4 ? (0xC633_6407, 0xC633_6408) : (0x2001_0DB8 << 96 | 7, 0x2001_0DB8 << 96 | 8)
        var packet = FirewallPacket(
            family, .tcp, source: IPAddress(family, source), destination: IPAddress(family, destination), port: 8,
            originalPort: 8, inputInterface: "masu-outside", outputInterface: isForwarded ? "masu-inside" : nil,
            isTranslated: isForwarded)
        packet.isForHost = !isForwarded
        return packet
    }

    /// The bytes of a field, as a rule's register gets them; `nil` if they are not known.
    func bytes(_ key: MetaKey) -> [UInt8]? {
        switch key {
        case .networkProtocol: [family == .ipv4 ? 2 : 10]
        case .transportProtocol: [transport.number]
        case .inputInterfaceName: inputInterface.map { FieldValue.name($0).bytes }
        case .outputInterfaceName: outputInterface.map { FieldValue.name($0).bytes }
        case .mark: FieldValue.number(0).bytes
        default: nil
        }
    }

    func bytes(_ key: ConnectionKey) -> [UInt8]? {
        switch key {
        case .state: FieldValue.number((isAnswer ? ConnectionState.established : .new).rawValue).bytes
        case .status: FieldValue.number(isTranslated ? ConnectionStatus.destinationNAT.rawValue : 0).bytes
        case .mark: FieldValue.number(0).bytes
        case .direction: [isAnswer ? 1 : 0]
        case .transportProtocol: [transport.number]
        case .destinationPort: originalPort.map { FieldValue.port($0).bytes }
        default: nil
        }
    }

    /// What is known of routes: an ordinary client comes by the interface that leads to it.
    func bytes(_ lookup: RouteLookup, _ inputs: RouteLookup.Inputs) -> [UInt8]? {
        if inputs.contains(.presence) { return inputs.contains(.source) ? [1] : nil }
        guard lookup == .addressKind, inputs.contains(.destination), let isForHost else { return nil }
        return FieldValue.kind(isForHost ? .local : .unicast).bytes
    }

    func bytes(_ field: PayloadField) -> [UInt8]? {
        switch (field.base, field.offset, field.length) {
        case (.transport, 0, 2): sourcePort.map { FieldValue.port($0).bytes }
        case (.transport, 2, 2): port.map { FieldValue.port($0).bytes }
        case (.transport, 0, 4):
            sourcePort.flatMap { source in
                port.map { FieldValue.port(source).bytes + FieldValue.port($0).bytes }
            }
        case (.network, 9, 1) where family == .ipv4: [transport.number]
        case (.network, 12, 4) where family == .ipv4: source?.bytes
        case (.network, 16, 4) where family == .ipv4: destination?.bytes
        case (.network, 8, 16) where family == .ipv6: source?.bytes
        case (.network, 24, 16) where family == .ipv6: destination?.bytes
        // What nft(8) writes for a subnet of whole bytes.
        case (.network, 12..<16, _) where family == .ipv4: slice(source, field, from: 12)
        case (.network, 16..<20, _) where family == .ipv4: slice(destination, field, from: 16)
        case (.network, 8..<24, _) where family == .ipv6: slice(source, field, from: 8)
        case (.network, 24..<40, _) where family == .ipv6: slice(destination, field, from: 24)
        default: nil
        }
    }

    /// The bytes of a field of which some are known, as iptables asks for both ports at once; `nil` if none is, or all.
    func knownBytes(_ field: PayloadField) -> [UInt8?]? {
        guard (field.base, field.offset, field.length) == (.transport, 0, 4), sourcePort == nil, let port else {
            return nil
        }
        return [nil, nil] + FieldValue.port(port).bytes
    }

    private func slice(_ address: IPAddress?, _ field: PayloadField, from start: UInt32) -> [UInt8]? {
        guard let bytes = address?.bytes else { return nil }
        let first = Int(field.offset - start)
        let last = first + Int(field.length)
        return last <= bytes.count ? Array(bytes[first..<last]) : nil
    }
}
