import LinuxKernel
import Netlink
import PublishedPorts
import ShimProtocol
import SystemPackage

/// The published ports of one container: their sockets on the host, and what comes to them.
///
/// The sockets say to everybody that the ports are taken, whatever becomes of the daemon. Most packets never reach
/// them: the kernel changes their destination. What it leaves is carried into the container.
package final class PublishedSockets {
    /// What a port does with what comes to its socket.
    private enum Service {
        case stream(StreamListener)
        case datagrams(DatagramRelay)
        /// Nothing: only the kernel forwards.
        case reserved
    }

    private struct Entry {
        let socket: PortSocket
        let service: Service

        var port: PublishedPort { socket.port }
    }

    private let loop: EventLoop
    private let buffer: PageBuffer
    private let descriptors: DescriptorBudget
    private let pipes = PipePool()
    private var entries: [Entry] = []
    private var publication: PortPublication
    private var namespace: FileDescriptor?
    /// Kept once it is there: to close one after a removal is to wait for the kernel to have forgotten what was
    /// removed, which takes it ten milliseconds.
    private var firewall: NetfilterSocket?

    /// Binds what is asked for; nothing is open to the network yet.
    package init(
        _ publication: PortPublication, loop: EventLoop, buffer: PageBuffer, descriptors: DescriptorBudget
    ) throws(ShimError) {
        self.publication = publication
        self.loop = loop
        self.buffer = buffer
        self.descriptors = descriptors
        add(try PortBinder.bind(publication), publication)
    }

    /// What is bound, in the order in which it was.
    package var ports: [PublishedPort] { entries.map(\.port) }

    /// Says in which network namespace the container is: that of its first process.
    func enter(namespaceOf pid: Int32) throws(Errno) {
        enter(try Files.open(FilePath("/proc/\(pid)/ns/net"), .readOnly))
    }

    /// Takes the descriptor of the container's network namespace.
    package func enter(_ namespace: FileDescriptor) {
        self.namespace?.discard()
        self.namespace = namespace
    }

    /// Opens all ports to the network.
    package func open() throws(ShimError) {
        for entry in entries {
            try attempt("cannot open \(entry.port)") { () throws(Errno) in
                switch entry.service {
                case .stream(let listener): try listener.open()
                case .datagrams(let relay): try relay.open()
                case .reserved: break
                }
            }
        }
    }

    /// Binds more ports; the new ones are returned. They are not open to the network yet, but for those that take the
    /// place of one of `leaving`.
    package func publish(
        _ more: PortPublication, replacing leaving: [PublishedPort] = []
    ) throws(ShimError) -> [PublishedPort] {
        let sockets = try PortBinder.bind(
            more, handedOver: entries.map(\.socket).filter { leaving.contains($0.port) })
        publication.requests += more.requests
        publication.target = more.target
        publication.isTransparent = more.isTransparent
        add(sockets, more)
        return sockets.map(\.port)
    }

    /// Gives up these ports, after their elements in the firewall. Places on the host that were handed over stay.
    package func unpublish(_ ports: [PublishedPort]) {
        let leaving = entries.filter { ports.contains($0.port) }
        entries.removeAll { ports.contains($0.port) }
        let free = leaving.map(\.port).filter { port in !entries.contains { $0.port.hasPlace(of: port) } }
        removeElements(Self.elements(free, publication.target))
        for entry in leaving { close(entry) }
    }

    /// Sends what comes to other addresses from here on.
    package func retarget(_ target: PortTarget) {
        publication.target = target
        for case .datagrams(let relay) in entries.map(\.service) { relay.forgetClients() }
    }

    /// Gives up everything: the container has ended.
    package func close() {
        removeElements(Self.elements(ports, publication.target))
        removeElements(PortElements(published: publication.requests, of: publication.target))
        for entry in entries { close(entry) }
        entries = []
        namespace?.discard()
        namespace = nil
    }

    /// The connection by which elements were removed, if any were, for the caller to keep.
    func takeFirewall() -> NetfilterSocket? {
        defer { firewall = nil }
        return firewall
    }

    /// What the kernel may have of ports in whatever mode: the daemon changes it while containers run.
    private static func elements(_ ports: [PublishedPort], _ target: PortTarget) -> PortElements {
        PortElements(ports, to: target, mode: .nat)
    }

    /// Gives memory and descriptors back that are only needed when there is much to do.
    func release() { pipes.release() }

    /// Before the sockets are closed, as from then on the ports, and soon the container's address, may be others'. What
    /// cannot be removed here, the daemon's next recovery finds: elements name their sandbox.
    private func removeElements(_ elements: PortElements) {
        if elements.isEmpty { return }
        do throws(NetlinkError) {
            try elements.remove(by: firewallSocket())
        } catch {
            // There is nobody to be told; the ports themselves are given up all the same.
        }
    }

    private func firewallSocket() throws(NetlinkError) -> NetfilterSocket {
        if let firewall { return firewall }
        let socket = try NetfilterSocket()
        firewall = socket
        return socket
    }

    private func add(_ sockets: [PortSocket], _ publication: PortPublication) {
        descriptors.portsChanged(by: sockets.count)
        for socket in sockets {
            entries.append(Entry(socket: socket, service: service(for: socket, publication)))
        }
    }

    private func service(for socket: PortSocket, _ publication: PortPublication) -> Service {
        guard publication.splices else { return .reserved }
        let destination = { [unowned self] in
            namespace.map {
                PortDestination(
                    namespace: $0, target: self.publication.target, isTransparent: self.publication.isTransparent)
            }
        }
        switch socket.port.transport {
        case .tcp:
            return .stream(
                StreamListener(
                    socket, loop: loop, pipes: pipes, descriptors: descriptors, destination: destination))
        case .udp:
            return .datagrams(
                DatagramRelay(
                    socket, loop: loop, buffer: buffer, descriptors: descriptors, destination: destination))
        // An association has many streams and addresses, which cannot be joined as two streams of bytes can.
        case .sctp: return .reserved
        }
    }

    private func close(_ entry: Entry) {
        descriptors.portsChanged(by: -1)
        switch entry.service {
        case .stream(let listener): listener.close()
        case .datagrams(let relay): relay.close()
        case .reserved: entry.socket.descriptor.discard()
        }
    }
}
