import NIOCore
import NIOHTTP1

/// Asks a proxy for a connection to a server (`CONNECT`, RFC 9110, 9.3.6) and gets out of the way when there is one.
final class ProxyTunnel: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// More of an answer's head is no head of an answer.
    private static let limit = 64 << 10

    private let proxy: WebProxy
    private let target: String
    private let userAgent: String
    private let patience: TimeAmount
    private let isOpen: EventLoopPromise<Void>
    private var received = ByteBuffer()
    private var isAsked = false
    private var timeout: Scheduled<Void>?

    /// - Parameters:
    ///   - target: `host:port` of the server.
    ///   - patience: how long the proxy may take.
    ///   - isOpen: told when the server is at the other end, or why it is not.
    init(
        through proxy: WebProxy, to target: String, userAgent: String, patience: TimeAmount,
        isOpen: EventLoopPromise<Void>
    ) {
        self.proxy = proxy
        self.target = target
        self.userAgent = userAgent
        self.patience = patience
        self.isOpen = isOpen
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { ask(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        ask(context)
        context.fireChannelActive()
    }

    private func ask(_ context: ChannelHandlerContext) {
        guard !isAsked else { return }
        isAsked = true
        var head = "CONNECT \(target) HTTP/1.1\r\nHost: \(target)\r\nUser-Agent: \(userAgent)\r\n"
        if let authorization = proxy.authorization { head += "Proxy-Authorization: \(authorization)\r\n" }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: head + "\r\n")), promise: nil)
        let channel = context.channel
        timeout = context.eventLoop.assumeIsolated().scheduleTask(in: patience) {
            self.fail("it sent nothing for \(self.patience.nanoseconds / 1_000_000_000) s", channel)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var piece = unwrapInboundIn(data)
        received.writeBuffer(&piece)
        guard let end = endOfHead else {
            if received.readableBytes > Self.limit { fail("its answer has no end", context.channel) }
            return
        }
        let head = received.readString(length: end) ?? ""
        let line = head.prefix { !$0.isNewline }
        let words = line.split(separator: " ", maxSplits: 1)
        guard words.count == 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1].prefix(3)) else {
            return fail("it answered \"\(line.prefix(100))\"", context.channel)
        }
        guard (200..<300).contains(status) else {
            return fail("it answered \(words[1])", context.channel, status: status)
        }
        timeout?.cancel()
        isOpen.succeed()
    }

    private var endOfHead: Int? {
        let bytes = received.readableBytesView
        let end = Array("\r\n\r\n".utf8)
        guard bytes.count >= end.count else { return nil }
        for start in bytes.indices.dropLast(end.count - 1) where bytes[start...].starts(with: end) {
            return start - bytes.startIndex + end.count
        }
        return nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail("it closed the connection", context.channel)
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        fail("it closed the connection", context.channel, closing: false)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(HTTPExchange.translated(error).message, context.channel)
    }

    private func fail(_ reason: String, _ channel: any Channel, status: Int? = nil, closing: Bool = true) {
        timeout?.cancel()
        isOpen.fail(
            DistributionError(
                .unreachable, "the proxy \(proxy.address.authority) gives no connection to \(target): \(reason)",
                status: status))
        if closing { channel.close(promise: nil) }
    }
}
