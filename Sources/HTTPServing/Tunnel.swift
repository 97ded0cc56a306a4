import NIOCore

/// One end of two connections that are joined byte for byte: the client's hijacked connection, or the shim's socket.
///
/// Both ends run on one event loop and call each other directly. An end reads only while the other can write, so a
/// slow reader holds back the writer through the kernel's buffers and nothing piles up here. The end of one
/// direction (a half-close) is passed on by itself: it is how a container's standard input ends.
final class Tunnel: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Output {
        case open
        /// No more is written; what was written is still being flushed.
        case ending
        case ended
    }

    private let eventLoop: any EventLoop
    private let closed: EventLoopPromise<Void>
    private var context: ChannelHandlerContext?
    private var partner: Tunnel?
    /// What arrived before there was a partner.
    private var early: [ByteBuffer] = []
    private var inputEnded = false
    private var output = Output.open
    private var isFinishing = false
    private var isSettled = false
    /// Awaited once before the end that the partner passes on; see `HijackedConnection.join`.
    private var beforeEnd: (@Sendable () async -> Void)?
    private var heldEnd: End?

    /// What a partner passes on.
    private enum End {
        /// It will send no more.
        case ofOutput
        /// It is gone.
        case ofConnection
    }

    /// Completed when the connection of this end is closed.
    var whenClosed: EventLoopFuture<Void> { closed.futureResult }

    /// A client that does not close its side after we closed ours is cut off after this time.
    private static let lingering = TimeAmount.seconds(10)

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        closed = eventLoop.makePromise()
    }

    /// Joins two ends and starts the flow; what came early goes first.
    ///
    /// - Parameter beforeEnd: awaited between the end of `second` and telling `first` of it.
    static func join(_ first: Tunnel, _ second: Tunnel, beforeEnd: (@Sendable () async -> Void)?) {
        first.beforeEnd = beforeEnd
        first.partner = second
        second.partner = first
        first.begin()
        second.begin()
    }

    private func begin() {
        guard let partner else { return }
        for piece in early { partner.write(piece) }
        early = []
        partner.context?.flush()
        if inputEnded {
            partner.takeEnd(.ofOutput)
        } else {
            readIfWanted()
        }
        if context == nil { partner.takeEnd(.ofConnection) }
    }

    /// Writes a piece; `promise` is completed when the kernel has taken all of it.
    func writeAndFlush(_ piece: ByteBuffer, promise: EventLoopPromise<Void>) {
        guard output == .open, let context else {
            promise.fail(HTTPServerError.connectionClosed)
            return
        }
        context.writeAndFlush(wrapOutboundOut(piece), promise: promise)
    }

    private func write(_ piece: ByteBuffer) {
        guard output == .open, let context else { return }
        context.write(wrapOutboundOut(piece), promise: nil)
    }

    private func readIfWanted() {
        guard let context, context.channel.isActive, !inputEnded else { return }
        if isFinishing || partner?.canTakeMore == true { context.read() }
    }

    private var canTakeMore: Bool {
        guard let context else { return false }
        return output != .open || context.channel.isWritable
    }

    /// The other side will send no more: passes that on as a half-close, after all that was written.
    private func endOutput() {
        guard output == .open, let context else { return }
        output = .ending
        // An empty write completes after the ones before it. Shutting down at once would drop them when the input is
        // closed already, because the channel then closes altogether.
        let flushed = eventLoop.makePromise(of: Void.self)
        flushed.futureResult.assumeIsolated().whenComplete { _ in self.flushed() }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: flushed)
    }

    private func flushed() {
        output = .ended
        guard let context else { return }
        if inputEnded {
            context.close(promise: nil)
        } else {
            context.close(mode: .output, promise: nil)
            if isFinishing { drain() }
        }
    }

    /// Closes this connection without losing what was written: closing a socket that has unread input makes the kernel
    /// reset it, and the peer may then never see our last bytes. So say goodbye, read what still comes, then close.
    func finish() {
        guard !isFinishing else { return }
        isFinishing = true
        partner = nil
        early = []
        switch output {
        case .open: endOutput()
        case .ending: break
        case .ended: drain()
        }
    }

    private func drain() {
        guard let context else { return }
        guard !inputEnded else { return context.close(promise: nil) }
        readIfWanted()
        eventLoop.assumeIsolated().scheduleTask(in: Self.lingering) { self.context?.close(promise: nil) }
    }

    private func takeEnd(_ end: End) {
        if let wait = beforeEnd {
            beforeEnd = nil
            heldEnd = end
            let bound = NIOLoopBound(self, eventLoop: eventLoop)
            let eventLoop = eventLoop
            Task {
                await wait()
                eventLoop.execute { bound.value.releaseEnd() }
            }
        } else if heldEnd != nil {
            if end == .ofConnection { heldEnd = end }
        } else {
            switch end {
            case .ofOutput: endOutput()
            case .ofConnection:
                partner = nil
                finish()
            }
        }
    }

    private func releaseEnd() {
        guard let end = heldEnd else { return }
        heldEnd = nil
        takeEnd(end)
    }

    /// The peer has shut down its write side. Called by the gate (client) or by the channel (shim).
    func endOfInput() {
        guard !inputEnded else { return }
        inputEnded = true
        partner?.takeEnd(.ofOutput)
        if output == .ended { context?.close(promise: nil) }
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        settle()
    }

    func channelActive(context: ChannelHandlerContext) {
        readIfWanted()
        context.fireChannelActive()
    }

    /// This end never got a connection.
    func abandon() {
        partner?.takeEnd(.ofConnection)
        partner = nil
        settle()
    }

    private func settle() {
        guard !isSettled else { return }
        isSettled = true
        closed.succeed()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isFinishing { return }
        let piece = unwrapInboundIn(data)
        if let partner { partner.write(piece) } else { early.append(piece) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        partner?.context?.flush()
        readIfWanted()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { partner?.readIfWanted() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed { endOfInput() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        inputEnded = true
        output = .ended
        let former = partner
        partner = nil
        former?.takeEnd(.ofConnection)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A reset or a broken pipe: the connection is of no use any more, and closing it tells the partner.
        context.close(promise: nil)
    }
}
