import CLinux
import SystemPackage

/// A network interface; rtnetlink(7), `RTM_NEWLINK`.
package struct Link: Hashable, Sendable {
    /// Its number in its network namespace.
    package var index: Int32
    /// `IFF_…`.
    package var flags: UInt32
    /// Its name in its network namespace.
    package var name: String
    /// The largest packet in bytes.
    package var mtu: UInt32
    /// The hardware's address.
    package var address: [UInt8]

    /// Whether it takes part in traffic, as far as people decide that (`IFF_UP`).
    package var isUp: Bool { flags & Self.up != 0 }

    private static let up: UInt32 = 1

    /// Reads the payload of an `RTM_NEWLINK`.
    package init(payload: ArraySlice<UInt8>) throws(Errno) {
        var reader = ByteReader(payload)
        // Family, padding, kind of hardware.
        _ = try reader.take(4)
        index = try reader.number()
        flags = try reader.number()
        // Which flags a change is about.
        _ = try reader.take(4)
        let attributes = try Attributes(reader.remainder)
        name = attributes.text(UInt16(IFLA_IFNAME)) ?? ""
        mtu = try attributes.number(UInt16(IFLA_MTU)) ?? 0
        address = attributes[UInt16(IFLA_ADDRESS)] ?? []
    }

    // MARK: Requests

    /// Asks for the interface called `name`.
    package static func query(name: String, sequence: UInt32) -> [UInt8] {
        var builder = request(RTM_GETLINK, NLM_F_REQUEST, sequence, index: 0)
        builder.attribute(UInt16(IFLA_IFNAME), name)
        return builder.message
    }

    /// Asks for all interfaces.
    package static func queryAll(sequence: UInt32) -> [UInt8] {
        request(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, sequence, index: 0).message
    }

    /// Switches the interface number `index` on or off.
    package static func setUp(_ isUp: Bool, index: Int32, sequence: UInt32) -> [UInt8] {
        request(
            RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, sequence, index: index, flags: isUp ? up : 0, change: up
        ).message
    }

    /// Moves the interface number `index` into the network namespace that the descriptor `namespace` refers to, and
    /// calls it `name` there: in one step, so that it never has the name of another interface.
    package static func move(index: Int32, to namespace: Int32, name: String, sequence: UInt32) -> [UInt8] {
        var builder = request(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, sequence, index: index)
        builder.attribute(UInt16(IFLA_IFNAME), name)
        builder.attribute(UInt16(IFLA_NET_NS_FD), namespace)
        return builder.message
    }

    private static func request(
        _ type: Int, _ flags: Int32, _ sequence: UInt32, index: Int32, flags linkFlags: UInt32 = 0, change: UInt32 = 0
    ) -> MessageBuilder {
        var builder = MessageBuilder(type: UInt16(type), flags: UInt16(flags), sequence: sequence)
        // No family in particular, padding, no kind of hardware.
        builder.append(UInt32(0))
        builder.append(index)
        builder.append(linkFlags)
        builder.append(change)
        return builder
    }
}
