import NIOCore
import NIOHTTP1
import NIOSSL

/// Told to every connection when the server stops: finish what is being answered, take nothing new.
struct ServerStopping: Sendable {}

/// The server's side of one client connection: takes requests one after the other, each answered by a task of its own.
///
/// Nothing is read from the socket while a request is being answered unless its body is asked for, so neither bodies nor
/// pipelined requests pile up. A client that disconnects cancels the task of its request.
final class HTTPConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private enum State {
        case idle
        case answering(Exchange)
        /// The connection left HTTP; the tunnel handler has taken over.
        case hijacked(Exchange, Tunnel)
        /// All is said; what the client still sends is thrown away until it closes.
        case closing
    }

    /// One request and what is known about its progress.
    private final class Exchange {
        var task: Task<Void, Never>?
        var bodyEnded = false
        var bodyWaiter: EventLoopPromise<ByteBuffer?>?
        var expectsContinue: Bool
        var isStreaming = false
        /// Whether the connection ends with this exchange. The decoder stops at a request that asks for an upgrade, so nothing
        /// can follow that one either.
        var isLast: Bool

        init(head: HTTPRequestHead) {
            expectsContinue = head.headers[canonicalForm: "expect"].contains { $0.lowercased() == "100-continue" }
            isLast = !head.isKeepAlive || head.version.minor < 1 || head.headers.contains(name: "Upgrade")
        }
    }

    private let responder: HTTPResponder
    private let eventLoop: any EventLoop
    private var state = State.idle
    private var parts = CircularBuffer<HTTPServerRequestPart>()
    private var inputClosed = false
    private var inputFailed = false
    private var decoderIsGone = false
    private var context: ChannelHandlerContext?
    /// The end of a response that the kernel has not taken completely.
    private var lastWrite: EventLoopFuture<Void>?

    /// A client that does not close its side after we closed ours is cut off after this time.
    private static let lingering = TimeAmount.seconds(5)

    private let isEncrypted: Bool

    init(responder: HTTPResponder, eventLoop: any EventLoop, isEncrypted: Bool) {
        self.responder = responder
        self.isEncrypted = isEncrypted
        self.eventLoop = eventLoop
    }

    /// Adds the handlers of a connection to a fresh channel, in the order that lets a hijacked stream pass the encoder by.
    static func install(on channel: any Channel, responder: HTTPResponder, tls: NIOSSLContext?) throws {
        let connection = HTTPConnection(
            responder: responder, eventLoop: channel.eventLoop, isEncrypted: tls != nil)
        let pipeline = channel.pipeline.syncOperations
        if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
        try pipeline.addHandler(HalfCloseGate { [weak connection] in connection?.endOfInput() })
        try pipeline.addHandler(ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes)))
        try pipeline.addHandler(HTTPResponseEncoder())
        try pipeline.addHandler(connection)
    }

    // MARK: Events of the channel

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) { context.read() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .closing = state { return }
        parts.append(unwrapInboundIn(data))
        advance()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        switch state {
        case .idle, .closing: context.read()
        case .answering(let exchange): if exchange.bodyWaiter != nil { context.read() }
        case .hijacked: break
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        inputClosed = true
        switch state {
        case .answering(let exchange), .hijacked(let exchange, _):
            exchange.task?.cancel()
            exchange.bodyWaiter?.fail(HTTPServerError.connectionClosed)
            exchange.bodyWaiter = nil
        case .idle, .closing: break
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if error is HTTPParserError, case .idle = state {
            refuse("400 Bad Request", context: context)
        } else if error is HTTPParserError, case .answering(let exchange) = state {
            // What follows the request is not HTTP. The request itself was, and gets its answer.
            exchange.isLast = true
            inputFailed = true
            exchange.bodyWaiter?.fail(error)
            exchange.bodyWaiter = nil
        } else {
            context.close(promise: nil)
        }
    }

    /// Answers what is no proper HTTP request, as Go's server words it, and closes.
    private func refuse(_ text: String, context: ChannelHandlerContext) {
        let head = HTTPResponseHead(
            version: .http1_1, status: .badRequest,
            headers: [
                "Content-Type": "text/plain; charset=utf-8", "Connection": "close",
                "Content-Length": "\(text.utf8.count)",
            ])
        closeGently(after: send(head, body: Array(text.utf8), context: context))
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is ServerStopping else { return context.fireUserInboundEventTriggered(event) }
        switch state {
        case .idle: context.close(promise: nil)
        case .answering(let exchange):
            exchange.isLast = true
            // An endless response would use up the time that the others have to end.
            if exchange.isStreaming { exchange.task?.cancel() }
        case .hijacked(_, let tunnel): tunnel.finish()
        case .closing: break
        }
    }

    /// The client has shut down its write side.
    private func endOfInput() {
        inputClosed = true
        switch state {
        case .idle:
            // The last response may still be on its way to a client that reads slowly.
            if let lastWrite { closeGently(after: lastWrite) } else { context?.close(promise: nil) }
        case .closing:
            if lastWrite == nil { context?.close(promise: nil) }
        case .hijacked(_, let tunnel):
            // While the decoder is being removed, what it holds has to come first (see `hijack`).
            if decoderIsGone { tunnel.endOfInput() }
        case .answering(let exchange):
            if let waiter = exchange.bodyWaiter, parts.isEmpty {
                exchange.bodyWaiter = nil
                waiter.fail(HTTPServerError.connectionClosed)
            }
            cancelIfAbandoned(exchange)
        }
    }

    /// On a Unix socket a client that has gone altogether is told apart from one that only has nothing more to say; on TCP it
    /// is not. There the end of input during an endless response means that nobody listens.
    private func cancelIfAbandoned(_ exchange: Exchange) {
        guard inputClosed, exchange.isStreaming, let address = context?.remoteAddress, address.protocol != .unix else {
            return
        }
        exchange.task?.cancel()
    }

    // MARK: Requests

    private func advance() {
        while let part = parts.first {
            switch (state, part) {
            case (.idle, .head(let head)):
                parts.removeFirst()
                begin(head)
            case (.idle, _), (.closing, _), (.hijacked, _):
                parts.removeFirst()
            case (.answering(let exchange), .body(let piece)):
                guard let waiter = exchange.bodyWaiter else { return }
                parts.removeFirst()
                exchange.bodyWaiter = nil
                waiter.succeed(piece)
            case (.answering(let exchange), .end):
                guard !exchange.bodyEnded else { return }
                parts.removeFirst()
                exchange.bodyEnded = true
                exchange.bodyWaiter?.succeed(nil)
                exchange.bodyWaiter = nil
            case (.answering, .head):
                return
            }
        }
    }

    private func begin(_ head: HTTPRequestHead) {
        guard let context else { return }
        let hosts = head.headers[canonicalForm: "host"].count
        guard hosts == 1 || hosts == 0 && head.version != .http1_1 else {
            let reason = hosts == 0 ? "missing required Host header" : "too many Host headers"
            return refuse("400 Bad Request: \(reason)", context: context)
        }
        let exchange = Exchange(head: head)
        state = .answering(exchange)
        let eventLoop = eventLoop
        let connection = NIOLoopBound(self, eventLoop: eventLoop)
        let body = RequestBody {
            try await withTaskCancellationHandler {
                try Task.checkCancellation()
                return try await eventLoop.flatSubmit { connection.value.nextBodyPiece() }.get()
            } onCancel: {
                eventLoop.execute { connection.value.stopWaitingForBody() }
            }
        }
        let request = HTTPRequest(
            method: head.method, target: head.uri, headers: head.headers, body: body, isEncrypted: isEncrypted)
        let answer = Answer(
            connection: connection, channel: context.channel, responder: responder, request: request,
            version: head.version, isLast: exchange.isLast, isEncrypted: isEncrypted)
        exchange.task = Task { await answer.run() }
    }

    private func nextBodyPiece() -> EventLoopFuture<ByteBuffer?> {
        guard let context, case .answering(let exchange) = state else {
            return eventLoop.makeFailedFuture(HTTPServerError.connectionClosed)
        }
        if exchange.bodyEnded { return eventLoop.makeSucceededFuture(nil) }
        let promise = eventLoop.makePromise(of: ByteBuffer?.self)
        exchange.bodyWaiter = promise
        advance()
        guard exchange.bodyWaiter != nil else { return promise.futureResult }
        if inputClosed || inputFailed {
            exchange.bodyWaiter = nil
            promise.fail(HTTPServerError.connectionClosed)
        } else {
            if exchange.expectsContinue {
                exchange.expectsContinue = false
                let head = HTTPResponseHead(version: .http1_1, status: .continue)
                context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
            }
            context.read()
        }
        return promise.futureResult
    }

    private func stopWaitingForBody() {
        guard case .answering(let exchange) = state else { return }
        exchange.bodyWaiter?.fail(CancellationError())
        exchange.bodyWaiter = nil
    }

    // MARK: Responses (called by `Answer` on the event loop)

    /// Sends a whole response and ends the exchange.
    func respond(_ head: HTTPResponseHead, body: [UInt8]) {
        guard let context else { return }
        endExchange(after: send(head, body: body, context: context))
    }

    /// Sends a head and part of a file, and ends the exchange.
    func respond(_ head: HTTPResponseHead, file: FileRange) {
        guard let context else { return }
        // Only a number to NIO: the range closes the descriptor when the last byte has been taken.
        let handle = NIOFileHandle(_deprecatedTakingOwnershipOfDescriptor: file.descriptor.rawValue)
        let region = FileRegion(
            fileHandle: handle, readerIndex: Int(file.offset), endIndex: Int(file.offset + file.count))
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.fileRegion(region))), promise: nil)
        let written = context.writeAndFlush(wrapOutboundOut(.end(nil)))
        written.whenComplete { _ in
            // It does not close it, and must not be asked to when it goes. Taking it twice is the only way to fail.
            _ = try? handle.takeDescriptorOwnership()
            withExtendedLifetime(file) {}
        }
        endExchange(after: written)
    }

    private func send(
        _ head: HTTPResponseHead, body: [UInt8], context: ChannelHandlerContext
    ) -> EventLoopFuture<Void> {
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if !body.isEmpty {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil)
        }
        return context.writeAndFlush(wrapOutboundOut(.end(nil)))
    }

    /// A response without an announced length begins: its client is watched for going away.
    func beginStreaming() {
        guard case .answering(let exchange) = state else { return }
        exchange.isStreaming = true
        cancelIfAbandoned(exchange)
    }

    /// The last piece of a streamed response is written.
    func endStreaming() {
        guard let context else { return }
        endExchange(after: context.writeAndFlush(wrapOutboundOut(.end(nil))))
    }

    /// A streamed response cannot be completed. Closing without the last chunk is how HTTP/1.1 tells the client.
    func abort() {
        context?.close(promise: nil)
    }

    /// Makes the connection ready for its next request, or closes it.
    private func endExchange(after written: EventLoopFuture<Void>) {
        guard let context, case .answering(let exchange) = state else { return }
        while !exchange.bodyEnded, let part = parts.popFirst() {
            if case .end = part { exchange.bodyEnded = true }
        }
        guard exchange.bodyEnded, !exchange.isLast, !inputClosed else { return closeGently(after: written) }
        state = .idle
        lastWrite = written
        written.assumeIsolated().whenComplete { _ in
            if self.lastWrite === written { self.lastWrite = nil }
        }
        advance()
        if case .idle = state { context.read() }
    }

    /// Closes after the client had the chance to read the response: a socket closed with unread input is reset, and the client
    /// may lose what it was sent.
    private func closeGently(after written: EventLoopFuture<Void>) {
        state = .closing
        parts.removeAll()
        lastWrite = written
        written.assumeIsolated().whenComplete { _ in
            self.lastWrite = nil
            guard let context = self.context else { return }
            guard !self.inputClosed, !self.inputFailed else { return context.close(promise: nil) }
            context.close(mode: .output, promise: nil)
            context.read()
            self.eventLoop.assumeIsolated().scheduleTask(in: Self.lingering) { self.context?.close(promise: nil) }
        }
    }

    /// Leaves HTTP: writes the head as plain bytes and puts a tunnel in the decoder's place.
    ///
    /// - Throws: `HTTPServerError.connectionClosed`.
    func hijack(head: ByteBuffer) throws -> HijackedConnection {
        guard let context, case .answering(let exchange) = state, context.channel.isActive else {
            throw HTTPServerError.connectionClosed
        }
        let pipeline = context.pipeline.syncOperations
        let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
        let tunnel = Tunnel(eventLoop: eventLoop)
        try pipeline.addHandler(tunnel, position: .after(decoder))
        state = .hijacked(exchange, tunnel)
        parts.removeAll()
        tunnel.writeAndFlush(head, promise: eventLoop.makePromise())
        // What the decoder holds beyond the request is handed to the tunnel now; only then may the end of input follow.
        let bound = NIOLoopBound(tunnel, eventLoop: eventLoop)
        let removed = eventLoop.makePromise(of: Void.self)
        removed.futureResult.assumeIsolated().whenComplete { _ in
            self.decoderIsGone = true
            if self.inputClosed { tunnel.endOfInput() }
        }
        pipeline.removeHandler(decoder, promise: removed)
        return HijackedConnection(channel: context.channel, tunnel: bound)
    }

    /// The hijacked connection has served its purpose.
    func endHijack() {
        guard case .hijacked(_, let tunnel) = state else { return }
        tunnel.finish()
    }
}
