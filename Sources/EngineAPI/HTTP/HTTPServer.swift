import NIOCore
import NIOPosix
import Synchronization
import struct SystemPackage.FileDescriptor

/// An HTTP/1.1 server on sockets that listen already.
///
/// Who opens the sockets decides about addresses, owners and modes; the server only accepts.
package actor HTTPServer {
    private let group: any EventLoopGroup
    private let responder: HTTPResponder
    private var listeners: [any Channel] = []
    private var connections: [ObjectIdentifier: any Channel] = [:]
    /// How many connections have been accepted and are open.
    private let count = ConnectionCount()

    private let connectionLimit: Int

    /// A server whose connections live on `group` and are answered by `responder`.
    ///
    /// - Parameter connectionLimit: how many connections there may be at a time.
    package init(group: any EventLoopGroup, responder: HTTPResponder, connectionLimit: Int = .max) {
        self.connectionLimit = connectionLimit
        self.group = group
        self.responder = responder
    }

    /// Accepts connections on a listening stream socket, which the server owns from now on.
    package func accept(on descriptor: FileDescriptor) async throws {
        let responder = responder
        let (count, limit) = (count, connectionLimit)
        let listener = try await ServerBootstrap(group: group)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                // Descriptors are needed for containers as well; one connection too many ends at once.
                channel.closeFuture.whenComplete { _ in count.value.wrappingSubtract(1, ordering: .relaxed) }
                if count.value.wrappingAdd(1, ordering: .relaxed).newValue > limit {
                    return channel.eventLoop.makeFailedFuture(HTTPServerError.connectionClosed)
                }
                Task { await self.opened(channel) }
                return channel.eventLoop.makeCompletedFuture {
                    try HTTPConnection.install(on: channel, responder: responder)
                }
            }
            .withBoundSocket(descriptor.rawValue)
            .get()
        listeners.append(listener)
    }

    /// Serves one connected stream socket, which the server owns from now on.
    package func serve(_ descriptor: FileDescriptor) async throws {
        let responder = responder
        let channel = try await ClientBootstrap(group: group)
            .channelOption(.autoRead, value: false)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try HTTPConnection.install(on: channel, responder: responder)
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

/// A number that closures share.
private final class ConnectionCount: Sendable {
    let value = Atomic(0)
}
