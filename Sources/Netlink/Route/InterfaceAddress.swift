import Addresses
import CLinux
import SystemPackage

/// An address of a network interface; rtnetlink(7), `RTM_NEWADDR`.
package struct InterfaceAddress: Hashable, Sendable {
    /// `AF_INET` or `AF_INET6`.
    package var family: UInt8
    /// How many bits of it are the network's.
    package var prefixLength: UInt8
    /// `IFA_F_…`.
    package var flags: UInt32
    /// Where it means something (`RT_SCOPE_…`).
    package var scope: UInt8
    /// The interface's number.
    package var index: Int32
    /// This side's address; `nil` where it is `address`, which is how the kernel tells IPv6.
    package var local: IPAddress?
    /// The address, or on a point-to-point link the other side's.
    package var address: IPAddress?
    /// The broadcast address (IPv4).
    package var broadcast: IPAddress?

    /// The address with the length of its prefix; `nil` of a family that is not IP's.
    package var interface: IPInterface? {
        (local ?? address).flatMap { IPInterface($0, prefixLength: Int(prefixLength)) }
    }

    /// Whether the address is permanent: set by a program, and not by the kernel for a time.
    package var isPermanent: Bool { flags & UInt32(IFA_F_PERMANENT) != 0 }

    /// Whether it means the same everywhere (`RT_SCOPE_UNIVERSE`).
    package var isGlobal: Bool { scope == 0 }

    /// A permanent address as an interface is given it.
    ///
    /// - Parameters:
    ///   - checksDuplicates: Whether the kernel asks the network first if somebody else has it, which takes a second in
    ///     which it cannot be used (IPv6).
    ///   - makesRoute: Whether the kernel makes a route for the network that the address is of.
    package init(_ interface: IPInterface, checksDuplicates: Bool = true, makesRoute: Bool = true) {
        family = interface.address.family.number
        prefixLength = UInt8(interface.subnet.prefixLength)
        flags = UInt32((checksDuplicates ? 0 : IFA_F_NODAD) | (makesRoute ? 0 : IFA_F_NOPREFIXROUTE))
        scope = interface.address.isLoopback ? UInt8(RT_SCOPE_HOST.rawValue) : 0
        if interface.address.family == .ipv6, interface.address.isLinkLocal { scope = UInt8(RT_SCOPE_LINK.rawValue) }
        index = 0
        local = interface.address
        address = local
        // A network of one or two addresses has none for all (RFC 3021).
        let hasBroadcast = interface.address.family == .ipv4 && prefixLength < 31
        broadcast = hasBroadcast ? interface.subnet.lastAddress : nil
    }

    /// Reads the payload of an `RTM_NEWADDR`.
    package init(payload: ArraySlice<UInt8>) throws(Errno) {
        var reader = ByteReader(payload)
        family = try reader.number()
        prefixLength = try reader.number()
        let lowFlags = try reader.number(UInt8.self)
        scope = try reader.number()
        index = try reader.number()
        let attributes = try Attributes(reader.remainder)
        // The old field has room for eight of them only.
        flags = try attributes.number(IFA_FLAGS) ?? UInt32(lowFlags)
        local = attributes.address(IFA_LOCAL)
        address = attributes.address(IFA_ADDRESS)
        broadcast = attributes.address(IFA_BROADCAST)
    }

    // MARK: Requests

    /// Asks for the addresses of all interfaces, or of the one with this number.
    package static func queryAll(of index: Int32 = 0) -> Request {
        Request("list the addresses", type: RTM_GETADDR, flags: Request.dump) {
            // Any family, and nothing else in particular.
            $0.append(UInt32(0))
            $0.append(index)
        }
    }

    /// Adds this address to the interface number `index`.
    package func addition(to index: Int32) -> Request {
        request("add the address \(self) to the interface number \(index)", RTM_NEWADDR, Request.create, index)
    }

    /// Takes this address from the interface number `index`.
    package func removal(from index: Int32) -> Request {
        request("remove the address \(self) of the interface number \(index)", RTM_DELADDR, 0, index)
    }

    private func request(_ what: String, _ type: Int, _ flags: Int32, _ index: Int32) -> Request {
        Request(what, type: type, flags: flags) {
            $0.append(family)
            $0.append(prefixLength)
            $0.append(UInt8(0))
            $0.append(scope)
            $0.append(index)
            if let local { $0.attribute(IFA_LOCAL, local) }
            if let address { $0.attribute(IFA_ADDRESS, address) }
            if let broadcast { $0.attribute(IFA_BROADCAST, broadcast) }
            // The others say how the address fares, which is the kernel's to find out.
            let settable = self.flags & UInt32(IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN)
            if settable != 0 { $0.attribute(IFA_FLAGS, settable) }
        }
    }
}

extension InterfaceAddress: CustomStringConvertible {
    package var description: String {
        ((local ?? address).map { "\($0)" } ?? "?") + "/\(prefixLength)"
    }
}
