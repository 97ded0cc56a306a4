import NIOCore
import NIOHTTP1
import TLS
import struct SystemPackage.Errno

/// The client's side of one connection, on its event loop: one request after the other, and of each answer no more than
/// `highWater` bytes that nobody has asked for yet.
final class HTTPExchange: ChannelDuplexHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundIn = HTTPClientRequestPart
    typealias OutboundOut = HTTPClientRequestPart

    private static let highWater = 512 << 10

    private let eventLoop: any EventLoop
    private let patience: TimeAmount
    private var context: ChannelHandlerContext?
    private var head: HTTPResponseHead?
    private var headWaiter: EventLoopPromise<HTTPResponseHead>?
    private var pending = ByteBuffer()
    /// Empty, to be `pending` next.
    private var next = ByteBuffer()
    private var pieceWaiter: EventLoopPromise<ByteBuffer?>?
    private var isComplete = true
    private var failure: (any Error)?
    private var isReadHeldBack = false
    private var timeout: Scheduled<Void>?

    /// - Parameter patience: how long the other side may stay silent.
    init(eventLoop: any EventLoop, patience: TimeAmount) {
        self.eventLoop = eventLoop
        self.patience = patience
    }

    // MARK: Called on the event loop

    /// Gets ready for the answer to a request that is about to be written.
    func begin() {
        head = nil
        pending.clear()
        isComplete = false
    }

    /// Whether an answer has begun to come, also if its request is not sent completely.
    var hasAnswer: Bool { head != nil || failure != nil }

    func awaitHead() -> EventLoopFuture<HTTPResponseHead> {
        if let head { return eventLoop.makeSucceededFuture(head) }
        if let failure { return eventLoop.makeFailedFuture(failure) }
        guard context != nil else { return eventLoop.makeFailedFuture(ChannelError.ioOnClosedChannel) }
        let promise = eventLoop.makePromise(of: HTTPResponseHead.self)
        headWaiter = promise
        startTimeout()
        return promise.futureResult
    }

    /// - Parameter spares: memory for what comes.
    func nextPiece(spares: SpareBuffers) -> EventLoopFuture<ByteBuffer?> {
        if pending.capacity == 0, let spare = spares.take() {
            pending = spare
        } else if next.capacity == 0, let spare = spares.take() {
            next = spare
        }
        if pending.readableBytes > 0 { return eventLoop.makeSucceededFuture(takePending()) }
        if isComplete { return eventLoop.makeSucceededFuture(nil) }
        if let failure { return eventLoop.makeFailedFuture(failure) }
        guard context != nil else { return eventLoop.makeFailedFuture(ChannelError.ioOnClosedChannel) }
        let promise = eventLoop.makePromise(of: ByteBuffer?.self)
        pieceWaiter = promise
        startTimeout()
        return promise.futureResult
    }

    private func takePending() -> ByteBuffer {
        let piece = pending
        pending = next
        next = ByteBuffer()
        if isReadHeldBack {
            isReadHeldBack = false
            context?.read()
        }
        return piece
    }

    private func startTimeout() {
        timeout?.cancel()
        timeout = eventLoop.assumeIsolated().scheduleTask(in: patience) {
            self.fail(
                DistributionError(
                    .unreachable, "the registry sent nothing for \(self.patience.nanoseconds / 1_000_000_000) s"))
            self.context?.close(promise: nil)
        }
    }

    // MARK: Events of the channel

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        timeout?.cancel()
        self.context = nil
    }

    func read(context: ChannelHandlerContext) {
        if pending.readableBytes >= Self.highWater {
            isReadHeldBack = true
        } else {
            context.read()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            timeout?.cancel()
            headWaiter?.succeed(head)
            headWaiter = nil
        case .body(var piece):
            if pending.capacity == 0 { pending = context.channel.allocator.buffer(capacity: Self.highWater) }
            pending.writeBuffer(&piece)
        case .end:
            isComplete = true
            deliver()
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { deliver() }

    private func deliver() {
        guard let waiter = pieceWaiter else { return }
        if pending.readableBytes > 0 {
            pieceWaiter = nil
            timeout?.cancel()
            waiter.succeed(takePending())
        } else if isComplete {
            pieceWaiter = nil
            timeout?.cancel()
            waiter.succeed(nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(DistributionError(.unreachable, "unexpected EOF: the registry closed the connection"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Where the answer has a length, or says where it ends, that tells whether all of it came. Many a server ends
        // TLS without saying so.
        if case TLSError.truncated = error, head?.endsWithConnection != true { return }
        fail(Self.translated(error))
        context.close(promise: nil)
    }

    private func fail(_ error: any Error) {
        timeout?.cancel()
        if failure == nil { failure = error }
        headWaiter?.fail(error)
        headWaiter = nil
        guard let waiter = pieceWaiter else { return }
        pieceWaiter = nil
        if isComplete { waiter.succeed(nil) } else { waiter.fail(error) }
    }

    /// An error of the layers below as ours.
    static func translated(_ error: any Error) -> DistributionError {
        switch error {
        case let error as DistributionError: return error
        case TLSError.notTLS: return DistributionError(.tls, "http: server gave HTTP response to HTTPS client")
        case TLSError.truncated, TLSError.handshakeTimeout: return DistributionError(.unreachable, "\(error)")
        case let error as TLSError: return DistributionError(.tls, "\(error)")
        case let error as IOError:
            return DistributionError(.unreachable, Errno(rawValue: error.errnoCode).description.lowercased())
        case is HTTPParserError:
            return DistributionError(.unreachable, "malformed HTTP response (\(error))")
        default:
            return DistributionError(.unreachable, "\(error)")
        }
    }
}

extension HTTPResponseHead {
    /// Whether nothing but the end of the connection tells where the body ends; RFC 9112, section 6.3.
    package var endsWithConnection: Bool {
        // Of several codings the last one counts, and only "chunked" says where it ends.
        if let coding = headers[canonicalForm: "Transfer-Encoding"].last { return coding.lowercased() != "chunked" }
        return !headers.contains(name: "Content-Length")
    }
}
