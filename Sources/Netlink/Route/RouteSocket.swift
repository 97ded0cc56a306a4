import Addresses
import CLinux
import SystemPackage

/// A connection to the kernel's routing family of netlink: interfaces, addresses, routes, rules and neighbours of one
/// network namespace; rtnetlink(7).
package struct RouteSocket: Sendable {
    private let socket: NetlinkSocket

    /// A connection in the calling thread's network namespace.
    package init() throws(NetlinkError) {
        socket = try NetlinkSocket(.route)
    }

    private init(_ socket: NetlinkSocket) {
        self.socket = socket
    }

    /// A connection in the network namespace that `namespace` refers to, which the calling thread enters for a moment.
    package static func opened(in namespace: FileDescriptor) throws(NetlinkError) -> RouteSocket {
        RouteSocket(try NetlinkSocket.opened(.route, in: namespace))
    }

    /// Carries out all requests of a batch, those behind one that fails too.
    ///
    /// - Throws: What the first one that failed has to say.
    package func perform(_ batch: Batch) throws(NetlinkError) {
        try socket.perform(batch)
    }

    /// Carries out one request.
    package func perform(_ request: Request) throws(NetlinkError) {
        try socket.perform(request)
    }

    // MARK: Links

    /// The interface with this name or number; `nil` if there is none.
    package func link(_ reference: Link.Reference) throws(NetlinkError) -> Link? {
        do throws(NetlinkError) {
            return try socket.answers(to: Link.query(reference)) { (message) throws(Errno) in
                try Link(message)
            }.first
        } catch {
            if error.errno == .operationNotSupportedByDevice { return nil }
            throw error
        }
    }

    /// All interfaces.
    package func links() throws(NetlinkError) -> [Link] {
        try socket.answers(to: Link.queryAll()) { (message) throws(Errno) in try Link(message) }
    }

    /// The ports of the bridge with this number.
    package func ports(of master: Int32) throws(NetlinkError) -> [Link] {
        try socket.answers(to: Link.queryPorts(of: master)) { (message) throws(Errno) in try Link(message) }
            // A kernel that does not know the question tells all.
            .filter { $0.master == master }
    }

    // MARK: Addresses

    /// The addresses of all interfaces, or of the one with this number.
    package func addresses(of index: Int32 = 0) throws(NetlinkError) -> [InterfaceAddress] {
        try socket.answers(to: InterfaceAddress.queryAll(of: index)) { (message) throws(Errno) in
            message.type == UInt16(RTM_NEWADDR) ? try InterfaceAddress(payload: message.payload) : nil
        }.filter { index == 0 || $0.index == index }
    }

    // MARK: Routes

    /// The routes of a family, of one table or of all.
    package func routes(_ family: IPAddress.Family, table: UInt32? = nil) throws(NetlinkError) -> [IPRoute] {
        try socket.answers(to: IPRoute.queryAll(family)) { (message) throws(Errno) in
            message.type == UInt16(RTM_NEWROUTE) ? try IPRoute(payload: message.payload) : nil
        }.filter { table == nil || $0.table == table }
    }

    /// The way that packets to `address` go; `nil` if there is none.
    package func route(to address: IPAddress) throws(NetlinkError) -> IPRoute? {
        do throws(NetlinkError) {
            return try socket.answers(to: IPRoute.query(to: address)) { (message) throws(Errno) -> IPRoute? in
                guard message.type == UInt16(RTM_NEWROUTE) else { return nil }
                return try IPRoute(payload: message.payload, isForOneAddress: true)
            }.first
        } catch {
            // What the kernel says where there is no route, and where one of those leads that forbid the way.
            if [.networkUnreachable, .noRouteToHost, .invalidArgument, .permissionDenied].contains(error.errno) {
                return nil
            }
            throw error
        }
    }

    /// The route that is taken where no other one is for an address: of several that with the lowest priority.
    package func defaultRoute(_ family: IPAddress.Family) throws(NetlinkError) -> IPRoute? {
        try routes(family, table: IPRoute.mainTable).filter(\.isDefault).min {
            $0.priority ?? 0 < $1.priority ?? 0
        }
    }

    /// The largest packet on the way that the default route leads; `nil` if there is no default route.
    package func defaultMTU(_ family: IPAddress.Family) throws(NetlinkError) -> UInt32? {
        guard let route = try defaultRoute(family) else { return nil }
        if let mtu = route.mtu { return mtu }
        guard let interface = route.interface ?? route.hops.first?.interface else { return nil }
        return try link(.index(interface))?.mtu
    }

    // MARK: Rules and neighbours

    /// The rules of a family, in their order.
    package func rules(_ family: IPAddress.Family) throws(NetlinkError) -> [RoutingRule] {
        try socket.answers(to: RoutingRule.queryAll(family)) { (message) throws(Errno) in
            message.type == UInt16(RTM_NEWRULE) ? try RoutingRule(payload: message.payload) : nil
        }
    }

    /// The neighbours of a family, or those of the interface with this number.
    package func neighbours(
        _ family: IPAddress.Family, of interface: Int32? = nil
    ) throws(NetlinkError) -> [Neighbour] {
        try socket.answers(to: Neighbour.queryAll(family, of: interface)) { (message) throws(Errno) in
            message.type == UInt16(RTM_NEWNEIGH) ? try Neighbour(payload: message.payload) : nil
        }.filter { interface == nil || $0.interface == interface }
    }

    /// What the bridge with this number knows about hardware addresses.
    package func forwardingEntries(of bridge: Int32) throws(NetlinkError) -> [ForwardingEntry] {
        try socket.answers(to: ForwardingEntry.queryAll(of: bridge)) { (message) throws(Errno) in
            message.type == UInt16(RTM_NEWNEIGH) ? try ForwardingEntry(payload: message.payload) : nil
        }.filter { $0.bridge == bridge || $0.port == bridge }
    }
}
