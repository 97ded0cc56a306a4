import Addresses
import Netlink
import SystemPackage

/// An endpoint's interface while it is made: what the kernel is asked for outside and inside.
struct Attachment: Sendable {
    let endpoint: Endpoint
    let network: Network
    let outside: Outside
    /// The interface's number inside.
    let index: Int32

    /// What is on the host's side.
    enum Outside: Sendable {
        /// One end of a pair, which is a port of the bridge. `index` is the number of the end on the host.
        case port(index: Int32, BridgeLink, BridgeSettings)
        /// An interface of its own on the parent with this number.
        case virtual(VirtualInterfaceSettings, parent: Int32, mtu: UInt32)
    }

    /// What a bridge's port of a container is called.
    static func portName(_ index: Int32) -> String { "ms\(index)" }

    /// The hardware address of the host's end: it says which of a container's endpoints it leads to.
    static func portAddress(_ endpoint: Endpoint) -> MACAddress? {
        guard let own = endpoint.macAddress?.bytes else { return nil }
        // Local, of one interface, and another one than the container's.
        return MACAddress(bytes: [own[0] == 0xFE ? 0xFA : 0xFE] + own.dropFirst())
    }

    private var interfaces: [IPInterface] { [endpoint.ipv4, endpoint.ipv6].compactMap(\.self) }

    /// What is asked of the host's namespace; the interface is in `namespace` afterwards, and down.
    func outsideRequests(namespace: FileDescriptor) -> [Request] {
        switch outside {
        case .port(let port, let bridge, let settings):
            return portRequests(port, bridge, settings, namespace)
        case .virtual(let settings, let parent, let mtu):
            let kind: NewLink.Kind =
                network.driver == .macvlan
                ? .macvlan(settings.macvlanMode, parent: parent)
                : .ipvlan(settings.ipvlanMode, settings.isolation, parent: parent)
            // An ipvlan interface has its parent's address.
            let address = network.driver == .macvlan ? endpoint.macAddress : nil
            return NewLink(
                endpoint.interfaceName, kind, index: index,
                LinkSettings(mtu: mtu, address: address, namespace: namespace)
            ).requests
        }
    }

    private func portRequests(
        _ port: Int32, _ bridge: BridgeLink, _ settings: BridgeSettings, _ namespace: FileDescriptor
    ) -> [Request] {
        // The other end is made where it belongs: moving it there later would take ten times as long as all the rest.
        let peer = NewLink.Peer(
            name: endpoint.interfaceName, index: index, address: endpoint.macAddress, mtu: bridge.mtu,
            namespace: namespace)
        let link = NewLink(
            Self.portName(port), .veth(peer: peer), index: port,
            LinkSettings(
                isUp: true, master: bridge.index, mtu: bridge.mtu, address: Self.portAddress(endpoint),
                alias: endpoint.sandbox, hasLinkLocalAddress: false))
        return link.requests + Self.portRequests(endpoint, port: port, bridge, settings, isNew: false)
    }

    /// What makes an interface a port of the bridge that leads to an endpoint.
    ///
    /// - Parameter isNew: whether the interface is not on the bridge yet.
    static func portRequests(
        _ endpoint: Endpoint, port: Int32, _ bridge: BridgeLink, _ settings: BridgeSettings, isNew: Bool
    ) -> [Request] {
        var requests = isNew ? [Link.set(.index(port), LinkSettings(isUp: true, master: bridge.index))] : []
        requests.append(
            Link.set(
                .index(port),
                port: BridgePortSettings(
                    isIsolated: !settings.allowsContainerTraffic,
                    // A container reaches itself by a published port: the bridge then sends that back.
                    isHairpin: HostNetwork.bridgesCallFirewall, suppressesNeighbours: true)))
        guard let macAddress = endpoint.macAddress else { return requests }
        // The bridge knows everybody beforehand: nobody has to ask all, and no table of the kernel can be too small.
        requests.append(ForwardingEntry(macAddress, port: port).replacement)
        for interface in [endpoint.ipv4, endpoint.ipv6].compactMap(\.self) {
            requests.append(Neighbour(interface.address, at: macAddress, interface: bridge.index).replacement)
        }
        return requests
    }

    /// The same with another number of the host's: that of the end there, or where there is none of the interface.
    func with(number: Int32) -> Attachment {
        switch outside {
        case .port(_, let bridge, let settings):
            Attachment(
                endpoint: endpoint, network: network, outside: .port(index: number, bridge, settings), index: index)
        case .virtual: Attachment(endpoint: endpoint, network: network, outside: outside, index: number)
        }
    }

    /// What is asked of the container's namespace, but for default routes.
    func insideRequests() -> [Request] {
        var requests = interfaces.map { InterfaceAddress($0, checksDuplicates: false).addition(to: index) }
        for address in endpoint.linkLocal {
            let interface = IPInterface(address, prefixLength: address.isIPv6 ? 64 : 16)
            requests += interface.map { [InterfaceAddress($0, checksDuplicates: false).addition(to: index)] } ?? []
        }
        requests.append(Link.set(.index(index), LinkSettings(isUp: true)))
        guard case .port(_, let bridge, let settings) = outside else { return requests }
        for interface in BridgeLink.interfaces(of: network, settings) {
            requests.append(Neighbour(interface.address, at: bridge.address, interface: index).replacement)
        }
        return requests
    }

    /// The default route by way of this network; `nil` where there is none.
    func defaultRoute(_ family: IPAddress.Family) -> IPRoute? { Self.defaultRoute(family, endpoint, network, index) }

    /// The default route of an endpoint whose interface has the number `index`.
    static func defaultRoute(
        _ family: IPAddress.Family, _ endpoint: Endpoint, _ network: Network, _ index: Int32
    ) -> IPRoute? {
        guard endpoint.address(family) != nil, !network.isInternal else { return nil }
        if case .virtual(let virtual) = network.settings, [.l3, .l3s].contains(virtual.mode) {
            // The host routes, whatever gateway was named: there is nobody to send to.
            return IPSubnet(containing: .unspecified(family), prefixLength: 0).map { IPRoute($0, interface: index) }
        }
        return endpoint.gateway(family).map { .standard(by: $0, interface: index) }
    }
}

extension VirtualInterfaceSettings {
    var macvlanMode: MacvlanMode {
        switch mode {
        case .private: .isolated
        case .vepa: .vepa
        case .passthru: .passthrough
        case .bridge, .l2, .l3, .l3s: .bridge
        }
    }

    var ipvlanMode: IPvlanMode {
        switch mode {
        case .l3: .l3
        case .l3s: .l3s
        case .l2, .bridge, .private, .vepa, .passthru: .l2
        }
    }

    var isolation: IPvlanIsolation {
        switch visibility {
        case .bridge: .bridge
        case .private: .isolated
        case .vepa: .vepa
        }
    }
}
