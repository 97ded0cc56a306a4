import Addresses
import CLinux
import Glibc
import SystemPackage

/// A socket of IP that is bound to an address and port, of any process; sock_diag(7).
package struct BoundSocket: Hashable, Sendable {
    /// TCP, UDP or SCTP.
    package var transport: TransportProtocol
    /// Its own address; `0.0.0.0` or `::` for all addresses.
    package var address: IPAddress
    /// Its own port.
    package var port: UInt16
    /// The number of the interface that it is bound to; `nil` for all.
    package var interface: Int32?
    /// Whether it waits for connections, or, of UDP, whether anybody may send to it.
    package var isListening: Bool
    /// Whose it is.
    package var userID: UInt32
    /// Which it is among the files of all processes: `socket:[inode]`.
    package var inode: UInt32
    /// Whether a socket of IPv6 leaves packets of IPv4 to others; `nil` of IPv4, or if the kernel does not say.
    package var isIPv6Only: Bool?

    /// Whether nobody else can listen at this address and port.
    package func holds(_ address: IPAddress, port: UInt16) -> Bool {
        if !isListening || self.port != port { return false }
        if self.address == address { return true }
        if self.address.isUnspecified {
            return self.address.family == address.family || (self.address.isIPv6 && isIPv6Only != true)
        }
        if address.isUnspecified { return self.address.family == address.family || address.isIPv6 }
        // An address of IPv4 in the form of IPv6.
        return self.address.isIPv6 && !address.isIPv6 && self.address.number == 0xFFFF << 32 | address.number
    }

    /// Reads the payload of a `SOCK_DIAG_BY_FAMILY`; `nil` if it is not of IP.
    package init?(payload: ArraySlice<UInt8>, _ transport: TransportProtocol) throws(Errno) {
        var reader = ByteReader(payload)
        let number = try reader.number(UInt8.self)
        let state = try reader.number(UInt8.self)
        // Timer and retransmissions.
        _ = try reader.take(2)
        port = try reader.networkOrder()
        let peerPort: UInt16 = try reader.networkOrder()
        let bytes = try reader.take(16)
        // The other side's address.
        _ = try reader.take(16)
        let index = try reader.number(Int32.self)
        // Cookie, time, lengths of queues.
        _ = try reader.take(20)
        userID = try reader.number()
        inode = try reader.number()
        guard let family = IPAddress.Family(number: number),
            let address = IPAddress(bytes: bytes.prefix(family.bits / 8))
        else { return nil }
        self.transport = transport
        self.address = address
        interface = index == 0 ? nil : index
        isListening = transport == .udp ? peerPort == 0 : state == Self.listening
        isIPv6Only = try Attributes(reader.remainder).truth(Int(INET_DIAG_SKV6ONLY))
    }

    /// Asks for the sockets of one kind and family, at one port if it is not 0.
    package static func query(_ transport: TransportProtocol, _ family: IPAddress.Family, port: UInt16 = 0) -> Request {
        Request(
            "list the sockets of \(transport)", type: SOCK_DIAG_BY_FAMILY, flags: Request.dump
        ) {
            $0.append(family.number)
            $0.append(transport.number)
            // No extensions, padding, all states.
            $0.append(UInt16(0))
            $0.append(UInt32.max)
            $0.append(port.bigEndian)
            $0.append(UInt16(0))
            // No addresses, interface or cookie.
            $0.append(bytes: Array(repeating: 0, count: 44))
        }
    }

    /// `TCP_LISTEN`.
    private static let listening: UInt8 = 10
}

/// A connection to the kernel's family of netlink that tells of sockets, in one network namespace.
package struct DiagnosisSocket: Sendable {
    private let socket: NetlinkSocket

    /// A connection in the calling thread's network namespace.
    package init() throws(NetlinkError) {
        socket = try NetlinkSocket(.socketDiagnosis)
    }

    private init(_ socket: NetlinkSocket) {
        self.socket = socket
    }

    /// A connection in the network namespace that `namespace` refers to, which the calling thread enters for a moment.
    package static func opened(in namespace: FileDescriptor) throws(NetlinkError) -> DiagnosisSocket {
        DiagnosisSocket(try NetlinkSocket.opened(.socketDiagnosis, in: namespace))
    }

    /// The sockets of one kind and both families, at one port if it is not 0.
    package func sockets(_ transport: TransportProtocol, port: UInt16 = 0) throws(NetlinkError) -> [BoundSocket] {
        var sockets: [BoundSocket] = []
        for family in IPAddress.Family.allCases {
            do throws(NetlinkError) {
                sockets += try socket.answers(
                    to: BoundSocket.query(transport, family, port: port)
                ) { (message) throws(Errno) in try BoundSocket(payload: message.payload, transport) }
                // Not all kinds look at the port that is asked for.
                .filter { port == 0 || $0.port == port }
            } catch {
                // A kernel without this kind of sockets, or without a word about them.
                if error.errno != .noSuchFileOrDirectory && error.errno != .notSupported { throw error }
            }
        }
        return sockets
    }

    /// The sockets because of which nobody else can listen at this address and port.
    package func holders(
        of address: IPAddress, port: UInt16, _ transport: TransportProtocol
    ) throws(NetlinkError) -> [BoundSocket] {
        try sockets(transport, port: port).filter { $0.holds(address, port: port) }
    }
}
