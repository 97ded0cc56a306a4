import Glibc
import LinuxKernel
import PublishedPorts
import SystemPackage

/// A published port of TCP: accepts what the kernel does not forward, and joins it to connections into the container.
final class StreamListener {
    /// How many connections are accepted before others have their turn.
    private static let turn = 64
    /// How long nothing is accepted when there are no descriptors left, in milliseconds.
    private static let pause: Int64 = 100

    private let socket: FileDescriptor
    private let port: PublishedPort
    private let loop: EventLoop
    private let pipes: PipePool
    private let destination: () -> PortDestination?
    private var watch: EventLoop.Watch?
    private var timer: EventLoop.Timer?
    private var connections: [ObjectIdentifier: SplicedConnection] = [:]

    /// A listener that is closed to the network. `destination` says where connections go.
    init(_ socket: PortSocket, loop: EventLoop, pipes: PipePool, destination: @escaping () -> PortDestination?) {
        self.socket = socket.descriptor
        port = socket.port
        self.loop = loop
        self.pipes = pipes
        self.destination = destination
    }

    /// Accepts connections from here on.
    func open() throws(Errno) {
        guard watch == nil, timer == nil else { return }
        watch = try loop.watch(socket, .readable) { [unowned self] _ in accept() }
        do throws(Errno) { try socket.acceptPackets() } catch {
            stop()
            throw error
        }
    }

    /// Closes the socket, and breaks off all connections.
    func close() {
        stop()
        socket.discard()
        for connection in connections.values { connection.abort() }
    }

    private func stop() {
        if let watch { loop.unwatch(watch) }
        watch = nil
        if let timer { loop.cancel(timer) }
        timer = nil
    }

    private func accept() {
        for _ in 0..<Self.turn {
            do throws(Errno) {
                join(try socket.acceptConnection(nonBlocking: true))
            } catch .resourceTemporarilyUnavailable {
                return
            } catch .tooManyOpenFiles {
                return rest()
            } catch .tooManyOpenFilesInSystem {
                return rest()
            } catch .noMemory {
                return rest()
            } catch {
                // A connection that was broken off before it was accepted; accept(2) lists many errors for that.
                continue
            }
        }
    }

    /// Does not ask again at once what cannot be answered at once.
    private func rest() {
        if let watch { loop.unwatch(watch) }
        watch = nil
        timer = loop.schedule(milliseconds: Self.pause) { [unowned self] in
            timer = nil
            // Without memory for a watch it is tried once more.
            watch = try? loop.watch(socket, .readable) { [unowned self] _ in accept() }
            if watch == nil { rest() }
        }
    }

    private func join(_ client: FileDescriptor) {
        // Without descriptors or memory the client gets what it would get of a container that does not listen.
        guard let destination = destination(), let peer = client.peerName(),
            let inside = try? destination.connect(port.containerPort, client: peer)
        else { return refuse(client) }
        // Small answers are not held back. It fails for no connection.
        try? client.set(CInt(IPPROTO_TCP), TCP_NODELAY, 1)
        let connection = SplicedConnection(client: client, inside: inside, loop: loop, pipes: pipes) {
            [unowned self] in connections[ObjectIdentifier($0)] = nil
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
