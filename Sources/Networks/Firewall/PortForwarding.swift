import Addresses
import Logging
import Netlink
import PublishedPorts
import Synchronization
import SystemPackage

/// Has the kernel carry packets to published ports: the elements of `PortTable`, and which of them there are to be.
final class PortForwarding: Sendable {
    /// Ports that were published together.
    private struct Publication: Sendable {
        var bound: [PublishedPort]
        /// What opens ports by the sandbox's own address, in one form: requests that open the same are equal.
        var openings: [PortRequest]
        let target: PortTarget

        init(bound: [PublishedPort], openings requests: [PortRequest], target: PortTarget) {
            self.bound = bound
            openings = PortRequest.openings(of: requests, besides: [])
            self.target = target
        }

        func elements(_ mode: FirewallMode) -> [PortElements] {
            [PortElements(bound, to: target, mode: mode), PortElements(published: openings, of: target)]
        }
    }

    private struct State: Sendable {
        var mode: FirewallMode
        /// By sandbox, so that the table can be made anew if somebody removes it.
        var publications: [String: [Publication]] = [:]

        func groups(of sandbox: String) -> [FirewallElements] {
            (publications[sandbox] ?? []).flatMap { $0.elements(mode) }.flatMap(\.groups)
        }

        var groups: [FirewallElements] {
            publications.values.joined().flatMap { $0.elements(mode) }.flatMap(\.groups)
        }
    }

    private let socket: NetfilterSocket
    /// Held while the kernel is told, so that what it has and what it is to have go together.
    private let state: Mutex<State>

    /// - Parameter mode: `nil` lets the host's own chains decide (see `FirewallMode.suiting`).
    init(_ mode: FirewallMode?, socket: NetfilterSocket, logger: Logger) {
        self.socket = socket
        state = Mutex(State(mode: mode ?? Self.suitingMode(by: socket, logger)))
    }

    private static func suitingMode(by socket: NetfilterSocket, _ logger: Logger) -> FirewallMode {
        do throws(NetlinkError) { return FirewallMode.suiting(try HostRuleset.read(by: socket)) } catch {
            let mode = FirewallMode.suiting(unreadable: error.errno)
            if mode == .input {
                logger.warning(
                    "cannot read the host's chains: the shims carry packets (mode input) until they can be read",
                    metadata: ["error": "\(error)"])
            }
            return mode
        }
    }

    /// Who carries packets.
    var mode: FirewallMode { state.withLock(\.mode) }

    /// Does `body` with the elements that there are to be, which stay the same meanwhile.
    func whileUnchanged<Value: Sendable>(
        _ body: @Sendable ([FirewallElements]) throws(NetlinkError) -> Value
    ) throws(NetlinkError) -> Value {
        try state.withLock { state throws(NetlinkError) in try body(state.groups) }
    }

    /// Lets the kernel carry packets to ports that a shim has bound, and opens ports by containers' own addresses.
    ///
    /// - Throws: `.noSuchFileOrDirectory` while the table is not there, or not all of it: the ports are among those
    ///   that come back with it.
    func publish(_ bound: [PublishedPort], _ requests: [PortRequest], to target: PortTarget) throws(NetlinkError) {
        let publication = Publication(bound: bound, openings: requests, target: target)
        try change { state throws(NetlinkError) in
            let before = state.publications[target.sandbox]
            var publications = before ?? []
            // A port that leads somewhere else by now has one element.
            for index in publications.indices {
                publications[index].bound.removeAll { old in bound.contains { $0.hasPlace(of: old) } }
            }
            state.publications[target.sandbox] = publications + [publication]
            do throws(NetlinkError) {
                for elements in publication.elements(state.mode) { try elements.add(by: socket) }
            } catch {
                if error.errno != .noSuchFileOrDirectory { state.publications[target.sandbox] = before }
                throw error
            }
        }
        forgetFlows(bound)
    }

