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
    package var local: [UInt8]?
    /// The address, or on a point-to-point link the other side's.
    package var address: [UInt8]?
    /// The broadcast address (IPv4).
    package var broadcast: [UInt8]?

    /// Whether the address is permanent: set by a program, and not by the kernel for a time.
    package var isPermanent: Bool { flags & UInt32(IFA_F_PERMANENT) != 0 }

    /// Whether it means the same everywhere (`RT_SCOPE_UNIVERSE`).
    package var isGlobal: Bool { scope == 0 }

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
        flags = try attributes.number(UInt16(IFA_FLAGS)) ?? UInt32(lowFlags)
        local = attributes[UInt16(IFA_LOCAL)]
        address = attributes[UInt16(IFA_ADDRESS)]
        broadcast = attributes[UInt16(IFA_BROADCAST)]
    }

    // MARK: Requests

    /// Asks for the addresses of all interfaces.
    package static func queryAll(sequence: UInt32) -> [UInt8] {
        var builder = MessageBuilder(
            type: UInt16(RTM_GETADDR), flags: UInt16(NLM_F_REQUEST | NLM_F_DUMP), sequence: sequence)
        // Any family, and nothing else in particular.
        builder.append(UInt32(0))
        builder.append(Int32(0))
        return builder.message
    }

    /// Adds this address to the interface number `index`.
    package func addition(to index: Int32, sequence: UInt32) -> [UInt8] {
        var builder = MessageBuilder(
            type: UInt16(RTM_NEWADDR), flags: UInt16(NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL),
            sequence: sequence)
        builder.append(family)
        builder.append(prefixLength)
        builder.append(UInt8(0))
        builder.append(scope)
        builder.append(index)
        if let local { builder.attribute(UInt16(IFA_LOCAL), local) }
        if let address { builder.attribute(UInt16(IFA_ADDRESS), address) }
        if let broadcast { builder.attribute(UInt16(IFA_BROADCAST), broadcast) }
        // The others say how the address fares, which is the kernel's to find out.
        let settable = flags & UInt32(IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN)
        if settable != 0 { builder.attribute(UInt16(IFA_FLAGS), settable) }
        return builder.message
    }
}

extension InterfaceAddress: CustomStringConvertible {
    package var description: String {
        let bytes = local ?? address ?? []
        guard bytes.count == 16 else {
            return bytes.map { "\($0)" }.joined(separator: ".") + "/\(prefixLength)"
        }
        let groups = stride(from: 0, to: 16, by: 2).map {
            String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16)
        }
        return groups.joined(separator: ":") + "/\(prefixLength)"
    }
}
