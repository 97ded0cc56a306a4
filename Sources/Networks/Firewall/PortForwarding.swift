import Addresses
import Netlink
import PublishedPorts
import Synchronization
import SystemPackage

/// Has the kernel carry packets to published ports: the elements of `PortTable`, and which of them there are to be.
final class PortForwarding: Sendable {
    /// Who carries packets.
    let mode: FirewallMode
    private let socket: NetfilterSocket
    /// By sandbox, so that the table can be made anew if somebody removes it.
    private let wanted = Mutex<[String: [FirewallElements]]>([:])

    /// - Parameter mode: `nil` lets the host's own chains decide (see `FirewallMode.suiting`).
    init(_ mode: FirewallMode?, socket: NetfilterSocket) {
        self.socket = socket
        // A host without nf_tables has no chains that could decide.
        self.mode = mode ?? (try? HostRuleset.read(by: socket)).map(FirewallMode.suiting) ?? .nat
    }

    /// What makes the part of the table that is about ports.
    var restoration: [Request] {
        PortTable.restoration(
            of: wanted.withLock { $0.values.flatMap { $0 } }, bridgesCallFirewall: HostNetwork.bridgesCallFirewall)
    }

    /// Lets the kernel carry packets to ports that a shim has bound, and opens ports by containers' own addresses.
    func publish(_ bound: [PublishedPort], _ requests: [PortRequest], to target: PortTarget) throws(NetlinkError) {
        let added = elements(bound, requests, to: target)
        for elements in added { try elements.add(by: socket) }
        wanted.withLock { wanted in
            var groups = wanted[target.sandbox, default: []]
            // A port that leads somewhere else by now has one element.
            for group in added.flatMap(\.groups) { Self.subtract(group, from: &groups) }
            wanted[target.sandbox] = groups + added.flatMap(\.groups)
        }
        forgetFlows(bound)
    }

    /// Takes back what `publish` has done for some ports of a sandbox; their shim has done the same, if it could.
    func unpublish(_ bound: [PublishedPort], _ requests: [PortRequest], of target: PortTarget) throws(NetlinkError) {
        let gone = elements(bound, requests, to: target)
        wanted.withLock { wanted in
            for group in gone.flatMap(\.groups) { Self.subtract(group, from: &wanted[target.sandbox, default: []]) }
        }
        for elements in gone { try elements.remove(by: socket) }
        forgetFlows(bound)
    }

    /// Forgets a sandbox whose shim has removed its elements.
    func drop(_ sandbox: String) { wanted.withLock { $0[sandbox] = nil } }

    /// Removes the elements of a sandbox whose shim may not have done it.
    func forget(sandbox: String) throws(NetlinkError) {
        drop(sandbox)
        try removeElements { $0 == sandbox }
    }

    /// Removes the elements of all sandboxes but these: of containers that ended while nobody looked.
    func retain(_ sandboxes: Set<String>) throws(NetlinkError) {
        wanted.withLock { $0 = $0.filter { sandboxes.contains($0.key) } }
        // Elements without a name are somebody else's.
        try removeElements { $0.map { !sandboxes.contains($0) } ?? false }
    }

    private func removeElements(where isGone: (String?) -> Bool) throws(NetlinkError) {
        var transaction = FirewallTransaction()
        for set in PortTable.sets {
            let elements: [FirewallElement]
            do throws(NetlinkError) { elements = try socket.elements(of: set) } catch {
                // Without the table there is nothing to be removed.
                if error.errno == .noSuchFileOrDirectory { return }
                throw error
            }
            let gone = elements.filter { isGone($0.userData?.comment) }
            if !gone.isEmpty { transaction.append(set.removal(of: gone)) }
        }
        try socket.perform(transaction)
    }

    private func elements(
        _ bound: [PublishedPort], _ requests: [PortRequest], to target: PortTarget
    ) -> [PortElements] {
        [PortElements(bound, to: target, mode: mode), PortElements(published: requests, of: target)]
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
}
