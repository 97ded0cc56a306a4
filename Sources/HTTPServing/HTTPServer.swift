import NIOCore
import NIOPosix
import Synchronization
import TLS
import struct SystemPackage.Errno
import struct SystemPackage.FileDescriptor

/// An HTTP/1.1 server on sockets that listen already.
///
/// The caller opens the sockets and decides about addresses, owners and modes; the server only accepts.
package actor HTTPServer {
    private let group: any EventLoopGroup
    private let service: HTTPService
    private var listeners: [any Channel] = []
    private var connections: [ObjectIdentifier: any Channel] = [:]
    /// How many connections have been accepted and are open.
    private let count = ConnectionCount()

    /// A server whose connections live on `group` and are answered by `responder`.
    ///
    /// - Parameters:
    ///   - limits: deadlines and byte budgets.
    ///   - tls: certificate and key of a server that encrypts on the sockets that it opens; nil for plain HTTP.
    package init(
        group: any EventLoopGroup, responder: HTTPResponder, limits: ConnectionLimits = ConnectionLimits(),
        tls: TLSContext? = nil
    ) {
        self.group = group
        service = HTTPService(responder: responder, limits: limits, tls: tls)
    }

    /// Accepts connections on a listening stream socket, which the server owns from now on.
    ///
    /// - Parameter tls: certificate and key for the connections of this socket; nil for plain HTTP.
    package func accept(on descriptor: FileDescriptor, tls: TLSContext? = nil) async throws {
        listeners.append(try await listener(service.with(tls)).withBoundSocket(descriptor.rawValue).get())
    }

    /// Listens on an address and accepts connections.
    ///
    /// - Parameters:
    ///   - host: an address or a name.
    ///   - port: 0 lets the kernel choose.
    /// - Returns: the port.
    /// - Throws: `HTTPServerError.address`.
    package func listen(host: String, port: Int) async throws -> Int {
        let channel: any Channel
        do {
            channel = try await listener(service).bind(host: host, port: port).get()
        } catch {
            let reason = (error as? IOError).map { Errno(rawValue: $0.errnoCode).description } ?? "\(error)"
            throw HTTPServerError.address("\(host):\(port)", reason: reason)
        }
        listeners.append(channel)
        return channel.localAddress?.port ?? port
    }

    private func listener(_ service: HTTPService) -> ServerBootstrap {
        let count = count
        return ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 1024)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                // Descriptors are needed for containers as well; one connection too many ends at once.
                channel.closeFuture.whenComplete { _ in count.value.wrappingSubtract(1, ordering: .relaxed) }
                if count.value.wrappingAdd(1, ordering: .relaxed).newValue > service.limits.connections {
                    return channel.eventLoop.makeFailedFuture(HTTPServerError.connectionClosed)
                }
                Task { await self.opened(channel) }
                return channel.eventLoop.makeCompletedFuture {
                    try HTTPConnection.install(on: channel, service: service)
                }
            }
    }

    /// Serves one connected stream socket, which the server owns from now on.
    package func serve(_ descriptor: FileDescriptor) async throws {
        let service = service
        let channel = try await ClientBootstrap(group: group)
            .channelOption(.autoRead, value: false)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try HTTPConnection.install(on: channel, service: service)
                }
            }
            .withConnectedSocket(descriptor.rawValue)
            .get()
        opened(channel)
    }

    /// Stops listening, lets what is being answered finish for at most `grace`, then closes every connection.
    package func stop(grace: Duration) async {
        for listener in listeners {
            // A listener that is closed already is what we want.
            try? await listener.close()
        }
        listeners = []
        for connection in connections.values {
            connection.pipeline.fireUserInboundEventTriggered(ServerStopping())
        }
        let end = ContinuousClock.now + grace
        while !connections.isEmpty, ContinuousClock.now < end {
            // Woken early only by cancellation, and then the connections are closed at once.
            try? await Task.sleep(for: .milliseconds(20))
            if Task.isCancelled { break }
        }
        for connection in connections.values { connection.close(promise: nil) }
    }

    private func opened(_ channel: any Channel) {
        let identity = ObjectIdentifier(channel)
        connections[identity] = channel
        channel.closeFuture.whenComplete { _ in
            Task { await self.closed(identity) }
        }
    }

    private func closed(_ identity: ObjectIdentifier) {
        connections[identity] = nil
    }
}

/// What all connections of a server have in common.
struct HTTPService: Sendable {
    let responder: HTTPResponder
    let limits: ConnectionLimits
    private(set) var tls: TLSContext?
    /// What bodies that are collected in memory have together.
    let budget: ByteBudget
    let outboxes = FeedOutboxes()

    init(responder: HTTPResponder, limits: ConnectionLimits, tls: TLSContext?) {
        self.responder = responder
        self.limits = limits
        self.tls = tls
        budget = ByteBudget(limit: limits.collectedBytes)
    }

    /// The same for sockets with another identity, or without TLS.
    func with(_ tls: TLSContext?) -> HTTPService {
        var service = self
        service.tls = tls
        return service
    }
}

/// A number that closures share.
private final class ConnectionCount: Sendable {
    let value = Atomic(0)
}
