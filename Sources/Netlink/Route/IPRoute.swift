import Addresses
import CLinux
import SystemPackage

/// Where packets for some addresses go; rtnetlink(7), `RTM_NEWROUTE`.
package struct IPRoute: Hashable, Sendable {
    /// For which addresses it is; `0.0.0.0/0` and `::/0` are those that no other route is for.
    package var destination: IPSubnet
    /// The router; `nil` if the addresses are on the link itself.
    package var gateway: IPAddress?
    /// The number of the interface that packets leave by.
    package var interface: Int32?
    /// The address that packets of this machine have if their sender does not say.
    package var source: IPAddress?
    /// In which table it stands.
    package var table: UInt32
    /// Of several for the same addresses the one with the lowest counts.
    package var priority: UInt32?
    /// What becomes of packets.
    package var kind: Kind
    /// How far it leads.
    package var scope: Scope
    /// Who made it (`RTPROT_…`).
    package var origin: Origin
    /// The largest packet in bytes, where it is not the interface's.
    package var mtu: UInt32?
    /// Whether the gateway is taken to be on the link even if no route says so.
    package var isOnLink: Bool
    /// The ways of a route that has several; each with its weight.
    package var hops: [Hop]

    /// What becomes of packets (`RTN_…`).
    package enum Kind: UInt8, Hashable, Sendable {
        case unspecified, unicast, local, broadcast, anycast, multicast, blackhole, unreachable, prohibit
    }

    /// How far it leads (`RT_SCOPE_…`).
    package struct Scope: RawRepresentable, Hashable, Sendable {
        package var rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// Behind routers.
        package static let universe = Scope(rawValue: 0)
        /// On a link of this machine.
        package static let link = Scope(rawValue: 253)
        /// This machine.
        package static let host = Scope(rawValue: 254)
    }

    /// Who made a route (`RTPROT_…`).
    package struct Origin: RawRepresentable, Hashable, Sendable {
        package var rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// The kernel, for an address of an interface.
        package static let kernel = Origin(rawValue: 2)
        /// A program that did not say.
        package static let boot = Origin(rawValue: 3)
        /// A person, for good.
        package static let administrator = Origin(rawValue: 4)
    }

    /// One way of a route that has several.
    package struct Hop: Hashable, Sendable {
        /// The router.
        package var gateway: IPAddress?
        /// The number of the interface that packets leave by.
        package var interface: Int32
    }

    /// The table that the kernel looks into if no rule says otherwise.
    package static let mainTable: UInt32 = 254
    /// The table of the machine's own addresses.
    package static let localTable: UInt32 = 255

    /// A route; without a scope, with that which ip-route(8) would choose.
    package init(
        _ destination: IPSubnet, gateway: IPAddress? = nil, interface: Int32? = nil, source: IPAddress? = nil,
        table: UInt32 = IPRoute.mainTable, priority: UInt32? = nil, kind: Kind = .unicast, scope: Scope? = nil,
        origin: Origin = .boot, mtu: UInt32? = nil, isOnLink: Bool = false
    ) {
        self.destination = destination
        self.gateway = gateway
        self.interface = interface
        self.source = source
        self.table = table
        self.priority = priority
        self.kind = kind
        self.scope = scope ?? Self.scope(kind, gateway: gateway, destination.family)
        self.origin = origin
        self.mtu = mtu
        self.isOnLink = isOnLink
        hops = []
    }

    /// A route for all addresses that no other route is for.
    package static func standard(
        by gateway: IPAddress, interface: Int32? = nil, table: UInt32 = IPRoute.mainTable, mtu: UInt32? = nil
    ) -> IPRoute {
        IPRoute(IPSubnet.all(gateway.family), gateway: gateway, interface: interface, table: table, mtu: mtu)
    }

    /// Whether it is for all addresses that no other route is for.
    package var isDefault: Bool { destination.prefixLength == 0 && kind == .unicast }

    /// As ip-route(8) chooses it; IPv6 knows no scopes.
    private static func scope(_ kind: Kind, gateway: IPAddress?, _ family: IPAddress.Family) -> Scope {
        switch kind {
        case _ where family == .ipv6: .universe
        case .local: .host
        case .unicast where gateway == nil, .broadcast, .multicast, .anycast: .link
        default: .universe
        }
    }

    /// Reads the payload of an `RTM_NEWROUTE`; `nil` if it is not of IP, or a copy that the kernel made for one address
    /// and that is not what was asked for.
    package init?(payload: ArraySlice<UInt8>, isForOneAddress: Bool = false) throws(Errno) {
        var reader = ByteReader(payload)
        let number = try reader.number(UInt8.self)
        let length = try reader.number(UInt8.self)
        // Bits of the source, type of service.
        _ = try reader.take(2)
        let lowTable = try reader.number(UInt8.self)
        origin = Origin(rawValue: try reader.number())
        scope = Scope(rawValue: try reader.number())
        kind = Kind(rawValue: try reader.number()) ?? .unspecified
        let flags = try reader.number(UInt32.self)
        guard let family = IPAddress.Family(number: number),
            isForOneAddress || flags & UInt32(RTM_F_CLONED) == 0
        else { return nil }
        let attributes = try Attributes(reader.remainder)
        let address = attributes.address(RTA_DST) ?? .unspecified(family)
        guard address.family == family, let destination = IPSubnet(containing: address, prefixLength: Int(length))
        else { throw .badMessage }
        self.destination = destination
        gateway = attributes.address(RTA_GATEWAY)
        interface = try attributes.number(RTA_OIF)
        source = attributes.address(RTA_PREFSRC)
        table = try attributes.number(RTA_TABLE) ?? UInt32(lowTable)
        priority = try attributes.number(RTA_PRIORITY)
        mtu = try attributes.nested(RTA_METRICS)?.number(Int(RTAX_MTU))
        isOnLink = flags & UInt32(RTNH_F_ONLINK) != 0
        hops = try attributes[RTA_MULTIPATH].map { (bytes) throws(Errno) in try Self.hops(bytes) } ?? []
        // A route of IPv4 may lead to a router of IPv6.
        if gateway == nil, let other = attributes[RTA_VIA], other.count > 2 {
            gateway = IPAddress(bytes: other.dropFirst(2))
        }
    }

    /// Reads a sequence of `struct rtnexthop` with attributes.
    private static func hops(_ bytes: ArraySlice<UInt8>) throws(Errno) -> [Hop] {
        var reader = ByteReader(bytes)
        var hops: [Hop] = []
        while !reader.isAtEnd {
            var header = ByteReader(try reader.take(8))
            let length = Int(try header.number(UInt16.self))
            // Flags and weight.
            _ = try header.take(2)
            let interface = try header.number(Int32.self)
            guard length >= 8 else { throw .badMessage }
            let attributes = try Attributes(try reader.takeAligned(length - 8))
            hops.append(Hop(gateway: attributes.address(RTA_GATEWAY), interface: interface))
        }
        return hops
    }
}

