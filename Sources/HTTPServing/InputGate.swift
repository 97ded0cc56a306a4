import NIOCore

/// Stands before the HTTP decoder and hands it the client's bytes only as they are asked for.
///
/// The decoder turns all it gets into messages at once: a megabyte of small requests would become a hundred megabytes
/// of heads. What the socket delivers without being asked (at the end of input the event loop reads all that is left)
/// waits here as bytes. Bytes for a head are handed on in small slices, so that little of what follows it is decoded
/// with it.
///
/// The gate also takes the end of input away from the decoder, which drops the bytes it has not parsed when it learns
/// of it: a client that asks for an upgrade, sends its standard input and shuts down its write side all at once would
/// lose that input.
final class InputGate: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    /// Told of the end of the client's input as soon as it is known, when something may still be waiting; and again
    /// each time that more is asked for and there is nothing.
    var inputClosed: () -> Void = {}
    /// Whether slices are small: a head is expected.
    var handsOnSlices = true
    /// How many bytes were handed on since something came of them; whoever sees that resets it.
    var fruitless = 0
    /// How many writes have passed outwards.
    private(set) var writes = 0

    private var waiting = CircularBuffer<ByteBuffer>()
    private var isWanted = false
    private var isHandingOn = false
    private var isClosed = false

    private static let slice = 4096

    /// Whether bytes wait here that nobody has asked for yet.
    var hasMore: Bool { !waiting.isEmpty }

    func read(context: ChannelHandlerContext) {
        isWanted = true
        if isHandingOn { return }
        if waiting.isEmpty { readMore(context) } else { handOn(context) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        waiting.append(unwrapInboundIn(data))
        if isWanted, !isHandingOn { handOn(context) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        // Nothing has come of what was read: a handshake, for example.
        if isWanted, !isHandingOn, !isClosed { context.read() }
    }

    private func readMore(_ context: ChannelHandlerContext) {
        if isClosed { inputClosed() } else { context.read() }
    }

    /// Hands on one slice for each time that one is asked for.
    private func handOn(_ context: ChannelHandlerContext) {
        isHandingOn = true
        while isWanted, let slice = next() {
            isWanted = false
            fruitless += slice.readableBytes
            context.fireChannelRead(wrapInboundOut(slice))
            context.fireChannelReadComplete()
        }
        isHandingOn = false
        if isWanted { readMore(context) }
    }

    private func next() -> ByteBuffer? {
        guard var first = waiting.popFirst() else { return nil }
        guard handsOnSlices, first.readableBytes > Self.slice, let slice = first.readSlice(length: Self.slice) else {
            return first
        }
        waiting.prepend(first)
        return slice
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed {
            isClosed = true
            inputClosed()
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        writes &+= 1
        context.write(data, promise: promise)
    }
}
