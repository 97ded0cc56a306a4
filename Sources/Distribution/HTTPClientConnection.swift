import NIOCore
import NIOHTTP1

/// One connection, usable from any task.
final class HTTPClientConnection: Sendable {
    private let channel: any Channel
    private let exchange: NIOLoopBound<HTTPExchange>
    /// What hands requests on to servers, and wants to be told to whom.
    private let proxy: WebProxy?

    /// Adds what HTTP needs to a channel; called on its event loop.
    init(speakingHTTPOn channel: any Channel, patience: TimeAmount, proxy: WebProxy?) throws {
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHTTPClientHandlers(leftOverBytesStrategy: .dropBytes)
        let exchange = HTTPExchange(eventLoop: channel.eventLoop, patience: patience)
        try pipeline.addHandler(exchange)
        self.channel = channel
        self.exchange = NIOLoopBound(exchange, eventLoop: channel.eventLoop)
        self.proxy = proxy
    }

    var isOpen: Bool { channel.isActive }

    func close() { channel.close(promise: nil) }

    /// Writes the request and waits for the head of the answer, which may come before all of the body is sent.
    func send(_ request: HTTPClientRequest) async throws -> HTTPResponseHead {
        var headers = request.headers
        headers.replaceOrAdd(name: "Host", value: request.address.authority)
        switch request.body {
        case .none:
            if request.method != .GET, request.method != .HEAD {
                headers.replaceOrAdd(name: "Content-Length", value: "0")
            }
        case .bytes(let bytes): headers.replaceOrAdd(name: "Content-Length", value: "\(bytes.count)")
        case .stream(let count, _): headers.replaceOrAdd(name: "Content-Length", value: "\(count)")
        }
        var target = request.address.target
        if let proxy {
            target = request.address.description
            if let authorization = proxy.authorization {
                headers.replaceOrAdd(name: "Proxy-Authorization", value: authorization)
            }
        }
        let head = HTTPRequestHead(version: .http1_1, method: request.method, uri: target, headers: headers)
        let (channel, exchange) = (channel, exchange)
        try await channel.eventLoop.submit { exchange.value.begin() }.get()
        channel.write(HTTPClientRequestPart.head(head), promise: nil)
        switch request.body {
        case .none: channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
        case .bytes(let bytes):
            channel.write(HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: bytes))), promise: nil)
            channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
        case .stream(_, let next):
            if try await !write(next) {
                // The answer says why; what is left unsaid makes the connection useless for anything more.
                let head = try await channel.eventLoop.flatSubmit { exchange.value.awaitHead() }.get()
                guard head.status.code >= 300 else {
                    throw DistributionError(
                        .unreachable, "the registry answered before it had received the whole request")
                }
                return HTTPResponseHead(
                    version: head.version, status: head.status, headers: head.headers.closing)
            }
        }
        return try await channel.eventLoop.flatSubmit { exchange.value.awaitHead() }.get()
    }

    /// `false` if the other side does not want all of it.
    private func write(_ next: @Sendable () async throws -> TransferPiece?) async throws -> Bool {
        let exchange = exchange
        while true {
            let piece: TransferPiece?
            do {
                piece = try await next()
            } catch {
                throw ReceiverFailure(cause: error)
            }
            if try await channel.eventLoop.submit({ exchange.value.hasAnswer }).get() { return false }
            guard let piece else { break }
            do {
                try await channel.writeAndFlush(HTTPClientRequestPart.body(.byteBuffer(piece.buffer))).get()
            } catch {
                // The reason may have come before the end did.
                guard try await channel.eventLoop.submit({ exchange.value.hasAnswer }).get() else { throw error }
                return false
            }
        }
        channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
        return true
    }

    func nextPiece(spares: SpareBuffers) async throws -> ByteBuffer? {
        let exchange = exchange
        return try await channel.eventLoop.flatSubmit { exchange.value.nextPiece(spares: spares) }.get()
    }
}

extension HTTPHeaders {
    fileprivate var closing: HTTPHeaders {
        var headers = self
        headers.replaceOrAdd(name: "Connection", value: "close")
        return headers
    }
}
