import NIOCore

/// Stands before the HTTP decoder and takes the end of the client's input away from it.
///
/// The decoder drops the bytes it has not parsed when it learns of the end of input. A client that asks for an upgrade,
/// sends its standard input and shuts down its write side all at once would lose that input.
final class HalfCloseGate: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let inputClosed: () -> Void

    /// A gate that reports the end of input to `inputClosed` instead.
    init(inputClosed: @escaping () -> Void) {
        self.inputClosed = inputClosed
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed {
            inputClosed()
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }
}
