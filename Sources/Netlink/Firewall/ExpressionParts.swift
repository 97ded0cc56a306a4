import CLinux

/// What a rule can ask about a packet that does not stand in it (`NFT_META_…`).
package struct MetaKey: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// How many bytes the packet has.
    package static let length = MetaKey(rawValue: 0)
    /// The EtherType.
    package static let protocolNumber = MetaKey(rawValue: 1)
    /// The number that the packet carries while it is inside the kernel.
    package static let mark = MetaKey(rawValue: 3)
    /// The number of the interface that it came by.
    package static let inputInterfaceIndex = MetaKey(rawValue: 4)
    /// The number of the interface that it goes by.
    package static let outputInterfaceIndex = MetaKey(rawValue: 5)
    /// The name of the interface that it came by.
    package static let inputInterfaceName = MetaKey(rawValue: 6)
    /// The name of the interface that it goes by.
    package static let outputInterfaceName = MetaKey(rawValue: 7)
    /// Whose process sent it.
    package static let userID = MetaKey(rawValue: 10)
    /// IPv4 or IPv6, by the number of its address family.
    package static let networkProtocol = MetaKey(rawValue: 15)
    /// The protocol in the header of IP.
    package static let transportProtocol = MetaKey(rawValue: 16)
    /// Whether it is for this machine, for all or for a group.
    package static let packetKind = MetaKey(rawValue: 19)
}

/// What a rule can ask about a packet's connection (`NFT_CT_…`).
package struct ConnectionKey: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// A `ConnectionState`.
    package static let state = ConnectionKey(rawValue: 0)
    /// Whether the packet goes as the first one went, or back.
    package static let direction = ConnectionKey(rawValue: 1)
    /// A `ConnectionStatus`.
    package static let status = ConnectionKey(rawValue: 2)
    /// The number that the connection carries.
    package static let mark = ConnectionKey(rawValue: 3)
    /// Where packets come from, of either family.
    package static let source = ConnectionKey(rawValue: 8)
    /// Where packets go, of either family.
    package static let destination = ConnectionKey(rawValue: 9)
    /// The protocol in the header of IP.
    package static let transportProtocol = ConnectionKey(rawValue: 10)
    /// The port that packets come from.
    package static let sourcePort = ConnectionKey(rawValue: 11)
    /// The port that packets go to.
    package static let destinationPort = ConnectionKey(rawValue: 12)
    /// The zone.
    package static let zone = ConnectionKey(rawValue: 17)
    /// Where packets come from.
    package static let sourceIPv4 = ConnectionKey(rawValue: 19)
    /// Where packets go.
    package static let destinationIPv4 = ConnectionKey(rawValue: 20)
    /// Where packets come from.
    package static let sourceIPv6 = ConnectionKey(rawValue: 21)
    /// Where packets go.
    package static let destinationIPv6 = ConnectionKey(rawValue: 22)

    /// Which side's view of the connection is meant.
    package enum Direction: UInt8, Hashable, Sendable {
        case original, reply
    }
}

/// Bits of a connection's state, as `ConnectionKey.state` has them.
package struct ConnectionState: OptionSet, Hashable, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// The packet fits to no connection.
    package static let invalid = ConnectionState(rawValue: 1)
    /// There were packets in both directions.
    package static let established = ConnectionState(rawValue: 2)
    /// Another connection has caused it.
    package static let related = ConnectionState(rawValue: 4)
    /// There were packets in one direction only.
    package static let new = ConnectionState(rawValue: 8)
    /// Nobody looks at its connection.
    package static let untracked = ConnectionState(rawValue: 64)
}

/// Bits of a connection's status, as `ConnectionKey.status` has them (`IPS_…`).
package struct ConnectionStatus: OptionSet, Hashable, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// There were packets in both directions.
    package static let seenReply = ConnectionStatus(rawValue: 2)
    /// It stays when there is no room for more.
    package static let assured = ConnectionStatus(rawValue: 4)
    /// Its first packet has left the machine.
    package static let confirmed = ConnectionStatus(rawValue: 8)
    /// Its source is translated.
    package static let sourceNAT = ConnectionStatus(rawValue: 0x10)
    /// Its destination is translated: a published port.
    package static let destinationNAT = ConnectionStatus(rawValue: 0x20)
    /// It is about to be forgotten.
    package static let dying = ConnectionStatus(rawValue: 0x200)
}

/// Some bytes of a packet.
package struct PayloadField: Hashable, Sendable {
    /// From where the offset counts (`NFT_PAYLOAD_…`).
    package enum Base: UInt32, Hashable, Sendable {
        case link, network, transport, inner
    }

    /// From where the offset counts.
    package var base: Base
    /// How many bytes are before them.
    package var offset: UInt32
    /// How many they are.
    package var length: UInt32

    /// So many bytes behind so many others.
    package init(_ base: Base, offset: UInt32, length: UInt32) {
        self.base = base
        self.offset = offset
        self.length = length
    }
}

