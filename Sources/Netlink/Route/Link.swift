import CLinux
import Glibc
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
    /// The text that a program or person has given it.
    package var alias: String?
    /// The number of the link that it is a port of.
    package var master: Int32?
    /// The number of the link that it stands on, or of a pair's other end; in another network namespace if
    /// `peerNamespace` is not `nil`.
    package var peer: Int32?
    /// By which number this network namespace knows that of `peer` (`IFLA_LINK_NETNSID`).
    package var peerNamespace: Int32?
    /// The number by which many can be deleted at once.
    package var group: UInt32
    /// What it is able to do now.
    package var state: OperationalState
    /// What kind of virtual link it is; `nil` for hardware and the loopback interface.
    package var kind: Kind?
    /// How it behaves as a port of a bridge; `nil` if it is not one.
    package var bridgePort: BridgePortSettings?
    /// Whether the kernel gives it a link-local address of IPv6; `nil` without IPv6.
    package var hasLinkLocalAddress: Bool?

    /// Whether it takes part in traffic, as far as people decide that (`IFF_UP`).
    package var isUp: Bool { flags & Self.up != 0 }

    /// Whether it is the namespace's loopback interface (`IFF_LOOPBACK`).
    package var isLoopback: Bool { flags & 8 != 0 }

    /// RFC 2863.
    package enum OperationalState: UInt8, Hashable, Sendable {
        case unknown, notPresent, down, lowerLayerDown, testing, dormant, up
    }

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
        name = attributes.text(IFLA_IFNAME) ?? ""
        mtu = try attributes.number(IFLA_MTU) ?? 0
        address = attributes[IFLA_ADDRESS].map(Array.init) ?? []
        alias = attributes.text(IFLA_IFALIAS)
        master = try attributes.number(IFLA_MASTER)
        peer = try attributes.number(IFLA_LINK)
        peerNamespace = try attributes.number(IFLA_LINK_NETNSID)
        group = try attributes.number(IFLA_GROUP) ?? 0
        state = OperationalState(rawValue: try attributes.number(IFLA_OPERSTATE) ?? 0) ?? .unknown
        let information = try attributes.nested(IFLA_LINKINFO)
        if let information, let kindName = information.text(IFLA_INFO_KIND) {
            kind = try Kind(kindName, information.nested(IFLA_INFO_DATA))
        }
        if let information, information.text(IFLA_INFO_SLAVE_KIND) == "bridge",
            let port = try information.nested(IFLA_INFO_SLAVE_DATA)
        {
            bridgePort = try BridgePortSettings(port)
        }
        let mode = try attributes.nested(IFLA_AF_SPEC)?.nested(Int(AF_INET6))?
            .number(IFLA_INET6_ADDR_GEN_MODE, as: UInt8.self)
        hasLinkLocalAddress = mode.map { UInt32($0) != IN6_ADDR_GEN_MODE_NONE.rawValue }
    }

    /// What a message tells: of a link that is new or has changed, or of one that is gone; `nil` if it is about
    /// something else. Bridges tell of their ports in a way of their own, which is left out.
    package init?(_ message: Message) throws(Errno) {
        guard [RTM_NEWLINK, RTM_DELLINK].contains(Int(message.type)), message.payload.first == 0 else { return nil }
        try self.init(payload: message.payload)
    }
}

// MARK: Requests

extension Link {
    /// How a request names a link.
    package enum Reference: Hashable, Sendable, CustomStringConvertible {
        case index(Int32)
        case name(String)

        package var description: String {
            switch self {
            case .index(let index): "the interface number \(index)"
            case .name(let name): "the interface \(name)"
            }
        }

        var index: Int32 { if case .index(let index) = self { index } else { 0 } }

        func append(to builder: inout MessageBuilder) {
            if case .name(let name) = self { builder.attribute(IFLA_IFNAME, name) }
        }
    }

    /// Asks for a link.
    package static func query(_ link: Reference) -> Request {
        Request("read \(link)", type: RTM_GETLINK) {
            appendHeader(index: link.index, to: &$0)
            link.append(to: &$0)
        }
    }

    /// Asks for all links.
    package static func queryAll() -> Request {
        Request("list the interfaces", type: RTM_GETLINK, flags: Request.dump) { appendHeader(index: 0, to: &$0) }
    }

    /// Asks for the ports of the link number `master`.
    package static func queryPorts(of master: Int32) -> Request {
        Request("list the ports of the interface number \(master)", type: RTM_GETLINK, flags: Request.dump) {
            appendHeader(index: 0, to: &$0)
            $0.attribute(IFLA_MASTER, master)
        }
    }

    /// Changes a link. What gives it another name has to refer to it by its number.
    package static func set(_ link: Reference, _ settings: LinkSettings) -> Request {
        Request("change \(link)", type: RTM_NEWLINK) {
            appendHeader(index: link.index, isUp: settings.isUp, to: &$0)
            link.append(to: &$0)
            settings.append(to: &$0)
        }
    }

    /// Changes how a link behaves that is a port of a bridge.
    package static func set(_ link: Reference, port: BridgePortSettings) -> Request {
        Request("change \(link) as a port", type: RTM_NEWLINK) {
            appendHeader(index: link.index, to: &$0)
            link.append(to: &$0)
            $0.nested(IFLA_LINKINFO) {
                $0.attribute(IFLA_INFO_SLAVE_KIND, "bridge")
                $0.nested(IFLA_INFO_SLAVE_DATA) { port.append(to: &$0) }
            }
        }
    }

    /// Changes the options of the bridge `link`.
    package static func set(_ link: Reference, bridge: BridgeOptions) -> Request {
        Request("change the bridge \(link)", type: RTM_NEWLINK) {
            appendHeader(index: link.index, to: &$0)
            link.append(to: &$0)
            $0.nested(IFLA_LINKINFO) {
                $0.attribute(IFLA_INFO_KIND, "bridge")
                Kind.bridge(bridge).appendData(to: &$0)
            }
        }
    }

    /// Deletes a link, and with one end of a pair the other. Takes the kernel tens of milliseconds, in which it does
    /// nothing else to any link: many are deleted at once by their group, or left to the end of their namespace.
    package static func delete(_ link: Reference) -> Request {
        Request("delete \(link)", type: RTM_DELLINK) {
            appendHeader(index: link.index, to: &$0)
            link.append(to: &$0)
        }
    }

    /// Deletes all links of a group other than 0, which is everybody's.
    package static func delete(group: UInt32) -> Request {
        Request("delete the interfaces of the group \(group)", type: RTM_DELLINK) {
            appendHeader(index: 0, to: &$0)
            $0.attribute(IFLA_GROUP, group)
        }
    }

    /// Appends a `struct ifinfomsg`.
    static func appendHeader(index: Int32, isUp: Bool? = nil, to builder: inout MessageBuilder) {
        // No family in particular, padding, no kind of hardware.
        builder.append(UInt32(0))
        builder.append(index)
        builder.append(isUp == true ? up : 0)
        builder.append(isUp == nil ? 0 : up)
    }
}
