import LinuxKernel
import NIOCore
import NIOPosix
import Synchronization
import TLS
import struct SystemPackage.FileDescriptor

/// A channel with a `TLSHandler`, and what the handlers above it see.
struct TestConnection: Sendable {
    /// What has come so far.
    struct Seen: Sendable {
        var bytes: [UInt8] = []
        var errors: [TLSError] = []
        /// `end` of input, `error` and `inactive`, in their order.
        var events: [String] = []
    }

    let channel: any Channel
    private let recorder: Recorder
    /// Whether the handler still exists.
    let isAlive: @Sendable () -> Bool

    /// Takes over a connected socket.
    init(
        _ socket: FileDescriptor, keepsHalfClosed: Bool = true, reads: Bool = true,
        _ add: @escaping @Sendable (ChannelPipeline.SynchronousOperations) throws -> Void
    ) async throws {
        let recorder = Recorder()
        let life = Life()
        channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.autoRead, value: reads)
            .channelOption(.allowRemoteHalfClosure, value: keepsHalfClosed)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try add(pipeline)
                    life.watch(try pipeline.context(name: "TLS").handler)
                    try pipeline.addHandler(RecordingHandler(recorder))
                }
            }
            .withConnectedSocket(socket.rawValue)
            .get()
        self.recorder = recorder
        isAlive = { life.isAlive }
    }

    /// A client and a server that are joined.
    static func pair(
        client: TLSContext, to host: String = "registry.test", server: TLSContext
    ) async throws -> (client: TestConnection, server: TestConnection) {
        let (near, far) = try UnixSocket.pair(.stream)
        let one = try await TestConnection(near) { try $0.addTLS(client: client, to: host, handshakeTime: nil) }
        let other = try await TestConnection(far) { try $0.addTLS(server: server) }
        return (one, other)
    }

    /// What has come, as soon as it is what the test waits for.
    @discardableResult
    func seen(when condition: (Seen) -> Bool) async throws -> Seen {
        while true {
            let seen = recorder.seen.withLock { $0 }
            if condition(seen) { return seen }
            try await Task.sleep(for: .milliseconds(1))
        }
    }

    /// The first error, when there is one.
    var error: TLSError? {
        get async throws { try await seen { !$0.errors.isEmpty }.errors.first }
    }

    func write(_ bytes: [UInt8]) -> EventLoopFuture<Void> { channel.writeAndFlush(ByteBuffer(bytes: bytes)) }

    /// How much of what was written has not left: bytes of the channel, and of the handler.
    func unsent() async throws -> (channel: Int, handler: Int) {
        let channel = channel
        return try await channel.eventLoop.submit {
            let waiting = try channel.syncOptions?.getOption(.bufferedWritableBytes) ?? 0
            return (waiting, channel.pipeline.syncOperations.outboundBufferedBytes())
        }.get()
    }

    func close() async {
        // One that is closed already is what we want.
        try? await channel.close()
    }
}

private final class Recorder: Sendable {
    let seen = Mutex(TestConnection.Seen())
}

/// Knows whether an object still exists.
private final class Life: Sendable {
    private struct Reference: @unchecked Sendable {
        weak var object: AnyObject?
    }

    private let reference = Mutex(Reference())

    func watch(_ object: AnyObject) {
        let made = Reference(object: object)
        reference.withLock { $0 = made }
    }

    var isAlive: Bool { reference.withLock { $0.object != nil } }
}

private final class RecordingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let recorder: Recorder

    init(_ recorder: Recorder) { self.recorder = recorder }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        recorder.seen.withLock { $0.bytes += bytes.readableBytesView }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed { recorder.seen.withLock { $0.events.append("end") } }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? TLSError else { return }
        recorder.seen.withLock {
            $0.errors.append(error)
            $0.events.append("error")
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        recorder.seen.withLock { $0.events.append("inactive") }
    }
}
