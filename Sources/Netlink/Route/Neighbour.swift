import Addresses
import CLinux
import Glibc
import SystemPackage

/// Which hardware address an IP address on a link has; rtnetlink(7), `RTM_NEWNEIGH`.
package struct Neighbour: Hashable, Sendable {
    /// The IP address.
    package var address: IPAddress
    /// `nil` as long as nobody knows it.
    package var hardwareAddress: MACAddress?
    /// The number of the interface that it is reached by.
    package var interface: Int32
    /// `NUD_…`.
    package var state: UInt16

    /// Whether it stays, whatever the network says.
    package var isPermanent: Bool { state & UInt16(NUD_PERMANENT) != 0 }

    /// A permanent one.
    package init(_ address: IPAddress, at hardwareAddress: MACAddress, interface: Int32) {
        self.address = address
        self.hardwareAddress = hardwareAddress
        self.interface = interface
        state = UInt16(NUD_PERMANENT)
    }

    /// Reads the payload of an `RTM_NEWNEIGH`; `nil` if it is not of IP.
    package init?(payload: ArraySlice<UInt8>) throws(Errno) {
        let entry = try NeighbourEntry(payload)
        guard IPAddress.Family(number: entry.family) != nil, let address = entry.attributes.address(NDA_DST) else {
            return nil
        }
        self.address = address
        hardwareAddress = entry.hardwareAddress
        interface = entry.interface
        state = entry.state
    }

    /// Adds this one, or puts it in the place of what is known about the address.
    package var replacement: Request { request("set", RTM_NEWNEIGH, Request.createOrReplace) }

    /// Deletes what is known about the address.
    package var removal: Request { request("delete", RTM_DELNEIGH, 0) }

    private func request(_ verb: String, _ type: Int, _ flags: Int32) -> Request {
        Request("\(verb) the neighbour \(address)", type: type, flags: flags) {
            NeighbourEntry.appendHeader(
                family: address.family.number, interface: interface, state: state, to: &$0)
            $0.attribute(NDA_DST, address)
            if let hardwareAddress { $0.attribute(NDA_LLADDR, hardwareAddress.bytes) }
        }
    }

    /// Asks for all neighbours of a family, or those of the interface with this number.
    package static func queryAll(_ family: IPAddress.Family, of interface: Int32? = nil) -> Request {
        Request("list the neighbours", type: RTM_GETNEIGH, flags: Request.dump) {
            NeighbourEntry.appendHeader(family: family.number, to: &$0)
            if let interface { $0.attribute(NDA_IFINDEX, interface) }
        }
    }
}

/// Which port of a bridge leads to a hardware address; bridge(8), `RTM_NEWNEIGH` of the family `AF_BRIDGE`.
package struct ForwardingEntry: Hashable, Sendable {
    /// The address that the port leads to.
    package var hardwareAddress: MACAddress
    /// The number of the port.
    package var port: Int32
    /// The number of the bridge; `nil` of what the port itself receives.
    package var bridge: Int32?
    /// `NUD_…`.
    package var state: UInt16

    /// Whether it stays, even if the address is seen at another port.
    package var isStatic: Bool { state & UInt16(NUD_NOARP | NUD_PERMANENT) != 0 }

    /// Whether it is an address of the machine itself.
    package var isLocal: Bool { state & UInt16(NUD_PERMANENT) != 0 }

    /// A static one, of the bridge that the link number `port` is a port of.
    package init(_ hardwareAddress: MACAddress, port: Int32) {
        self.hardwareAddress = hardwareAddress
        self.port = port
        state = UInt16(NUD_NOARP)
    }

    /// Reads the payload of an `RTM_NEWNEIGH`; `nil` if it is not of a bridge.
    package init?(payload: ArraySlice<UInt8>) throws(Errno) {
        let entry = try NeighbourEntry(payload)
        guard Int32(entry.family) == AF_BRIDGE, let hardwareAddress = entry.hardwareAddress else { return nil }
        self.hardwareAddress = hardwareAddress
        port = entry.interface
        bridge = try entry.attributes.number(NDA_MASTER)
        state = entry.state
    }

    /// Adds this one, or puts it in the place of what the bridge knows about the address.
    package var replacement: Request { request("set", RTM_NEWNEIGH, Request.createOrReplace) }

    /// Deletes what the bridge knows about the address.
    package var removal: Request { request("delete", RTM_DELNEIGH, 0) }

    private func request(_ verb: String, _ type: Int, _ flags: Int32) -> Request {
        Request("\(verb) the bridge's entry for \(hardwareAddress)", type: type, flags: flags) {
            NeighbourEntry.appendHeader(
                family: UInt8(AF_BRIDGE), interface: port, state: state, flags: UInt8(NTF_MASTER), to: &$0)
            $0.attribute(NDA_LLADDR, hardwareAddress.bytes)
        }
    }

    /// Asks for the entries of the bridge number `bridge`.
    package static func queryAll(of bridge: Int32) -> Request {
        Request("list the entries of the bridge number \(bridge)", type: RTM_GETNEIGH, flags: Request.dump) {
            NeighbourEntry.appendHeader(family: UInt8(AF_BRIDGE), to: &$0)
            $0.attribute(NDA_MASTER, bridge)
        }
    }
}

/// What neighbours and entries of bridges have in common: a `struct ndmsg` and attributes.
private struct NeighbourEntry {
    let family: UInt8
    let interface: Int32
    let state: UInt16
    let attributes: Attributes

    var hardwareAddress: MACAddress? { attributes[NDA_LLADDR].flatMap { MACAddress(bytes: $0) } }

    init(_ payload: ArraySlice<UInt8>) throws(Errno) {
        var reader = ByteReader(payload)
        family = try reader.number()
        _ = try reader.take(3)
        interface = try reader.number()
        state = try reader.number()
        // Flags and type.
        _ = try reader.take(2)
        attributes = try Attributes(reader.remainder)
    }

    static func appendHeader(
        family: UInt8, interface: Int32 = 0, state: UInt16 = 0, flags: UInt8 = 0, to builder: inout MessageBuilder
    ) {
        builder.append(family)
        builder.append(UInt8(0))
        builder.append(UInt16(0))
        builder.append(interface)
        builder.append(state)
        builder.append(flags)
        builder.append(UInt8(0))
    }
}
