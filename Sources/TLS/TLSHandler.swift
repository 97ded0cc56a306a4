import NIOCore

/// TLS on a connection, for the handlers above it in the pipeline, to which it looks like a connection without TLS.
///
/// - What is written and flushed goes out as soon as both sides have agreed on keys, and while the channel is writable.
///   What waits until then counts as buffered by the pipeline (`outboundBufferedBytes`).
/// - Nothing is read that was not asked for, but for the handshake. A read that brings no data is repeated.
/// - The end of the other side's data is its `close_notify`, and reaches the handlers above as the end of a plain
///   connection does: as `ChannelEvent.inputClosed` if the channel allows half-closed connections, otherwise the
///   connection closes. An end without it is `TLSError.truncated`, before that.
/// - Closing sends `close_notify` if all that was written has been sent, and closes the connection when the kernel has
///   taken that, or after a few seconds. Otherwise it closes at once, and the other side sees that some is missing.
/// - An error closes the connection.
final class TLSHandler: ChannelDuplexHandler, NIOOutboundByteBufferingChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        /// The connection does not exist yet.
        case idle
        case handshaking
        case open
        /// `close_notify` is on its way, and the connection is closed after it.
        case closing
        case closed
    }

    /// What the pipeline knows it by.
    static let name = "TLS"

    private let connection: TLSConnection
    private let handshakeTime: TimeAmount?
    private var phase = Phase.idle
    private var context: ChannelHandlerContext?
    private var timer: Scheduled<Void>?

    // MARK: What has come, and what is wanted

    /// Whether a read was asked for that has brought nothing yet.
    private var isReadWanted = false
    /// What has been decrypted since the last `channelReadComplete`.
    private var received = ByteBuffer()
    /// How much that was the last time: so much is reserved the next time, because a buffer that grows is copied.
    private var lastCount = 0
    /// Whether the other side sends no more.
    private var inputEnded = false
    /// How many bytes OpenSSL has answered by itself since the other side last took something.
    private var untakenAnswers = 0

    // MARK: What is to be sent

    private typealias Write = (data: ByteBuffer, promise: EventLoopPromise<Void>?)
    private var writes = MarkedCircularBuffer<Write>(initialCapacity: 16)
    /// What is left of a write that has been sent in part.
    private var rest: Write?
    private var isSending = false
    /// Whether nothing can be sent before more has come.
    private var isInputAwaited = false
    /// How many bytes have been written and wait here.
    private(set) var outboundBufferedBytes = 0

    // MARK: What is at its end

    /// Whether `close_notify` has been sent.
    private var outputEnded = false
    /// Whether the output ends when what was written has been sent, and who wants to know.
    private var isOutputEnding = false
    private var outputEnd: EventLoopPromise<Void>?
    private var closing: EventLoopPromise<Void>?

    /// How long the other side may take nothing of what is left when the connection closes.
    private static let lingering = TimeAmount.seconds(5)
    /// So much is encrypted at once: memory of that size comes from the heap, and not from the kernel.
    private static let step = 64 << 10
    /// So much is given to the channel at once, if it is writable: few calls of the kernel, and of the one who reads.
    private static let round = 256 << 10
    private static let mostReserved = 512 << 10
    /// So many bytes of alerts and the like may wait for one who makes us send them and takes none.
    private static let answerLimit = 64 << 10

    /// For a client of a server that speaks HTTP without TLS: what Go's servers say, whose users know it.
    private static let hint =
        "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"

    init(_ connection: TLSConnection, handshakeTime: TimeAmount?) {
        self.connection = connection
        self.handshakeTime = handshakeTime
    }

    // MARK: The connection begins

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { begin(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        // First, because the handshake may fail at once and close the connection.
        context.fireChannelActive()
        begin(context)
    }

    private func begin(_ context: ChannelHandlerContext) {
        guard phase == .idle else { return }
        phase = .handshaking
        if let handshakeTime {
            timer = context.eventLoop.assumeIsolated().scheduleTask(in: handshakeTime) {
                guard self.phase == .handshaking, let context = self.context else { return }
                self.fail(.handshakeTimeout, context)
            }
        }
        var nothing = ByteBuffer()
        shakeHands(taking: &nothing, context)
        if phase == .handshaking { context.read() }
    }

    private func shakeHands(taking bytes: inout ByteBuffer, _ context: ChannelHandlerContext) {
        do throws(TLSError) {
            try connection.take(&bytes)
            let isComplete = try connection.shakeHands()
            guard sendAnswers(context), isComplete, phase == .handshaking else { return }
        } catch {
            return fail(error, context)
        }
        timer?.cancel()
        phase = .open
        sendWrites(context)
    }

    // MARK: Input

    func read(context: ChannelHandlerContext) {
        isReadWanted = true
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard phase == .handshaking || phase == .open, !inputEnded else { return }
        var bytes = unwrapInboundIn(data)
        while phase == .handshaking, bytes.readableBytes > 0 { shakeHands(taking: &bytes, context) }
        guard phase == .open else { return }
        // What is decrypted has no more bytes than what came, but for a record that had come in part.
        let size = max(bytes.readableBytes, lastCount) + TLSConnection.record
        var data = received.readableBytes > 0 ? received : context.channel.allocator.buffer(capacity: size)
        received = ByteBuffer()
        var isEnd = false
        do throws(TLSError) {
            // Once also without bytes that are left: data may have come with the end of the handshake.
            repeat {
                try connection.take(&bytes)
                isEnd = try connection.decrypt(into: &data)
            } while !isEnd && bytes.readableBytes > 0
            received = data
        } catch {
            received = data
            deliver(context)
            return fail(error, context)
        }
        guard sendAnswers(context) else { return }
        if isInputAwaited, !connection.isInMessage {
            isInputAwaited = false
            sendWrites(context)
        }
        guard isEnd else { return }
        inputEnded = true
        deliver(context)
        if phase == .open { endInput(context) }
    }

    /// Hands on what has come in one go: each piece costs the handlers above more than its bytes.
    private func deliver(_ context: ChannelHandlerContext) {
        guard received.readableBytes > 0 else { return }
        let data = received
        received = ByteBuffer()
        lastCount = min(data.readableBytes, Self.mostReserved)
        isReadWanted = false
        context.fireChannelRead(wrapInboundOut(data))
        context.fireChannelReadComplete()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if received.readableBytes > 0 {
            deliver(context)
        } else if phase == .handshaking || phase == .open && (isReadWanted || isInputAwaited) && !inputEnded {
            context.read()
        }
    }

    /// The other side has said that it sends no more.
    private func endInput(_ context: ChannelHandlerContext) {
        // A channel that does not know the option has no half-closed connections.
        let keepsOutput = (try? context.channel.syncOptions?.getOption(.allowRemoteHalfClosure)) ?? false
        if !keepsOutput || outputEnded { closeAll(context, nil) }
        if keepsOutput { context.fireUserInboundEventTriggered(ChannelEvent.inputClosed) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event as? ChannelEvent == .inputClosed else { return context.fireUserInboundEventTriggered(event) }
        switch phase {
        case .idle: context.fireUserInboundEventTriggered(event)
        case .handshaking: fail(.endOfHandshake, context)
        case .open where !inputEnded:
            inputEnded = true
            deliver(context)
            context.fireErrorCaught(TLSError.truncated)
            if phase == .open { context.fireUserInboundEventTriggered(event) }
        case .open, .closing, .closed: break
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        deliver(context)
        let isTruncated = phase == .open && !inputEnded
        let error: TLSError? = phase == .handshaking ? .endOfHandshake : isTruncated ? .truncated : nil
        finish(error ?? ChannelError.ioOnClosedChannel)
        if let error { context.fireErrorCaught(error) }
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        finish(ChannelError.ioOnClosedChannel)
        self.context = nil
    }

    // MARK: Output

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard phase != .closing, phase != .closed else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        guard !isOutputEnding, !outputEnded else {
            promise?.fail(ChannelError.outputClosed)
            return
        }
        let data = unwrapOutboundIn(data)
        outboundBufferedBytes += data.readableBytes
        writes.append((data, promise))
    }

    func flush(context: ChannelHandlerContext) {
        writes.mark()
        sendWrites(context)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        sendWrites(context)
        context.fireChannelWritabilityChanged()
    }

    /// Encrypts what has been flushed, as long as the channel takes more.
    private func sendWrites(_ context: ChannelHandlerContext) {
        // Promises that are fulfilled and writability that changes on the way call this again.
        guard !isSending else { return }
        isSending = true
        defer { isSending = false }
        var count: Int
        repeat {
            count = 0
            guard context.channel.isWritable else { break }
            while phase == .open, !isInputAwaited, count < Self.round, let write = nextWrite() {
                count += max(1, write.data.readableBytes)
                do throws(TLSError) {
                    try send(write, context)
                } catch {
                    write.promise?.fail(error)
                    return fail(error, context)
                }
            }
            if count > 0 { context.flush() }
        } while count > 0
        if phase == .open, !isInputAwaited, isOutputEnding, !hasUnsentWrites { endOutput(context) }
    }

    private var hasUnsentWrites: Bool { rest != nil || !writes.isEmpty }

    /// The next piece of what has been flushed, not too large; the promise comes with the last of a write.
    private func nextWrite() -> Write? {
        guard var write = rest ?? (writes.hasMark ? writes.popFirst() : nil) else { return nil }
        rest = nil
        let size = write.data.readableBytes
        outboundBufferedBytes -= min(size, Self.step)
        guard size > Self.step, let piece = write.data.readSlice(length: Self.step) else { return write }
        rest = write
        return (piece, nil)
    }

    private func send(_ write: Write, _ context: ChannelHandlerContext) throws(TLSError) {
        // A record has at most so many bytes more than what is in it.
        let size = write.data.readableBytes
        var buffer = context.channel.allocator.buffer(capacity: size + (size / TLSConnection.record + 1) * 64)
        let result = write.data.withUnsafeReadableBytes { bytes in
            Result { () throws(TLSError) in try connection.encrypt(bytes, into: &buffer) }
        }
        let count = try result.get()
        if count == size { return context.write(wrapOutboundOut(buffer), promise: write.promise) }
        putBack(size - count, of: write)
        awaitInput(context)
        context.write(wrapOutboundOut(buffer), promise: nil)
    }

    /// Keeps the last bytes of what `nextWrite` has given.
    private func putBack(_ count: Int, of write: Write) {
        outboundBufferedBytes += count
        var whole = rest ?? write
        // A piece shares its bytes with the write that it is a piece of.
        let index = rest == nil ? whole.data.writerIndex : whole.data.readerIndex
        whole.data.moveReaderIndex(to: index - count)
        rest = whole
    }

    private func awaitInput(_ context: ChannelHandlerContext) {
        isInputAwaited = true
        context.read()
    }

    /// Sends what OpenSSL has to say by itself: its part of the handshake, alerts, new keys.
    ///
    /// - Returns: whether the connection goes on.
    private func sendAnswers(_ context: ChannelHandlerContext) -> Bool {
        let count = connection.outputCount
        guard count > 0 else { return true }
        untakenAnswers = context.channel.isWritable ? 0 : untakenAnswers + count
        guard untakenAnswers < Self.answerLimit else {
            fail(.violation("the other side takes no answers"), context)
            return false
        }
        sendOutput(nil, context)
        return true
    }

    private func sendOutput(_ promise: EventLoopPromise<Void>?, _ context: ChannelHandlerContext) {
        var buffer = context.channel.allocator.buffer(capacity: connection.outputCount)
        connection.moveOutput(to: &buffer)
        context.writeAndFlush(wrapOutboundOut(buffer), promise: promise)
    }

    // MARK: The end

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        switch mode {
        case .input: promise?.fail(ChannelError.operationUnsupported)
        case .all: closeAll(context, promise)
        case .output where (phase == .open || phase == .handshaking) && !outputEnded && !isOutputEnding:
            isOutputEnding = true
            outputEnd = promise
            flush(context: context)
        case .output: context.close(mode: .output, promise: promise)
        }
    }

    /// All that was written has been sent: the other side learns that this was all.
    private func endOutput(_ context: ChannelHandlerContext) {
        isOutputEnding = false
        let promise = outputEnd
        outputEnd = nil
        if inputEnded { return closeAll(context, promise) }
        if connection.isInMessage {
            isOutputEnding = true
            outputEnd = promise
            return awaitInput(context)
        }
        outputEnded = true
        connection.endOutput()
        sendOutput(nil, context)
        context.close(mode: .output, promise: promise)
    }

    private func closeAll(_ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?) {
        if let closing {
            closing.futureResult.cascade(to: promise)
            return
        }
        // The end of the data is announced if all of it has been sent, and only then.
        guard phase == .open, !outputEnded, !hasUnsentWrites else {
            finish(ChannelError.ioOnClosedChannel)
            return context.close(promise: promise)
        }
        phase = .closing
        let closing = context.eventLoop.makePromise(of: Void.self)
        closing.futureResult.cascade(to: promise)
        self.closing = closing
        outputEnded = true
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: Self.lingering) { self.closeChannel() }
        let sent = context.eventLoop.makePromise(of: Void.self)
        sent.futureResult.assumeIsolated().whenComplete { _ in self.closeChannel() }
        connection.endOutput()
        sendOutput(sent, context)
    }

    private func closeChannel() {
        guard phase == .closing, let context else { return }
        phase = .closed
        timer?.cancel()
        context.close(promise: closing)
        closing = nil
    }

    /// Ends a connection that is of no use any more; the other side is told why, if TLS has words for it.
    private func fail(_ error: TLSError, _ context: ChannelHandlerContext) {
        guard phase != .closed else { return }
        finish(error)
        if connection.outputCount > 0 { sendOutput(nil, context) }
        if connection.isPlainHTTP {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: Self.hint)), promise: nil)
        }
        context.fireErrorCaught(error)
        context.close(promise: nil)
    }

    /// Nothing comes and nothing goes from now on.
    private func finish(_ error: any Error) {
        phase = .closed
        timer?.cancel()
        timer = nil
        closing?.succeed()
        closing = nil
        dropWrites(error)
    }

    private func dropWrites(_ error: any Error) {
        outputEnd?.fail(error)
        outputEnd = nil
        outboundBufferedBytes = 0
        let unsent = rest
        rest = nil
        unsent?.promise?.fail(error)
        while let write = writes.popFirst() { write.promise?.fail(error) }
    }
}