/// Which checksum goes with a changed packet.
package struct PayloadChecksum: Hashable, Sendable {
    /// Where it stands, from the same base as the changed bytes.
    package var offset: UInt32
    /// Whether the changed bytes are also in the checksum of the transport's header, as addresses are.
    package var changesTransport: Bool

    /// A checksum of two bytes.
    package init(offset: UInt32, changesTransport: Bool = false) {
        self.offset = offset
        self.changesTransport = changesTransport
    }
}

/// How two values are compared (`NFT_CMP_…`).
package enum Comparison: UInt32, Hashable, Sendable {
    case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual
}

/// What is looked up in the table of routes (`NFT_FIB_RESULT_…`).
package enum RouteLookup: UInt32, Hashable, Sendable {
    case interfaceIndex = 1, interfaceName, addressKind

    /// By what it is looked up (`NFTA_FIB_F_…`).
    package struct Inputs: OptionSet, Hashable, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }

        /// Of the packet.
        package static let source = Inputs(rawValue: 1)
        /// Of the packet.
        package static let destination = Inputs(rawValue: 2)
        /// The mark as well.
        package static let mark = Inputs(rawValue: 4)
        /// The interface that it came by as well.
        package static let inputInterface = Inputs(rawValue: 8)
        /// The interface that it goes by as well.
        package static let outputInterface = Inputs(rawValue: 16)
        /// Only whether there is a route.
        package static let presence = Inputs(rawValue: 32)
    }
}

/// How addresses are translated.
package struct AddressTranslation: Hashable, Sendable {
    /// Which of a packet's addresses (`NFT_NAT_…`).
    package enum Side: UInt32, Hashable, Sendable {
        case source, destination
    }

    /// Which of a packet's addresses.
    package var side: Side
    /// Packets of the other family pass unchanged.
    package var family: FirewallFamily
    /// Where the new address stands, or the first of several.
    package var address: Register?
    /// Where the last of several new addresses stands.
    package var lastAddress: Register?
    /// Where the new port stands, or the first of several.
    package var port: Register?
    /// Where the last of several new ports stands.
    package var lastPort: Register?
    /// How a port or address is chosen where there are several.
    package var options: Options

    /// How a port or address is chosen where there are several (`NF_NAT_RANGE_…`).
    package struct Options: OptionSet, Hashable, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }

        /// A port by chance.
        package static let random = Options(rawValue: 4)
        /// The same address for each client.
        package static let persistent = Options(rawValue: 8)
        /// A port by chance that nobody can guess.
        package static let fullyRandom = Options(rawValue: 16)

        /// Without those that say which registers are used.
        init(kernel number: UInt32) { rawValue = number & ~3 }
    }

    /// A translation to what stands in registers.
    package init(
        _ side: Side, _ family: FirewallFamily, address: Register?, lastAddress: Register? = nil,
        port: Register? = nil, lastPort: Register? = nil, options: Options = []
    ) {
        self.side = side
        self.family = family
        self.address = address
        self.lastAddress = lastAddress
        self.port = port
        self.lastPort = lastPort
        self.options = options
    }
}

/// How often a rule applies.
package struct RateLimit: Hashable, Sendable {
    /// How many packets or bytes in so many seconds.
    package var rate: UInt64
    /// In how many seconds.
    package var seconds: UInt64
    /// How many more at once.
    package var burst: UInt32
    /// Whether bytes are counted, and not packets.
    package var countsBytes: Bool
    /// Whether the rule applies to what is beyond the limit.
    package var isInverted: Bool

    /// A limit of packets, or of bytes.
    package init(
        _ rate: UInt64, seconds: UInt64 = 1, burst: UInt32 = 5, countsBytes: Bool = false, isInverted: Bool = false
    ) {
        self.rate = rate
        self.seconds = seconds
        self.burst = burst
        self.countsBytes = countsBytes
        self.isInverted = isInverted
    }
}

/// What the sender of a refused packet is told.
package enum Rejection: Hashable, Sendable {
    /// A packet of ICMP with this code, of the packet's family.
    case icmp(code: UInt8)
    /// The end of the connection (TCP).
    case reset
    /// A packet of ICMP for either family: 0 no route, 1 port unreachable, 2 host unreachable, 3 prohibited.
    case icmpOfAnyFamily(code: UInt8)
}

/// What is asked about the socket that a packet is for (`NFT_SOCKET_…`).
package enum SocketKey: UInt32, Hashable, Sendable {
    case isTransparent, mark, isWildcard, controlGroup
}

/// An extension of iptables in a rule that iptables-nft made.
package struct TablesExtension: Hashable, Sendable {
    /// By which iptables names it.
    package var name: String
    /// Which form `information` has.
    package var revision: UInt32
    /// A structure of its own.
    package var information: [UInt8]

    /// An extension with its own structure.
    package init(name: String, revision: UInt32, information: [UInt8]) {
        self.name = name
        self.revision = revision
        self.information = information
    }
}
