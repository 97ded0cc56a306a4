import Addresses
import LinuxKernel
import Netlink
import PublishedPorts
import Synchronization
import SystemPackage

/// The host's packet filter as networks and published ports need it: `table inet masu` (see `PortTable`), and what the
/// host's routing needs for connections from its loopback addresses.
///
/// All calls block, and work in the network namespace in which the firewall was opened.
package final class Firewall: Sendable {
    /// Who carries packets to published ports.
    package let mode: FirewallMode
    private let socket: NetfilterSocket
    private let route: RouteSocket
    /// What the table is to hold, so that it can be made anew if somebody removes it.
    private let wanted = Mutex(Wanted())

    private struct Wanted {
        var bridges: [String: FirewallBridge] = [:]
        /// By sandbox, then by the network or other reason.
        var ports: [String: [FirewallElements]] = [:]
    }

    /// A firewall of the calling thread's network namespace; nothing is changed yet.
    ///
    /// - Parameter mode: `nil` lets the host's own chains decide (see `FirewallMode.suiting`).
    package init(mode: FirewallMode?, route: RouteSocket) throws(NetlinkError) {
        socket = try NetfilterSocket()
        self.route = route
        self.mode = if let mode { mode } else { FirewallMode.suiting(try HostRuleset.read(by: socket)) }
    }

    // MARK: The table

    /// Makes the table, in place of one that an earlier daemon has left, for these networks and ports. Elements of
    /// ports whose sandbox is not among them vanish.
    package func install(
        _ bridges: [FirewallBridge], ports: [(target: PortTarget, requests: [PortRequest], bound: [PublishedPort])]
    ) throws(NetlinkError) {
        let elements = ports.map { ($0.target.sandbox, self.elements($0.bound, $0.requests, to: $0.target)) }
        wanted.withLock { wanted in
            wanted.bridges = Dictionary(bridges.map { ($0.name, $0) }) { $1 }
            wanted.ports = Dictionary(elements) { $0 + $1 }
        }
        try restore()
    }

    /// Makes the table as it is to be: somebody has emptied the host's packet filter.
    package func restore() throws(NetlinkError) {
        let elements = wanted.withLock { wanted in
            wanted.bridges.values.flatMap(\.elements) + wanted.ports.values.flatMap { $0 }
        }
        try socket.perform(PortTable.creation(elements))
    }

    /// Whether the table is there.
    package func isInstalled() throws(NetlinkError) -> Bool {
        try socket.tables().contains { $0.name == PortTable.table.name && $0.family == PortTable.table.family }
    }

    /// Removes the table: the daemon's networks are no more.
    package func remove() throws(NetlinkError) {
        if try isInstalled() { try socket.perform(FirewallTransaction([PortTable.table.removal])) }
    }

    // MARK: Networks

    /// Opens the host for a bridge network, whose interface has the number `index`.
    package func admit(_ bridge: FirewallBridge, index: Int32) throws(NetlinkError) {
        if let known = wanted.withLock({ $0.bridges[bridge.name] }) { try change(known, isAdded: false) }
        try change(bridge, isAdded: true)
        wanted.withLock { $0.bridges[bridge.name] = bridge }
        // Behind the guard of the table, which keeps all others from the host's loopback addresses.
        try LoopbackAccess(bridge: bridge.name, index: index).add(by: route)
    }

    /// Forgets a bridge network, whose interface may be gone already.
    package func dismiss(_ name: String) throws(NetlinkError) {
        LoopbackAccess(bridge: name, index: 0).removeRule(by: route)
        guard let bridge = wanted.withLock({ $0.bridges.removeValue(forKey: name) }) else { return }
        try change(bridge, isAdded: false)
    }

    private func change(_ bridge: FirewallBridge, isAdded: Bool) throws(NetlinkError) {
        var transaction = FirewallTransaction()
        for group in bridge.elements {
            transaction.append(
                isAdded ? group.set.addition(of: group.elements) : group.set.removal(of: group.elements))
        }
        do throws(NetlinkError) {
            try socket.perform(transaction)
        } catch {
            // Without the table, or an element that somebody has removed, there is nothing to be forgotten.
            if isAdded || error.errno != .noSuchFileOrDirectory { throw error }
        }
    }

    // MARK: Ports

    /// Lets the kernel carry packets to ports that a shim has bound, and opens those that a network routes.
    package func publish(
        _ bound: [PublishedPort], _ requests: [PortRequest], to target: PortTarget
    ) throws(NetlinkError) {
        try PortElements(bound, to: target, mode: mode).add(by: socket)
        try PortElements(open: requests, of: target).add(by: socket)
        let elements = elements(bound, requests, to: target)
        wanted.withLock { $0.ports[target.sandbox, default: []] += elements }
        forgetFlows(bound)
    }

    /// Takes back what `publish` has done for some ports of a sandbox; their shim has done the same, if it could.
    package func unpublish(
        _ bound: [PublishedPort], _ requests: [PortRequest], of target: PortTarget
    ) throws(NetlinkError) {
        let gone = elements(bound, requests, to: target)
        wanted.withLock { wanted in
            for group in gone { Self.subtract(group, from: &wanted.ports[target.sandbox, default: []]) }
        }
        try PortElements(bound, to: target, mode: mode).remove(by: socket)
        try PortElements(open: requests, of: target).remove(by: socket)
        forgetFlows(bound)
    }

    /// Forgets a sandbox, whose shim has removed its elements.
    package func forget(sandbox: String) { wanted.withLock { $0.ports[sandbox] = nil } }

    private func elements(
        _ bound: [PublishedPort], _ requests: [PortRequest], to target: PortTarget
    ) -> [FirewallElements] {
        PortElements(bound, to: target, mode: mode).groups + PortElements(open: requests, of: target).groups
    }

    private static func subtract(_ gone: FirewallElements, from groups: inout [FirewallElements]) {
        let keys = Set(gone.elements.map(\.key))
        for index in groups.indices where groups[index].set == gone.set {
            groups[index].elements.removeAll { keys.contains($0.key) }
        }
        groups.removeAll(where: \.elements.isEmpty)
    }

    /// Forgets where datagrams of clients that do not stop sending were carried before.
    private func forgetFlows(_ ports: [PublishedPort]) {
        for port in ports where port.transport == .udp {
            // A flow that is not forgotten ends by itself, half a minute after its last datagram.
            _ = try? socket.forget(
                ConnectionFilter(
                    port.hostAddress.family, transport: .udp,
                    originalDestination: port.hostAddress.isUnspecified ? nil : port.hostAddress,
                    originalDestinationPort: port.hostPort))
        }
    }

    /// What the host's own chains say about published ports.
    package func report(_ ports: [FirewallReport.Port]) throws(NetlinkError) -> FirewallReport {
        FirewallReport(ports, mode: mode, try HostRuleset.read(by: socket))
    }
}
