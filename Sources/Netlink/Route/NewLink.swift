import Addresses
import CLinux
import SystemPackage

/// A link that is to be created.
///
/// With an `index` that the caller chooses, whatever needs to know it can stand in the same batch. In a network
/// namespace each number is given once; the kernel itself counts up from 1.
package struct NewLink: Sendable {
    /// What it is made of.
    package enum Kind: Sendable {
        /// A pair, with its other end.
        case veth(peer: Peer)
        case bridge(BridgeOptions)
        /// On the link number `parent`, of packets with this tag.
        case vlan(identifier: UInt16, parent: Int32)
        case macvlan(MacvlanMode, parent: Int32)
        case macvtap(MacvlanMode, parent: Int32)
        case ipvlan(IPvlanMode, IPvlanIsolation, parent: Int32)
        case dummy
    }

    /// The other end of a pair. It cannot be switched on before the pair is made.
    package struct Peer: Sendable {
        /// Its name in its network namespace: at most 15 bytes.
        package var name: String
        /// Its number in its network namespace; 0 lets the kernel choose.
        package var index: Int32
        /// The hardware's address; `nil` lets the kernel choose.
        package var address: MACAddress?
        /// The largest packet in bytes.
        package var mtu: UInt32?
        /// The network namespace that it is made in: at once, as moving it there later takes ten times as long.
        package var namespace: FileDescriptor?

        /// An end that is still to be made.
        package init(
            name: String, index: Int32 = 0, address: MACAddress? = nil, mtu: UInt32? = nil,
            namespace: FileDescriptor? = nil
        ) {
            self.name = name
            self.index = index
            self.address = address
            self.mtu = mtu
            self.namespace = namespace
        }
    }

    /// Its name in its network namespace: at most 15 bytes.
    package var name: String
    /// What it is made of.
    package var kind: Kind
    /// Its number; 0 lets the kernel choose.
    package var index: Int32
    /// Its other properties. A `namespace` is that in which it is made; then nothing can be set that the kernel takes
    /// only afterwards (`alias`, `hasLinkLocalAddress`).
    package var settings: LinkSettings

    /// A link that is still to be made.
    package init(_ name: String, _ kind: Kind, index: Int32 = 0, _ settings: LinkSettings = LinkSettings()) {
        self.name = name
        self.kind = kind
        self.index = index
        self.settings = settings
    }

    /// What creates it, in this order: the kernel takes some properties only of a link that exists, and makes a
    /// link-local address at the moment in which it is switched on.
    package var requests: [Request] {
        var (first, later) = (settings, LinkSettings())
        (later.alias, first.alias) = (settings.alias, nil)
        (later.hasLinkLocalAddress, first.hasLinkLocalAddress) = (settings.hasLinkLocalAddress, nil)
        let isSwitchedOnLast = settings.isUp == true && later.hasLinkLocalAddress != nil
        if isSwitchedOnLast { first.isUp = nil }
        var requests = [creation(first)]
        let reference: Link.Reference = index == 0 ? .name(name) : .index(index)
        if later.alias != nil || later.hasLinkLocalAddress != nil { requests.append(Link.set(reference, later)) }
        if isSwitchedOnLast { requests.append(Link.set(reference, LinkSettings(isUp: true))) }
        return requests
    }

    private func creation(_ settings: LinkSettings) -> Request {
        Request("create the interface \(name)", type: RTM_NEWLINK, flags: Request.create) { builder in
            Link.appendHeader(index: index, isUp: settings.isUp, to: &builder)
            var settings = settings
            settings.name = name
            settings.append(to: &builder)
            if let parent { builder.attribute(IFLA_LINK, parent) }
            builder.nested(IFLA_LINKINFO) {
                $0.attribute(IFLA_INFO_KIND, linkKind.name)
                if case .veth(let peer) = kind {
                    $0.nested(IFLA_INFO_DATA) { $0.nested(VETH_INFO_PEER) { peer.append(to: &$0) } }
                } else {
                    linkKind.appendData(to: &$0)
                }
            }
        }
    }

    private var parent: Int32? {
        switch kind {
        case .vlan(_, let parent), .macvlan(_, let parent), .macvtap(_, let parent), .ipvlan(_, _, let parent): parent
        case .veth, .bridge, .dummy: nil
        }
    }

    private var linkKind: Link.Kind {
        switch kind {
        case .veth: .veth
        case .bridge(let options): .bridge(options)
        case .vlan(let identifier, _): .vlan(identifier: identifier)
        case .macvlan(let mode, _): .macvlan(mode)
        case .macvtap(let mode, _): .macvtap(mode)
        case .ipvlan(let mode, let isolation, _): .ipvlan(mode, isolation)
        case .dummy: .dummy
        }
    }
}

extension NewLink.Peer {
    fileprivate func append(to builder: inout MessageBuilder) {
        Link.appendHeader(index: index, isUp: nil, to: &builder)
        LinkSettings(name: name, mtu: mtu, address: address, namespace: namespace).append(to: &builder)
    }
}