extension IPSubnet {
    /// `0.0.0.0/0` or `::/0`.
    static func all(_ family: IPAddress.Family) -> IPSubnet {
        // No address has fewer than 0 bits.
        guard let all = IPSubnet(containing: .unspecified(family), prefixLength: 0) else { preconditionFailure() }
        return all
    }
}

// MARK: Requests

extension IPRoute {
    /// Adds this route; fails if there is one for the same addresses with the same priority.
    package var addition: Request { request("add", RTM_NEWROUTE, Request.create) }

    /// Adds this route, or puts it in the place of the one for the same addresses with the same priority.
    package var replacement: Request { request("set", RTM_NEWROUTE, Request.createOrReplace) }

    /// Deletes this route.
    package var removal: Request { request("delete", RTM_DELROUTE, 0) }

    private func request(_ verb: String, _ type: Int, _ flags: Int32) -> Request {
        Request("\(verb) the route \(self)", type: type, flags: flags) {
            Self.appendHeader(
                destination.family, length: destination.prefixLength, table: table, origin: origin, scope: scope,
                kind: kind, flags: isOnLink ? UInt32(RTNH_F_ONLINK) : 0, to: &$0)
            if destination.prefixLength > 0 { $0.attribute(RTA_DST, destination.address) }
            if let gateway, gateway.family == destination.family { $0.attribute(RTA_GATEWAY, gateway) }
            if let gateway, gateway.family != destination.family {
                $0.attribute(RTA_VIA, [gateway.family.number, 0] + gateway.bytes)
            }
            if let interface { $0.attribute(RTA_OIF, interface) }
            if let source { $0.attribute(RTA_PREFSRC, source) }
            if let priority { $0.attribute(RTA_PRIORITY, priority) }
            if table > 255 { $0.attribute(RTA_TABLE, table) }
            if let mtu { $0.nested(RTA_METRICS) { $0.attribute(Int(RTAX_MTU), mtu) } }
        }
    }

    /// Asks for all routes of a family, of all tables.
    package static func queryAll(_ family: IPAddress.Family) -> Request {
        Request("list the routes", type: RTM_GETROUTE, flags: Request.dump) { appendHeader(family, to: &$0) }
    }

    /// Asks which way a packet to `address` goes.
    package static func query(to address: IPAddress) -> Request {
        Request("look up the route to \(address)", type: RTM_GETROUTE) {
            // IPv4 tells the table only if asked to; IPv6 tells it anyway and refuses the flag.
            let flags = address.family == .ipv4 ? UInt32(RTM_F_LOOKUP_TABLE) : 0
            appendHeader(address.family, length: address.family.bits, flags: flags, to: &$0)
            $0.attribute(RTA_DST, address)
        }
    }

    /// Appends a `struct rtmsg`.
    private static func appendHeader(
        _ family: IPAddress.Family, length: Int = 0, table: UInt32 = 0, origin: Origin = Origin(rawValue: 0),
        scope: Scope = .universe, kind: Kind = .unspecified, flags: UInt32 = 0, to builder: inout MessageBuilder
    ) {
        builder.append(family.number)
        builder.append(UInt8(truncatingIfNeeded: length))
        builder.append(UInt16(0))
        // The field has room for 8 bits; what does not fit stands in an attribute.
        builder.append(table > 255 ? 0 : UInt8(table))
        builder.append(origin.rawValue)
        builder.append(scope.rawValue)
        builder.append(kind.rawValue)
        builder.append(flags)
    }
}

extension IPRoute: CustomStringConvertible {
    /// As ip-route(8) writes it: `10.0.0.0/8 via 10.1.0.1`.
    package var description: String {
        (isDefault ? "default" : "\(destination)") + (gateway.map { " via \($0)" } ?? "")
            + (interface.map { " on the interface number \($0)" } ?? "")
            + (table == Self.mainTable ? "" : " in the table \(table)")
    }
}

extension rtattr_type_t: AttributeType {}
