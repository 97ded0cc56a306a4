/// What a port belongs to.
package enum TransportProtocol: String, Hashable, Sendable, Codable, CaseIterable {
    case tcp, udp, sctp

    /// Its number in the header of an IP packet; protocols(5).
    package var number: UInt8 {
        switch self {
        case .tcp: 6
        case .udp: 17
        case .sctp: 132
        }
    }

    /// The protocol with this number in the header of an IP packet.
    package init?(number: UInt8) {
        guard let match = Self.allCases.first(where: { $0.number == number }) else { return nil }
        self = match
    }
}
