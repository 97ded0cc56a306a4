import Addresses

/// A field of a packet, or what is known about it, that a rule can ask for.
package struct Selector: Hashable, Sendable {
    /// What its values are.
    package let type: DataType
    /// Whose packets have it; `nil` if all have.
    package let family: IPAddress.Family?
    private let source: Source

    private enum Source: Hashable, Sendable {
        case meta(MetaKey)
        case connection(ConnectionKey, ConnectionKey.Direction?)
        case payload(PayloadField)
        case routeLookup(RouteLookup, RouteLookup.Inputs)
    }

    private init(_ type: DataType, _ source: Source, family: IPAddress.Family? = nil) {
        self.type = type
        self.source = source
        self.family = family
    }

    /// The step that puts its value into a register.
    func load(into register: Register) -> Expression {
        switch source {
        case .meta(let key): .meta(key, into: register)
        case .connection(let key, let direction): .connection(key, direction, into: register)
        case .payload(let field): .payload(field, into: register)
        case .routeLookup(let result, let inputs): .routeLookup(result, inputs, into: register)
        }
    }

    /// The name of the interface that the packet came by.
    package static let inputInterface = Selector(.interfaceName, .meta(.inputInterfaceName))
    /// The name of the interface that the packet goes by.
    package static let outputInterface = Selector(.interfaceName, .meta(.outputInterfaceName))
    /// The number of the interface that the packet came by.
    package static let inputInterfaceIndex = Selector(.interfaceIndex, .meta(.inputInterfaceIndex))
    /// The number of the interface that the packet goes by.
    package static let outputInterfaceIndex = Selector(.interfaceIndex, .meta(.outputInterfaceIndex))
    /// IPv4 or IPv6.
    package static let networkProtocol = Selector(.networkProtocol, .meta(.networkProtocol))
    /// TCP, UDP or another one.
    package static let transportProtocol = Selector(.transportProtocol, .meta(.transportProtocol))
    /// The packet's mark.
    package static let mark = Selector(.mark, .meta(.mark))

    /// The port that the packet comes from, of TCP, UDP or SCTP.
    package static let sourcePort = Selector(.port, .payload(PayloadField(.transport, offset: 0, length: 2)))
    /// The port that the packet is for, of TCP, UDP or SCTP.
    package static let destinationPort = Selector(.port, .payload(PayloadField(.transport, offset: 2, length: 2)))

    /// A `ConnectionState`.
    package static let connectionState = Selector(.connectionState, .connection(.state, nil))
    /// A `ConnectionStatus`.
    package static let connectionStatus = Selector(.connectionStatus, .connection(.status, nil))
    /// The mark of the packet's connection.
    package static let connectionMark = Selector(.mark, .connection(.mark, nil))
    /// Whether the packet goes as the connection's first one went, or back.
    package static let connectionDirection = Selector(.connectionDirection, .connection(.direction, nil))
    /// The port that the connection's first packet was for.
    package static let originalDestinationPort = Selector(.port, .connection(.destinationPort, .original))
    /// The protocol of the connection's first packet.
    package static let originalProtocol = Selector(.transportProtocol, .connection(.transportProtocol, .original))

    /// Whose the packet's destination is, such as this machine's.
    package static let destinationKind = Selector(.addressKind, .routeLookup(.addressKind, .destination))
    /// Whose the packet's source is.
    package static let sourceKind = Selector(.addressKind, .routeLookup(.addressKind, .source))

    /// The address that a packet comes from.
    package static func source(_ family: IPAddress.Family) -> Selector {
        let field = PayloadField(.network, offset: family == .ipv4 ? 12 : 8, length: UInt32(family.bits / 8))
        return Selector(.address(family), .payload(field), family: family)
    }

    /// The address that a packet is for.
    package static func destination(_ family: IPAddress.Family) -> Selector {
        let field = PayloadField(.network, offset: family == .ipv4 ? 16 : 24, length: UInt32(family.bits / 8))
        return Selector(.address(family), .payload(field), family: family)
    }

    /// The address that the connection's first packet was for.
    package static func originalDestination(_ family: IPAddress.Family) -> Selector {
        let key = family == .ipv4 ? ConnectionKey.destinationIPv4 : .destinationIPv6
        return Selector(.address(family), .connection(key, .original), family: family)
    }
}