    /// Takes back what `publish` has done for some ports of a sandbox; their shim has done the same, if it could.
    func unpublish(_ bound: [PublishedPort], _ requests: [PortRequest], of target: PortTarget) throws(NetlinkError) {
        try change { state throws(NetlinkError) in
            let leaving = Publication(bound: bound, openings: requests, target: target)
            let gone = leaving.elements(state.mode)
            var publications = state.publications[target.sandbox] ?? []
            for index in publications.indices {
                publications[index].bound.removeAll(where: bound.contains)
                publications[index].openings.removeAll(where: leaving.openings.contains)
            }
            publications.removeAll { $0.bound.isEmpty && $0.openings.isEmpty }
            state.publications[target.sandbox] = publications.isEmpty ? nil : publications
            // Another port of the host may lead to the same port of the container.
            let kept = state.groups(of: target.sandbox)
            for elements in gone { try elements.without(kept).remove(by: socket) }
        }
        forgetFlows(bound)
    }

    /// Has others carry packets from here on. Connections that there are go on as they were made.
    func change(to mode: FirewallMode) throws(NetlinkError) {
        let bound = state.withLock { state in state.publications.values.joined().flatMap(\.bound) }
        try change { state throws(NetlinkError) in
            let before = state.mode
            state.mode = mode
            do throws(NetlinkError) {
                switch mode {
                case .input: try removeElements { Self.isCarriedByShims($0, in: $1) }
                case .nat:
                    for publication in state.publications.values.joined() {
                        for elements in publication.elements(.nat) { try elements.add(by: socket) }
                    }
                }
            } catch {
                // So that another attempt does it all.
                state.mode = before
                if before == .input { try? removeElements { Self.isCarriedByShims($0, in: $1) } }
                throw error
            }
        }
        forgetFlows(bound)
    }

    /// Removes what a daemon with another mode has left of containers that run.
    func adoptMode() throws(NetlinkError) {
        try change { state throws(NetlinkError) in
            guard state.mode == .input else { return }
            try removeElements { Self.isCarriedByShims($0, in: $1) }
        }
    }

    /// Forgets a sandbox whose shim has removed its elements.
    func drop(_ sandbox: String) { state.withLock { $0.publications[sandbox] = nil } }

    /// Removes the elements of a sandbox whose shim may not have done it.
    func forget(sandbox: String) throws(NetlinkError) {
        try change { state throws(NetlinkError) in
            state.publications[sandbox] = nil
            try removeElements { element, _ in element.userData?.comment == sandbox }
        }
    }

    /// Removes the elements of all sandboxes but these: of containers that ended while nobody looked.
    func retain(_ sandboxes: Set<String>) throws(NetlinkError) {
        try change { state throws(NetlinkError) in
            state.publications = state.publications.filter { sandboxes.contains($0.key) }
            // Elements without a name are somebody else's.
            try removeElements { element, _ in element.userData?.comment.map { !sandboxes.contains($0) } ?? false }
        }
    }

    private func change(_ body: (inout State) throws(NetlinkError) -> Void) throws(NetlinkError) {
        try state.withLock { state throws(NetlinkError) in try body(&state) }
    }

    /// Whether an element has the kernel carry what shims can carry; there is nobody else for SCTP.
    private static func isCarriedByShims(_ element: FirewallElement, in set: FirewallSet) -> Bool {
        guard set.content != .none, let index = set.key.firstIndex(of: .transportProtocol),
            let values = element.key.values(set.key)
        else { return false }
        return values[index] != .transport(.sctp)
    }

    /// How often it is looked anew what there is to be removed, when others remove some of it at the same time.
    private static let attempts = 10

    private func removeElements(where isGone: (FirewallElement, FirewallSet) -> Bool) throws(NetlinkError) {
        for _ in 1..<Self.attempts {
            do throws(NetlinkError) { return try removeElementsAtOnce(where: isGone) } catch {
                // One container's shim has removed its own meanwhile, and so nothing was removed here.
                guard error.errno == .noSuchFileOrDirectory else { throw error }
            }
        }
        try removeElementsAtOnce(where: isGone)
    }

    private func removeElementsAtOnce(
        where isGone: (FirewallElement, FirewallSet) -> Bool
    ) throws(NetlinkError) {
        var transaction = FirewallTransaction()
        for set in PortTable.sets {
            let elements: [FirewallElement]
            do throws(NetlinkError) { elements = try socket.elements(of: set) } catch {
                // Of a set that somebody has removed there is nothing to be removed.
                if error.errno == .noSuchFileOrDirectory { continue }
                throw error
            }
            let gone = elements.filter { isGone($0, set) }
            if !gone.isEmpty { transaction.append(set.removal(of: gone)) }
        }
        try socket.perform(transaction)
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
