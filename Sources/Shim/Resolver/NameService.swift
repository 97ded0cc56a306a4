import Addresses
import DNS
import Glibc
import LinuxKernel
import Netlink
import SystemPackage

/// The sockets of a container's resolver: takes queries inside the container's network namespace, at 127.0.0.11, and
/// answers them by what `Resolver` decides.
///
/// Everything happens in the shim's loop. What a container can make it keep is limited: queries that wait for servers,
/// connections, and bytes.
package final class NameService {
    /// How long others may take, and how much they may ask for at once.
    package struct Limits {
        /// How many queries may wait for servers, as far as there are descriptors; the next one is refused. As with
        /// Docker.
        package var forwardings = 1024
        /// How many bytes these queries may have altogether.
        package var bytes = 256 << 10
        /// How many connections there may be, as far as there are descriptors; the one that has been silent for the
        /// longest makes room for another.
        package var streams = 32
        /// How long a server may take, in milliseconds; as with Docker.
        package var serverPatience: Int64 = 4000
        /// How long a connection may be silent, in milliseconds.
        package var streamPatience: Int64 = 10_000

        /// The usual limits.
        package init() {}
    }

    /// How many datagrams are answered before others have their turn.
    private static let turn = 32
    /// How many ports are tried, until one is free for UDP and TCP.
    private static let mostPorts = 16

    private let context: StreamContext
    private let namespace: FileDescriptor
    /// The namespace's, kept once it is there, as to close it after a change is to wait for the kernel.
    private var firewall: NetfilterSocket?
    let limits: Limits
    private var resolver: Resolver
    private let datagrams: FileDescriptor
    private let listener: Acceptor
    /// The port of both sockets, which the kernel has chosen.
    package let port: UInt16
    private var watch: EventLoop.Watch?
    private var forwardings: [ObjectIdentifier: Forwarding] = [:]
    private var forwardedBytes = 0
    private var streams: [QueryStream] = []
    private var generator = SystemRandomNumberGenerator()

    /// Opens the sockets in a container's network namespace.
    ///
    /// - Parameter namespace: Becomes the service's own, to be closed by it.
    package init(
        _ configuration: ResolverConfiguration, namespace: FileDescriptor, context: StreamContext,
        limits: Limits = Limits()
    ) throws(Errno) {
        self.context = context
        self.limits = limits
        self.namespace = namespace
        resolver = Resolver(configuration)
        let sockets: (datagrams: FileDescriptor, listener: FileDescriptor, port: UInt16)
        do throws(Errno) {
            sockets = try NetworkNamespace.visit(namespace) { Result { () throws(Errno) in try Self.openSockets() } }
                .get()
        } catch {
            namespace.discard()
            throw error
        }
        datagrams = sockets.datagrams
        port = sockets.port
        // Replaced below, when there is a self for it.
        var add: (FileDescriptor) -> Void = { $0.discard() }
        listener = Acceptor(sockets.listener, loop: context.loop) { add($0) }
        add = { [unowned self] in self.add($0) }
        do throws(Errno) {
            watch = try context.loop.watch(datagrams, .readable) { [unowned self] _ in receive() }
            try listener.start()
        } catch {
            close()
            throw error
        }
    }

    /// Lets programs find the resolver at port 53.
    package func show() throws(NetlinkError) { try ResolverRules.add(port: port, by: firewallSocket()) }

    /// Ends `show`, where the namespace lives on.
    package func hide() throws(NetlinkError) { try ResolverRules.remove(by: firewallSocket()) }

    private func firewallSocket() throws(NetlinkError) -> NetfilterSocket {
        if let firewall { return firewall }
        let socket = try NetfilterSocket.opened(in: namespace)
        firewall = socket
        return socket
    }

    /// Answers by other names and servers from here on.
    package func change(to configuration: ResolverConfiguration) { resolver = Resolver(configuration) }

    /// Closes everything. Those who wait for answers get none.
    package func close() {
        for forwarding in forwardings.values { end(forwarding) }
        for stream in streams { stream.close() }
        if let watch { context.loop.unwatch(watch) }
        watch = nil
        datagrams.discard()
        listener.close()
        namespace.discard()
    }

    // MARK: Sockets

    private static func openSockets() throws(Errno) -> (FileDescriptor, FileDescriptor, UInt16) {
        var tries = 1
        while true {
            do throws(Errno) {
                return try openPair()
            } catch .addressInUse where tries < mostPorts {
                tries += 1
            }
        }
    }

    /// Two sockets with the same port.
    private static func openPair() throws(Errno) -> (FileDescriptor, FileDescriptor, UInt16) {
        let datagrams = try InternetSocket.make(.udp, .ipv4)
        do throws(Errno) {
            try datagrams.bind(to: SocketAddress(Resolver.address, 0))
            guard let port = datagrams.socketName()?.port else { throw .badFileDescriptor }
            let listener = try InternetSocket.make(.tcp, .ipv4)
            do throws(Errno) {
                try listener.bind(to: SocketAddress(Resolver.address, port))
                try listener.listen(backlog: 16)
            } catch {
                listener.discard()
                throw error
            }
            return (datagrams, listener, port)
        } catch {
            datagrams.discard()
            throw error
        }
    }

    private func receive() {
        for _ in 0..<Self.turn {
            do throws(Errno) {
                let (count, origin) = try datagrams.receiveDatagram(into: context.inputBuffer.bytes)
                guard let origin else { continue }
                let query = UnsafeRawBufferPointer(rebasing: context.inputBuffer.bytes[..<count])
                answer(query, by: .udp) { [unowned self] bytes in
                    // As on any network, what cannot be sent now is lost, and asked for again.
                    bytes.withUnsafeBytes { try? datagrams.sendDatagram($0, to: origin) }
                }
            } catch .resourceTemporarilyUnavailable {
                return
            } catch {
                // An answer that could not be delivered; the socket tells it once.
                continue
            }
        }
    }

    private func add(_ socket: FileDescriptor) {
        if streams.count >= limits.streams { closeMostSilent() }
        if !context.descriptors.take(1, for: .resolver) {
            // Without one that could make room, queries have all descriptors: the program may ask again.
            closeMostSilent()
            guard context.descriptors.take(1, for: .resolver) else { return socket.discard() }
        }
        do throws(Errno) {
            streams.append(try QueryStream(socket, context: context, service: self))
        } catch {
            context.descriptors.putBack(1, for: .resolver)
            socket.discard()
        }
    }

    private func closeMostSilent() { streams.min { $0.lastUse < $1.lastUse }?.close() }

    /// Takes note of a connection that has been closed.
    func forget(_ stream: QueryStream) {
        streams.removeAll { $0 === stream }
        context.descriptors.putBack(1, for: .resolver)
    }

    // MARK: Queries

    /// Calls `respond` with the answer to a query, at once or when servers have answered; not at all if it is no query.
    ///
    /// - Returns: The forwarding that has to be waited for, if there is one.
    @discardableResult
    func answer(
        _ query: UnsafeRawBufferPointer, by transport: ResolverTransport, _ respond: @escaping ([UInt8]) -> Void
    ) -> Forwarding? {
        switch resolver.decide(query, by: transport, using: &generator) {
        case .ignore:
            return nil
        case .answer(let bytes):
            respond(bytes)
            return nil
        case .forward(let query, let servers):
            guard forwardings.count < limits.forwardings, forwardedBytes + query.bytes.count <= limits.bytes,
                context.descriptors.take(1, for: .resolver)
            else {
                respond(query.failure(.refused))
                return nil
            }
            return forward(query, servers, transport, respond)
        }
    }

    private func forward(
        _ query: ForwardedQuery, _ servers: [ResolverConfiguration.Server], _ transport: ResolverTransport,
        _ respond: @escaping ([UInt8]) -> Void
    ) -> Forwarding? {
        let forwarding = Forwarding(
            query, servers, transport,
            way: ServerWay(context: context, namespace: namespace, patience: limits.serverPatience))
        let id = ObjectIdentifier(forwarding)
        forwardings[id] = forwarding
        forwardedBytes += query.bytes.count
        forwarding.begin { [unowned self] bytes in
            end(forwarding)
            respond(bytes)
        }
        return forwardings[id]
    }

    /// Forgets a forwarding that nobody waits for any more.
    func end(_ forwarding: Forwarding) {
        forwarding.cancel()
        guard forwardings.removeValue(forKey: ObjectIdentifier(forwarding)) != nil else { return }
        forwardedBytes -= forwarding.query.bytes.count
        context.descriptors.putBack(1, for: .resolver)
        if forwardings.isEmpty { context.onHeavyUse() }
    }
}
