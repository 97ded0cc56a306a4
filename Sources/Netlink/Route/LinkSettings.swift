import Addresses
import CLinux
import Glibc
import SystemPackage

/// What a link is set to; what is `nil` stays as it is.
package struct LinkSettings: Sendable {
    /// Its name in its network namespace: at most 15 bytes.
    package var name: String?
    /// Whether it takes part in traffic.
    package var isUp: Bool?
    /// The number of the bridge or other link that it is a port of; 0 for none.
    package var master: Int32?
    /// The largest packet in bytes.
    package var mtu: UInt32?
    /// The hardware's address.
    package var address: MACAddress?
    /// A text for people and programs, of up to 255 bytes; empty for none.
    package var alias: String?
    /// A number by which many can be deleted at once.
    package var group: UInt32?
    /// Whether the kernel gives it a link-local address of IPv6 when it is switched on.
    package var hasLinkLocalAddress: Bool?
    /// The network namespace to move it into.
    package var namespace: FileDescriptor?

    /// Settings that change what is given.
    package init(
        name: String? = nil, isUp: Bool? = nil, master: Int32? = nil, mtu: UInt32? = nil, address: MACAddress? = nil,
        alias: String? = nil, group: UInt32? = nil, hasLinkLocalAddress: Bool? = nil, namespace: FileDescriptor? = nil
    ) {
        self.name = name
        self.isUp = isUp
        self.master = master
        self.mtu = mtu
        self.address = address
        self.alias = alias
        self.group = group
        self.hasLinkLocalAddress = hasLinkLocalAddress
        self.namespace = namespace
    }

    /// Appends all but the flags, which stand in the fixed part.
    func append(to builder: inout MessageBuilder) {
        if let name { builder.attribute(IFLA_IFNAME, name) }
        if let master { builder.attribute(IFLA_MASTER, master) }
        if let mtu { builder.attribute(IFLA_MTU, mtu) }
        if let address { builder.attribute(IFLA_ADDRESS, address.bytes) }
        // Without a null byte an empty one takes the alias away.
        if let alias { builder.attribute(IFLA_IFALIAS, Array(alias.utf8)) }
        if let group { builder.attribute(IFLA_GROUP, group) }
        if let namespace { builder.attribute(IFLA_NET_NS_FD, namespace.rawValue) }
        if let hasLinkLocalAddress {
            builder.nested(IFLA_AF_SPEC) {
                $0.nested(Int(AF_INET6)) {
                    let mode = hasLinkLocalAddress ? IN6_ADDR_GEN_MODE_EUI64 : IN6_ADDR_GEN_MODE_NONE
                    $0.attribute(IFLA_INET6_ADDR_GEN_MODE, UInt8(mode.rawValue))
                }
            }
        }
    }
}

/// How a port of a bridge behaves; what is `nil` stays as it is.
package struct BridgePortSettings: Hashable, Sendable {
    /// Whether it can talk to no other isolated port.
    package var isIsolated: Bool?
    /// Whether a packet may leave where it came in.
    package var isHairpin: Bool?
    /// Whether the bridge answers questions for neighbours that it knows itself.
    package var suppressesNeighbours: Bool?
    /// Whether packets to groups go out of it that nobody has asked for.
    package var floodsMulticast: Bool?
    /// Whether packets to all go out of it.
    package var floodsBroadcast: Bool?
    /// Whether packets to unknown addresses go out of it.
    package var floodsUnicast: Bool?
    /// Whether the bridge remembers the senders of what comes in.
    package var learns: Bool?

    /// Settings that change what is given.
    package init(
        isIsolated: Bool? = nil, isHairpin: Bool? = nil, suppressesNeighbours: Bool? = nil,
        floodsMulticast: Bool? = nil, floodsBroadcast: Bool? = nil, floodsUnicast: Bool? = nil, learns: Bool? = nil
    ) {
        self.isIsolated = isIsolated
        self.isHairpin = isHairpin
        self.suppressesNeighbours = suppressesNeighbours
        self.floodsMulticast = floodsMulticast
        self.floodsBroadcast = floodsBroadcast
        self.floodsUnicast = floodsUnicast
        self.learns = learns
    }

    /// Reads `IFLA_INFO_SLAVE_DATA` of a bridge's port.
    init(_ attributes: Attributes) throws(Errno) {
        for (type, field) in Self.fields { self[keyPath: field] = try attributes.truth(type) }
    }

    func append(to builder: inout MessageBuilder) {
        for (type, field) in Self.fields {
            if let value = self[keyPath: field] { builder.attribute(type, UInt8(value ? 1 : 0)) }
        }
    }

    private static var fields: [(Int, WritableKeyPath<BridgePortSettings, Bool?>)] {
        [
            (IFLA_BRPORT_ISOLATED, \.isIsolated), (IFLA_BRPORT_MODE, \.isHairpin),
            (IFLA_BRPORT_NEIGH_SUPPRESS, \.suppressesNeighbours), (IFLA_BRPORT_MCAST_FLOOD, \.floodsMulticast),
            (IFLA_BRPORT_BCAST_FLOOD, \.floodsBroadcast), (IFLA_BRPORT_UNICAST_FLOOD, \.floodsUnicast),
            (IFLA_BRPORT_LEARNING, \.learns),
        ]
    }
}
