import Addresses
import LinuxKernel
import Netlink
import PublishedPorts
import SystemPackage

/// A published port of UDP: carries what the kernel does not forward, with one socket into the container for each
/// client, so that answers find their way back.
final class DatagramRelay {
    /// A client that has sent nothing and got nothing for so long is forgotten; in milliseconds. Docker's proxy waits
    /// as long.
    private static let idle: Int64 = 90_000
    /// How often idle clients are looked for, in milliseconds.
    private static let sweep: Int64 = 10_000
    /// How many clients there are at most, as far as there are descriptors; the one that has been silent for the
    /// longest makes room for another.
    static let limit = 1024
    /// How many datagrams are carried before others have their turn.
    private static let turn = 64

    /// By which an answer finds its way back: a client may know the host by several addresses.
    private struct Key: Hashable {
        var peer: SocketAddress
        var local: IPAddress?
    }

    private struct Client {
        let socket: FileDescriptor
        /// What brings answers back to the socket.
        let answers: RoutingRule?
        let watch: EventLoop.Watch
        let origin: DatagramOrigin
        var lastUse: Int64
    }

    private let socket: FileDescriptor
    private let port: PublishedPort
    private let loop: EventLoop
    private let buffer: PageBuffer
    private let descriptors: DescriptorBudget
    private let destination: () -> PortDestination?
    private var watch: EventLoop.Watch?
    private var clients: [Key: Client] = [:]
    private var timer: EventLoop.Timer?
    /// Talks to the kernel about routes of the container's namespace.
    private var route: RouteSocket?

    /// A relay that is closed to the network. Every datagram goes through `buffer`.
    init(
        _ socket: PortSocket, loop: EventLoop, buffer: PageBuffer, descriptors: DescriptorBudget,
        destination: @escaping () -> PortDestination?
    ) {
        self.socket = socket.descriptor
        port = socket.port
        self.loop = loop
        self.buffer = buffer
        self.descriptors = descriptors
        self.destination = destination
    }

    /// Carries datagrams from here on.
    func open() throws(Errno) {
        guard watch == nil else { return }
        let watch = try loop.watch(socket, .readable) { [unowned self] _ in receive() }
        do throws(Errno) { try socket.admitPackets() } catch {
            loop.unwatch(watch)
            throw error
        }
        self.watch = watch
    }

    /// Closes the socket, and forgets all clients.
    func close() {
        if let watch { loop.unwatch(watch) }
        watch = nil
        socket.discard()
        forgetClients()
    }

    /// Forgets all clients; what they send next goes where `destination` says then.
    func forgetClients() {
        for key in Array(clients.keys) { forget(key) }
        route = nil
        guard let timer else { return }
        loop.cancel(timer)
        self.timer = nil
        buffer.release()
    }

    private func receive() {
        for _ in 0..<Self.turn {
            do throws(Errno) {
                let (count, origin) = try socket.receiveDatagram(into: buffer.bytes)
                guard let origin, let inside = inside(for: origin) else { continue }
                // As on the network, what cannot be sent now is lost.
                inside.send(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count]))
            } catch .resourceTemporarilyUnavailable {
                return
            } catch {
                // An answer that could not be delivered; the socket tells it once.
                continue
            }
        }
    }

    private func inside(for origin: DatagramOrigin) -> FileDescriptor? {
        let key = Key(peer: origin.peer, local: origin.localAddress)
        if let known = clients[key] {
            clients[key]?.lastUse = MonotonicClock.milliseconds
            return known.socket
        }
        if clients.count >= Self.limit { forgetMostSilent() }
        if !descriptors.take(1, for: .ports) {
            // The datagrams of a new client are lost if others have all descriptors.
            forgetMostSilent()
            guard descriptors.take(1, for: .ports) else { return nil }
        }
        // Without descriptors or memory the datagram is lost.
        guard
            let connection = try? destination()?.connectDatagrams(
                port.containerPort, client: origin.peer, by: &route)
        else {
            descriptors.putBack(1, for: .ports)
            return nil
        }
        let inside = connection.socket
        let watch: EventLoop.Watch
        do throws(Errno) {
            watch = try loop.watch(inside, .readable) { [unowned self] _ in answer(key) }
        } catch {
            inside.discard()
            leave(connection.answers)
            descriptors.putBack(1, for: .ports)
            return nil
        }
        clients[key] = Client(
            socket: inside, answers: connection.answers, watch: watch, origin: origin,
            lastUse: MonotonicClock.milliseconds)
        scheduleSweep()
        return inside
    }

    private func answer(_ key: Key) {
        guard let client = clients[key] else { return }
        clients[key]?.lastUse = MonotonicClock.milliseconds
        for _ in 0..<Self.turn {
            do throws(Errno) {
                let (count, _) = try client.socket.receiveDatagram(into: buffer.bytes)
                try socket.sendDatagram(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count]), to: client.origin)
            } catch .resourceTemporarilyUnavailable {
                return
            } catch {
                // Nobody listens in the container, or the client is out of reach: the datagram is lost.
                continue
            }
        }
    }

    private func forgetMostSilent() {
        if let silent = clients.min(by: { $0.value.lastUse < $1.value.lastUse }) { forget(silent.key) }
    }

    /// Forgets a client. There may be a datagram of another one in the buffer.
    private func forget(_ key: Key) {
        guard let client = clients.removeValue(forKey: key) else { return }
        loop.unwatch(client.watch)
        client.socket.discard()
        leave(client.answers)
        descriptors.putBack(1, for: .ports)
    }

    private func leave(_ answers: RoutingRule?) {
        // One that cannot be removed is gone with the namespace.
        if let answers { try? route?.perform(answers.removal) }
    }

    private func scheduleSweep() {
        guard timer == nil else { return }
        timer = loop.schedule(milliseconds: Self.sweep) { [unowned self] in
            timer = nil
            let now = MonotonicClock.milliseconds
            for (key, client) in clients where now - client.lastUse > Self.idle { forget(key) }
            if clients.isEmpty { buffer.release() } else { scheduleSweep() }
        }
    }
}

extension FileDescriptor {
    /// Sends a datagram to where the socket is connected; it may be lost.
    fileprivate func send(_ bytes: UnsafeRawBufferPointer) { _ = Transfer.send(self, bytes) }
}
