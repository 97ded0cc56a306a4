import NIOCore
import NIOHTTP1
import TLS

/// Told to every connection when the server stops: finish what is being answered, take nothing new.
struct ServerStopping: Sendable {}

/// The server's side of one client connection: takes requests one after the other, each answered by a task of its own.
///
/// The next request is looked at when the kernel has taken the answer to the one before. Nothing is read from the
/// socket while a request is being answered unless its body is asked for. So neither bodies nor requests nor answers
/// pile up. A client that disconnects cancels the task of its request; one that makes no progress is cut off
/// (`ConnectionLimits`).
final class HTTPConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private enum State {
        case idle
        case answering(Exchange)
        /// The answer is complete, and the client has not taken all of it.
        case delivering(Exchange)
        /// The connection left HTTP; the tunnel handler has taken over.
        case hijacked(Exchange, Tunnel)
        /// All is said; what the client still sends is thrown away until it closes.
        case closing
    }

    private let service: HTTPService
    private let eventLoop: any EventLoop
    private let gate: InputGate
    private var state = State.idle
    private var parts = CircularBuffer<HTTPServerRequestPart>()
    private var inputClosed = false
    private var inputFailed = false
    private var decoderIsGone = false
    /// Whether part of a head has come.
    private var isReadingHead = false
    /// Whether there is an end of a response that the kernel has not taken.
    private var isWriting = false
    /// How long the client may take nothing of that end; `nil` for ever.
    private var endTime: Duration?
    private var context: ChannelHandlerContext?
    private lazy var patience = Patience(on: eventLoop, gate: gate) { [weak self] in self?.patienceEnded() }

    /// A client that does not close its side after we closed ours is cut off after this time.
    private static let lingering = Duration.seconds(5)

    private init(service: HTTPService, eventLoop: any EventLoop, gate: InputGate) {
        self.service = service
        self.eventLoop = eventLoop
        self.gate = gate
    }

    /// Adds the handlers of a connection to a fresh channel, in the order that lets a hijacked stream pass the encoder
    /// by.
    static func install(on channel: any Channel, service: HTTPService) throws {
        let gate = InputGate()
        let connection = HTTPConnection(service: service, eventLoop: channel.eventLoop, gate: gate)
        gate.inputClosed = { [weak connection] in connection?.endOfInput() }
        var decoding = NIOHTTPDecoderLimitConfiguration()
        decoding.maxHeaderFieldSize = service.limits.headBytes
        decoding.maxHeaderListSize = service.limits.headBytes
        let decoder = HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: decoding)
        let pipeline = channel.pipeline.syncOperations
        if let tls = service.tls { try pipeline.addTLS(server: tls) }
        try pipeline.addHandler(gate)
        try pipeline.addHandler(ByteToMessageHandler(decoder))
        try pipeline.addHandler(HTTPResponseEncoder())
        try pipeline.addHandler(connection)
    }

    // MARK: Events of the channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        patience.channel = context.channel
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        patience.end()
    }

    func channelActive(context: ChannelHandlerContext) {
        patience.wait(service.limits.headTime)
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        gate.fruitless = 0
        if case .closing = state { return }
        parts.append(unwrapInboundIn(data))
        advance()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        let isTooMuch = gate.fruitless > service.limits.headBytes
        switch state {
        case .idle where isTooMuch: refuse(.requestHeaderFieldsTooLarge, context: context)
        case .idle:
            if gate.fruitless > 0, !isReadingHead {
                isReadingHead = true
                patience.wait(service.limits.headTime)
            }
            context.read()
        case .closing: context.read()
        case .answering(let exchange) where isTooMuch: failInput(of: exchange, HTTPServerError.malformedBody)
        case .answering(let exchange): if exchange.bodyWaiter != nil { context.read() }
        case .delivering, .hijacked: break
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        inputClosed = true
        patience.end()
        switch state {
        case .answering(let exchange), .hijacked(let exchange, _):
            exchange.task?.cancel()
            exchange.failBody(HTTPServerError.connectionClosed)
        case .idle, .delivering, .closing: break
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The server throws away what the client still sends; a decoder that has failed says so of every piece.
        if case .closing = state, error is ByteToMessageDecoderError { return }
        guard let error = error as? HTTPParserError else { return context.close(promise: nil) }
        switch state {
        case .idle: refuse(error == .headerOverflow ? .requestHeaderFieldsTooLarge : .badRequest, context: context)
        // What follows the request is not HTTP. The request itself was, and gets its answer.
        case .answering(let exchange): failInput(of: exchange, HTTPServerError.malformedBody)
        case .delivering(let exchange):
            exchange.isLast = true
            inputFailed = true
        case .hijacked, .closing: context.close(promise: nil)
        }
    }

    /// The rest of what the client sends is of no use.
    private func failInput(of exchange: Exchange, _ error: any Error) {
        exchange.isLast = true
        inputFailed = true
        patience.awaitProgress(exchange.patience)
        exchange.failBody(error)
    }

    /// Answers what is no proper HTTP request, as Go's server words it, and closes.
    private func refuse(_ status: HTTPResponseStatus, _ reason: String = "", context: ChannelHandlerContext) {
        let text = "\(status.code) \(status.reasonPhrase)\(reason)"
        let head = HTTPResponseHead(
            version: .http1_1, status: status,
            headers: [
                "Content-Type": "text/plain; charset=utf-8", "Connection": "close",
                "Content-Length": "\(text.utf8.count)",
            ])
        endTime = service.limits.answerTime
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
        case .delivering(let exchange): exchange.isLast = true
        case .hijacked(_, let tunnel): tunnel.finish()
        case .closing: break
        }
    }

    // MARK: Patience

    /// The client made no progress for as long as it may.
    private func patienceEnded() {
        guard let context else { return }
        switch state {
        case .idle where gate.fruitless > 0: refuse(.requestTimeout, context: context)
        case .idle: context.close(promise: nil)
        case .answering(let exchange) where exchange.bodyWaiter != nil:
            failInput(of: exchange, HTTPServerError.bodyStalled(exchange.bodyTime ?? service.limits.bodyTime))
        case .answering(let exchange): closeUnlessProgressing(exchange.patience, context)
        case .delivering: closeUnlessProgressing(endTime, context)
        case .closing where isWriting: closeUnlessProgressing(endTime, context)
        case .closing: context.close(promise: nil)
        case .hijacked: break
        }
    }

    private func closeUnlessProgressing(_ time: Duration?, _ context: ChannelHandlerContext) {
        if patience.clientStandsStill { return context.close(promise: nil) }
        patience.awaitProgress(time)
    }

    /// The client has shut down its write side.
    private func endOfInput() {
        inputClosed = true
        switch state {
        case .idle:
            // Requests that came before the end are answered first; `read` brings them on.
            if !gate.hasMore { context?.close(promise: nil) }
        case .closing:
            if !isWriting { context?.close(promise: nil) }
        case .hijacked(_, let tunnel):
            // While the decoder is being removed, what it holds has to come first (see `hijack`).
            if decoderIsGone, !gate.hasMore { tunnel.endOfInput() }
        case .answering(let exchange):
            if parts.isEmpty, !gate.hasMore { exchange.failBody(HTTPServerError.connectionClosed) }
            cancelIfAbandoned(exchange)
        case .delivering: break
        }
    }

    /// On a Unix socket a client that has gone altogether is told apart from one that only has nothing more to say; on
    /// TCP it is not. There the end of input after a whole request means that nobody waits for the answer, as in
    /// Docker's daemon.
    private func cancelIfAbandoned(_ exchange: Exchange) {
        guard inputClosed, let address = context?.remoteAddress, address.protocol != .unix else { return }
        if exchange.isStreaming || exchange.bodyEnded && parts.isEmpty && !gate.hasMore { exchange.task?.cancel() }
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
                patience.awaitProgress(exchange.patience)
                waiter.succeed(piece)
            case (.answering(let exchange), .end):
                guard !exchange.bodyEnded else { return }
                parts.removeFirst()
                exchange.bodyEnded = true
                gate.handsOnSlices = true
                patience.awaitProgress(exchange.patience)
                exchange.bodyWaiter?.succeed(nil)
                exchange.bodyWaiter = nil
            case (.answering, .head), (.delivering, _):
                return
            }
        }
    }

    private func begin(_ head: HTTPRequestHead) {
        guard let context else { return }
        // It may be empty where the target has no authority (RFC 9112, 3.2), as over a Unix socket: docker before
        // version 23 sends it so to hijack a connection.
        let hosts = head.headers["host"].count
        guard hosts == 1 || hosts == 0 && head.version != .http1_1 else {
            let reason = hosts == 0 ? "missing required Host header" : "too many Host headers"
            return refuse(.badRequest, ": \(reason)", context: context)
        }
        let exchange = Exchange(head: head)
        state = .answering(exchange)
        isReadingHead = false
        patience.wait(nil)
        let eventLoop = eventLoop
        let connection = NIOLoopBound(self, eventLoop: eventLoop)
        let body = RequestBody(share: ByteBudget.Share(of: service.budget)) { collects in
            try await withTaskCancellationHandler {
                try Task.checkCancellation()
                return try await eventLoop.flatSubmit { connection.value.nextBodyPiece(collects: collects) }.get()
            } onCancel: {
                eventLoop.execute { connection.value.stopWaitingForBody() }
            }
        }
        let request = HTTPRequest(
            method: head.method, target: head.uri, headers: head.headers, body: body,
            isEncrypted: service.tls != nil)
        let answer = Answer(
            connection: connection, channel: context.channel, responder: service.responder, request: request,
            version: head.version, isLast: exchange.isLast, outboxes: service.outboxes)
        exchange.task = Task { await answer.run() }
    }

    private func nextBodyPiece(collects: Bool) -> EventLoopFuture<ByteBuffer?> {
        guard let context, case .answering(let exchange) = state else {
            return eventLoop.makeFailedFuture(HTTPServerError.connectionClosed)
        }
        if exchange.bodyEnded { return eventLoop.makeSucceededFuture(nil) }
        let promise = eventLoop.makePromise(of: ByteBuffer?.self)
        exchange.bodyWaiter = promise
        advance()
        guard exchange.bodyWaiter != nil else { return promise.futureResult }
        guard !inputFailed, !inputClosed || gate.hasMore else {
            exchange.bodyWaiter = nil
            promise.fail(HTTPServerError.connectionClosed)
            return promise.futureResult
        }
        if exchange.expectsContinue {
            exchange.expectsContinue = false
            let head = HTTPResponseHead(version: .http1_1, status: .continue)
            context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
        }
        gate.handsOnSlices = false
        exchange.bodyTime = collects ? service.limits.bodyTime : service.limits.uploadTime
        patience.wait(exchange.bodyTime)
        context.read()
        return promise.futureResult
    }

    private func stopWaitingForBody() {
        guard case .answering(let exchange) = state, exchange.bodyWaiter != nil else { return }
        patience.awaitProgress(exchange.patience)
        exchange.failBody(CancellationError())
    }

    // MARK: Responses (called by `Answer` on the event loop)

    /// Sends a whole response and ends the exchange.
    func respond(_ head: HTTPResponseHead, body: [UInt8]) {
        guard let context else { return }
        var head = head
        if case .answering(let exchange) = state, !canGoOn(after: exchange) {
            head.headers.replaceOrAdd(name: "Connection", value: "close")
        }
        endTime = service.limits.answerTime
        endExchange(after: send(head, body: body, context: context))
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

    /// A response begins that is written piece by piece: from now on its client is watched.
    func begin(_ pieces: Exchange.Pieces) {
        guard case .answering(let exchange) = state else { return }
        exchange.isStreaming = pieces == .endless
        exchange.patience = pieces == .file ? service.limits.answerTime : service.limits.streamTime
        endTime = exchange.patience
        if exchange.bodyWaiter == nil { patience.awaitProgress(exchange.patience) }
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

    /// Whether another request can follow: this one has come as a whole, and nobody wants the connection to end.
    private func canGoOn(after exchange: Exchange) -> Bool {
        while !exchange.bodyEnded, let part = parts.popFirst() {
            if case .end = part { exchange.bodyEnded = true }
        }
        return exchange.bodyEnded && !exchange.isLast
    }

    /// Makes the connection ready for its next request when the kernel has the whole answer, or closes it then.
    private func endExchange(after written: EventLoopFuture<Void>) {
        guard case .answering(let exchange) = state else { return }
        guard canGoOn(after: exchange) else { return closeGently(after: written) }
        state = .delivering(exchange)
        gate.handsOnSlices = true
        isWriting = true
        patience.awaitProgress(endTime)
        written.assumeIsolated().whenComplete { _ in
            self.isWriting = false
            guard case .delivering = self.state, let context = self.context, context.channel.isActive else { return }
            guard !exchange.isLast else { return self.closeGently(after: written) }
            self.state = .idle
            self.isReadingHead = false
            self.patience.wait(self.service.limits.idleTime)
            self.advance()
            if case .idle = self.state { context.read() }
        }
    }

    /// Closes after the client had the chance to read the response: a socket closed with unread input is reset, and the
    /// client may lose what it was sent.
    private func closeGently(after written: EventLoopFuture<Void>) {
        state = .closing
        parts.removeAll()
        isWriting = true
        patience.awaitProgress(endTime)
        written.assumeIsolated().whenComplete { _ in
            self.isWriting = false
            guard let context = self.context else { return }
            guard !self.inputClosed, !self.inputFailed else { return context.close(promise: nil) }
            context.close(mode: .output, promise: nil)
            context.read()
            self.patience.wait(Self.lingering)
        }
    }

    /// Leaves HTTP: writes the head as plain bytes and puts a tunnel in the decoder's place.
    ///
    /// - Parameter messages: How what follows is sent by WebSocket; `nil` if it is bytes.
    /// - Throws: `HTTPServerError.connectionClosed`.
    func hijack(head: ByteBuffer, messages: WebSocketMessages?) throws -> HijackedConnection {
        guard let context, case .answering(let exchange) = state, context.channel.isActive else {
            throw HTTPServerError.connectionClosed
        }
        let pipeline = context.pipeline.syncOperations
        let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
        let tunnel = Tunnel(eventLoop: eventLoop)
        try pipeline.addHandler(tunnel, position: .after(decoder))
        state = .hijacked(exchange, tunnel)
        parts.removeAll()
        patience.wait(nil)
        gate.handsOnSlices = false
        tunnel.writeAndFlush(head, promise: eventLoop.makePromise())
        if let messages {
            try pipeline.addHandler(WebSocketHandler(sending: messages), position: .before(tunnel))
        }
        // What the decoder holds beyond the request is handed to the tunnel now; only then may the end of input follow.
        let bound = NIOLoopBound(tunnel, eventLoop: eventLoop)
        let removed = eventLoop.makePromise(of: Void.self)
        removed.futureResult.assumeIsolated().whenComplete { _ in
            self.decoderIsGone = true
            if self.inputClosed, !self.gate.hasMore { tunnel.endOfInput() }
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
