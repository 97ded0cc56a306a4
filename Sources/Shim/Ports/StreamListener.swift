import Glibc
import LinuxKernel
import PublishedPorts
import SystemPackage

/// A published port of TCP: accepts what the kernel does not forward, and joins it to connections into the container.
final class StreamListener {
    private let acceptor: Acceptor
    private let port: PublishedPort
    private let loop: EventLoop
    private let pipes: PipePool
    private let descriptors: DescriptorBudget
    private let destination: () -> PortDestination?
    private var connections: [ObjectIdentifier: SplicedConnection] = [:]

    /// A listener that is closed to the network. `destination` says where connections go.
    init(
        _ socket: PortSocket, loop: EventLoop, pipes: PipePool, descriptors: DescriptorBudget,
        destination: @escaping () -> PortDestination?
    ) {
        port = socket.port
        self.loop = loop
        self.pipes = pipes
        self.descriptors = descriptors
        self.destination = destination
        // Replaced below, when there is a self for it.
        var join: (FileDescriptor) -> Void = { $0.discard() }
        acceptor = Acceptor(socket.descriptor, loop: loop) { join($0) }
        join = { [unowned self] in self.join($0) }
    }

    /// Accepts connections from here on.
    func open() throws(Errno) {
        guard !acceptor.isStarted else { return }
        try acceptor.start()
        do throws(Errno) { try acceptor.socket.admitPackets() } catch {
            acceptor.stop()
            throw error
        }
    }

    /// Closes the socket, and breaks off all connections.
    func close() {
        acceptor.close()
        for connection in connections.values { connection.abort() }
    }

    private func join(_ client: FileDescriptor) {
        guard descriptors.take(SplicedConnection.descriptors, for: .ports) else { return refuse(client) }
        // Without descriptors or memory the client gets what it would get of a container that does not listen.
        guard let destination = destination(), let peer = client.peerName(),
            let inside = try? destination.connect(port.containerPort, client: peer)
        else {
            descriptors.putBack(SplicedConnection.descriptors, for: .ports)
            return refuse(client)
        }
        // Small answers are not held back. It fails for no connection.
        try? client.set(CInt(IPPROTO_TCP), TCP_NODELAY, 1)
        let connection = SplicedConnection(client: client, inside: inside, loop: loop, pipes: pipes) {
            [unowned self] in
            connections[ObjectIdentifier($0)] = nil
            descriptors.putBack(SplicedConnection.descriptors, for: .ports)
        }
        connections[ObjectIdentifier(connection)] = connection
        connection.begin()
    }

    /// Closes with a reset, as the container's kernel would have.
    private func refuse(_ client: FileDescriptor) {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(client.rawValue, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
        client.discard()
    }
}
