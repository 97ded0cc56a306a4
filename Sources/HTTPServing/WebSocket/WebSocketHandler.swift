import NIOCore

/// Makes the bytes of a tunnel out of a client's frames, and frames out of the tunnel's bytes.
///
/// It stands before the tunnel, which therefore knows nothing of WebSocket. A close frame of the client ends the
/// connection altogether, as the client will not look at what still comes; the end of the tunnel's output becomes a
/// close frame, after which the client's own is waited for (the tunnel's patience limits that).
final class WebSocketHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let messages: WebSocketMessages
    private var reader = WebSocketReader()
    /// Whether our close frame has been sent, the last thing that is.
    private var hasClosed = false
    /// Whether nothing that the client still sends matters.
    private var isOver = false

    init(sending messages: WebSocketMessages) { self.messages = messages }

    // MARK: From the client

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isOver { return }
        reader.append(unwrapInboundIn(data))
        do throws(WebSocketViolation) {
            while !isOver, let event = try reader.next() { take(event, context) }
        } catch {
            end(with: .protocolError, context)
        }
    }

    private func take(_ event: WebSocketReader.Event, _ context: ChannelHandlerContext) {
        switch event {
        case .payload(let bytes):
            // After our close frame there is nobody who would take it.
            if !hasClosed { context.fireChannelRead(wrapInboundOut(bytes)) }
        case .ping(let payload):
            // A client that does not read what it gets gets no more of it: only the latest ping needs an answer.
            guard !hasClosed, context.channel.isWritable else { return }
            context.writeAndFlush(wrapOutboundOut(WebSocketFrame.pong(payload).bytes), promise: nil)
        case .pong: break
        case .close(let code): end(with: code, context)
        }
    }

    /// Says goodbye, if that has not been said, and closes.
    private func end(with code: WebSocketCloseCode?, _ context: ChannelHandlerContext) {
        isOver = true
        guard !hasClosed else { return context.close(mode: .all, promise: nil) }
        let sent = context.eventLoop.makePromise(of: Void.self)
        sent.futureResult.assumeIsolated().whenComplete { _ in context.close(mode: .all, promise: nil) }
        sendClose(code, context, promise: sent)
    }

    private func sendClose(
        _ code: WebSocketCloseCode?, _ context: ChannelHandlerContext, promise: EventLoopPromise<Void>? = nil
    ) {
        hasClosed = true
        context.writeAndFlush(wrapOutboundOut(WebSocketFrame.close(code).bytes), promise: promise)
    }

    // MARK: To the client

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let bytes = unwrapOutboundIn(data)
        if hasClosed {
            promise?.fail(ChannelError.outputClosed)
        } else if bytes.readableBytes == 0 {
            // Written to learn when the kernel has all that came before it.
            context.write(data, promise: promise)
        } else {
            context.write(wrapOutboundOut(WebSocketFrame.message(bytes, messages).bytes), promise: promise)
        }
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode != .input, !hasClosed else { return close(mode, context, promise) }
        // A channel that is closed drops what it has not written, as may be while it tells that something is written.
        let sent = context.eventLoop.makePromise(of: Void.self)
        sent.futureResult.assumeIsolated().whenComplete { _ in self.close(mode, context, promise) }
        sendClose(.normal, context, promise: sent)
    }

    private func close(_ mode: CloseMode, _ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?) {
        guard mode == .output else { return context.close(mode: mode, promise: promise) }
        // The socket stays open both ways for the client's close frame.
        promise?.succeed()
    }
}
