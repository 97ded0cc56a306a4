import NIOCore
import NIOPosix
import struct SystemPackage.FileDescriptor

/// A client's connection that has left HTTP: raw bytes both ways.
package struct HijackedConnection: Sendable {
    private let channel: any Channel
    private let tunnel: NIOLoopBound<Tunnel>

    init(channel: any Channel, tunnel: NIOLoopBound<Tunnel>) {
        self.channel = channel
        self.tunnel = tunnel
    }

    /// Sends bytes to the client; returns when the kernel has taken them.
    package func write(_ bytes: [UInt8]) async throws {
        let tunnel = tunnel
        try await channel.eventLoop.flatSubmit {
            let promise = channel.eventLoop.makePromise(of: Void.self)
            tunnel.value.writeAndFlush(ByteBuffer(bytes: bytes), promise: promise)
            return promise.futureResult
        }.get()
    }

    /// Joins the client with a connected stream socket, byte for byte with back-pressure in both directions and
    /// half-closes passed on, until both are closed. Bytes the client sent before are delivered first.
    ///
    /// The descriptor is owned by this call and closed in every case.
    ///
    /// - Parameter beforeEnd: awaited after the last byte has come from the socket and before the client sees the end.
    package func join(
        _ descriptor: FileDescriptor, beforeEnd: (@Sendable () async -> Void)? = nil
    ) async throws {
        let tunnel = tunnel
        let eventLoop = channel.eventLoop
        let ends = try await eventLoop.submit {
            let other = NIOLoopBound(Tunnel(eventLoop: eventLoop), eventLoop: eventLoop)
            return (other, tunnel.value.whenClosed.and(other.value.whenClosed).map { _ in })
        }.get()
        let (other, closed) = ends
        let connected = ClientBootstrap(group: eventLoop)
            .channelOption(.autoRead, value: false)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(other.value)
                    // Now, because a shim whose process was quick has closed already: the channel may become inactive
                    // together with becoming active, and what it delivers in between has to go somewhere.
                    Tunnel.join(tunnel.value, other.value, beforeEnd: beforeEnd)
                }
            }
            .withConnectedSocket(descriptor.rawValue)
        do {
            _ = try await connected.get()
        } catch {
            try await eventLoop.submit { other.value.abandon() }.get()
            throw error
        }
        try await closed.get()
    }
}
