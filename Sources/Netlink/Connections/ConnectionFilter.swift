import Addresses
import CLinux
import SystemPackage

/// Which tracked connections are meant; what is `nil` may be anything.
package struct ConnectionFilter: Hashable, Sendable {
    /// IPv4 or IPv6.
    package var family: IPAddress.Family
    /// The protocol.
    package var transport: TransportProtocol?
    /// The address that the first packet was for, before translation.
    package var originalDestination: IPAddress?
    /// The port that the first packet was for, before translation.
    package var originalDestinationPort: UInt16?
    /// The address that answers come from: that of a container whose port is published.
    package var replySource: IPAddress?
    /// The port that answers come from.
    package var replySourcePort: UInt16?
    /// The zone.
    package var zone: UInt16?

    /// The connections that fit to all that is given.
    package init(
        _ family: IPAddress.Family, transport: TransportProtocol? = nil, originalDestination: IPAddress? = nil,
        originalDestinationPort: UInt16? = nil, replySource: IPAddress? = nil, replySourcePort: UInt16? = nil,
        zone: UInt16? = nil
    ) {
        self.family = family
        self.transport = transport
        self.originalDestination = originalDestination
        self.originalDestinationPort = originalDestinationPort
        self.replySource = replySource
        self.replySourcePort = replySourcePort
        self.zone = zone
    }

    /// Whether a connection is meant.
    package func matches(_ entry: ConnectionEntry) -> Bool {
        func fits<Value: Equatable>(_ wanted: Value?, _ found: Value?) -> Bool { wanted == nil || wanted == found }
        return entry.original.source.family == family && fits(transport?.number, entry.original.protocolNumber)
            && fits(originalDestination, entry.original.destination)
            && fits(originalDestinationPort, entry.original.destinationPort)
            && fits(replySource, entry.reply.source) && fits(replySourcePort, entry.reply.sourcePort)
            && fits(zone, entry.zone)
    }

    /// Asks for the connections, as far as the kernel can be told which (Linux 5.8); an older one tells all.
    package var query: Request {
        let original = Side(destination: originalDestination, destinationPort: originalDestinationPort)
        let reply = Side(source: replySource, sourcePort: replySourcePort)
        return ConnectionEntry.queryAll(family) { builder in
            let sides = [
                (CTA_TUPLE_ORIG, CTA_FILTER_ORIG_FLAGS, original), (CTA_TUPLE_REPLY, CTA_FILTER_REPLY_FLAGS, reply),
            ]
            if sides.allSatisfy({ $0.2.flags(transport).isEmpty }) { return }
            for (tuple, _, side) in sides { builder.nested(tuple) { side.append(transport, family, to: &$0) } }
            builder.nested(CTA_FILTER) {
                for (_, type, side) in sides { $0.attribute(type, side.flags(transport).rawValue) }
            }
        }
    }

    /// One direction of a connection, as far as it is known.
    private struct Side {
        var source: IPAddress?
        var destination: IPAddress?
        var sourcePort: UInt16?
        var destinationPort: UInt16?

        /// What the kernel is to look at. It knows no ports without a protocol.
        func flags(_ transport: TransportProtocol?) -> Flags {
            var flags: Flags = []
            if source != nil { flags.insert(.source) }
            if destination != nil { flags.insert(.destination) }
            guard transport != nil else { return flags }
            flags.insert(.protocolNumber)
            if sourcePort != nil { flags.insert(.sourcePort) }
            if destinationPort != nil { flags.insert(.destinationPort) }
            return flags
        }

        func append(_ transport: TransportProtocol?, _ family: IPAddress.Family, to builder: inout MessageBuilder) {
            if source != nil || destination != nil {
                builder.nested(CTA_TUPLE_IP) {
                    if let source { $0.attribute(family == .ipv4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, source) }
                    if let destination { $0.attribute(family == .ipv4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, destination) }
                }
            }
            guard let transport else { return }
            builder.nested(CTA_TUPLE_PROTO) {
                $0.attribute(CTA_PROTO_NUM, transport.number)
                if let sourcePort { $0.networkOrder(CTA_PROTO_SRC_PORT, sourcePort) }
                if let destinationPort { $0.networkOrder(CTA_PROTO_DST_PORT, destinationPort) }
            }
        }
    }

    /// `CTA_FILTER_F_…`.
    private struct Flags: OptionSet {
        let rawValue: UInt32
        static let source = Flags(rawValue: 1)
        static let destination = Flags(rawValue: 2)
        static let protocolNumber = Flags(rawValue: 8)
        static let sourcePort = Flags(rawValue: 16)
        static let destinationPort = Flags(rawValue: 32)
    }
}

extension NetfilterSocket {
    /// The tracked connections that the filter means.
    package func connections(_ filter: ConnectionFilter) throws(NetlinkError) -> [ConnectionEntry] {
        let found: [ConnectionEntry]
        do throws(NetlinkError) {
            found = try connections(filter.query)
        } catch {
            // A kernel that knows the question, but not all of it.
            guard [.invalidArgument, .notSupported].contains(error.errno) else { throw error }
            found = try connections(ConnectionEntry.queryAll(filter.family))
        }
        return found.filter(filter.matches)
    }

    private func connections(_ request: Request) throws(NetlinkError) -> [ConnectionEntry] {
        try socket.answers(to: request) { (message) throws(Errno) in try ConnectionEntry(payload: message.payload) }
    }

    /// How many connections are tracked.
    package func connectionCount() throws(NetlinkError) -> Int {
        let request = ConnectionEntry.count
        let counts = try socket.answers(to: request) { (message) throws(Errno) -> UInt32? in
            try FirewallMessage.read(message.payload).attributes.networkOrder(CTA_STATS_GLOBAL_ENTRIES)
        }
        guard let count = counts.first else { throw NetlinkError(.badMessage, request.description) }
        return Int(count)
    }

    /// Forgets the tracked connections that the filter means.
    ///
    /// - Returns: How many there were.
    @discardableResult
    package func forget(_ filter: ConnectionFilter) throws(NetlinkError) -> Int {
        let found = try connections(filter)
        for entry in found {
            do throws(NetlinkError) {
                try socket.perform(entry.removal)
            } catch {
                // It ended meanwhile.
                if error.errno != .noSuchFileOrDirectory { throw error }
            }
        }
        return found.count
    }
}
