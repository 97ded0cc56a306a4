import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization
import struct SystemPackage.Errno

/// A request to a registry.
struct HTTPClientRequest: Sendable {
    /// What is sent after the head.
    enum Body: Sendable {
        case none
        case bytes([UInt8])
        /// `count` bytes in pieces; `nil` ends them.
        case stream(count: Int64, @Sendable () async throws -> TransferPiece?)
    }

    var method: HTTPMethod
    var address: WebAddress
    var headers: HTTPHeaders = [:]
    var body = Body.none
}

/// HTTP/1.1 to one server and to wherever it sends us: connections are kept for the next request, and trust is that server's.
///
/// SwiftNIO and its TLS are in the daemon already for its own interface; on them this takes three hundred lines, a tenth of what a general client with
/// its HTTP/2, proxies and a dozen more packages would add to the program.
final class HTTPClient: Sendable {
    private struct Idle {
        let connection: HTTPClientConnection
        let server: String
    }

    private let group: any EventLoopGroup
    private let trust: RegistryTrust
    private let server: WebAddress
    private let patience: TimeAmount
    private let idle = Mutex<[Idle]>([])
    private let contexts = Mutex<[Bool: NIOSSLContext]>([:])

    /// - Parameters:
    ///   - server: whom `trust` is about; others, to which it redirects, are trusted by the system's rules.
    ///   - patience: how long a server may stay silent.
    init(_ group: any EventLoopGroup, server: WebAddress, trust: RegistryTrust, patience: Duration) {
        self.group = group
        self.server = server
        self.trust = trust
        self.patience = .nanoseconds(
            patience.components.seconds * 1_000_000_000 + patience.components.attoseconds / 1_000_000_000)
    }

    deinit { closeIdle() }

    /// Closes the connections that nobody uses.
    func closeIdle() {
        let all = idle.withLock { idle in
            let all = idle
            idle = []
            return all
        }
        for entry in all { entry.connection.close() }
    }

    /// Sends a request and returns with the head of the answer.
    ///
    /// - Throws: `DistributionError` (`unreachable`, `tls`), an error of the body's own, `CancellationError`.
    func send(_ request: HTTPClientRequest) async throws -> HTTPAnswer {
        let isRepeatable = if case .stream = request.body { false } else { true }
        // A connection that was kept may have been closed by the other side just now: that is no failure of the registry.
        if isRepeatable, let connection = takeIdle(request.address) {
            do {
                return try await exchange(request, on: connection)
            } catch let error as DistributionError where error.reason == .unreachable {
                try Task.checkCancellation()
            }
        }
        return try await exchange(request, on: try await connect(request.address))
    }

    private func exchange(_ request: HTTPClientRequest, on connection: HTTPClientConnection) async throws -> HTTPAnswer
    {
        do {
            let head = try await withTaskCancellationHandler {
                try await connection.send(request)
            } onCancel: {
                connection.close()
            }
            return HTTPAnswer(head: head, isHead: request.method == .HEAD, connection: connection) { [weak self] in
                self?.keep(connection, for: request.address)
            }
        } catch {
            connection.close()
            if Task.isCancelled { throw CancellationError() }
            if let error = error as? ReceiverFailure { throw error.cause }
            throw HTTPExchange.translated(error)
        }
    }

    private func takeIdle(_ address: WebAddress) -> HTTPClientConnection? {
        let server = Self.key(address)
        return idle.withLock { idle in
            idle.removeAll { !$0.connection.isOpen }
            guard let index = idle.lastIndex(where: { $0.server == server }) else { return nil }
            return idle.remove(at: index).connection
        }
    }

    private func keep(_ connection: HTTPClientConnection, for address: WebAddress) {
        let isKept = idle.withLock { idle in
            guard idle.count < 8, connection.isOpen else { return false }
            idle.append(Idle(connection: connection, server: Self.key(address)))
            return true
        }
        if !isKept { connection.close() }
    }

    private static func key(_ address: WebAddress) -> String { "\(address.scheme.rawValue)://\(address.authority)" }

    private func connect(_ address: WebAddress) async throws -> HTTPClientConnection {
        let tls = address.scheme == .https ? try context(for: address) : nil
        let patience = patience
        let bootstrap = ClientBootstrap(group: group)
            .connectTimeout(.seconds(20))
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 128 << 10))
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
        let connection: HTTPClientConnection
        do {
            connection = try await bootstrap.connect(host: address.host, port: address.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls {
                        // A numeric address is no name that a server could choose a certificate by.
                        let isNumeric = (try? SocketAddress(ipAddress: address.host, port: 0)) != nil
                        try pipeline.addHandler(
                            NIOSSLClientHandler(context: tls, serverHostname: isNumeric ? nil : address.host))
                    }
                    try pipeline.addHTTPClientHandlers(leftOverBytesStrategy: .dropBytes)
                    let exchange = HTTPExchange(eventLoop: channel.eventLoop, patience: patience)
                    try pipeline.addHandler(exchange)
                    return HTTPClientConnection(channel, exchange)
                }
            }
        } catch {
            throw DistributionError(.unreachable, Self.reason(error, address))
        }
        if Task.isCancelled {
            connection.close()
            throw CancellationError()
        }
        return connection
    }

    /// Worded as Go's `net` does, which users and programs know.
    private static func reason(_ error: any Error, _ address: WebAddress) -> String {
        let place = "dial tcp \(address.host.contains(":") ? "[\(address.host)]" : address.host):\(address.port)"
        func words(_ error: any Error) -> String {
            if let error = error as? IOError { return Errno(rawValue: error.errnoCode).description.lowercased() }
            if case .connectTimeout? = error as? ChannelError { return "i/o timeout" }
            return "\(error)"
        }
        guard let error = error as? NIOConnectionError else { return "\(place): connect: \(words(error))" }
        guard let first = error.connectionErrors.first else {
            return "dial tcp: lookup \(address.host): no such host"
        }
        return "\(place): connect: \(words(first.error))"
    }

    /// TLS as it is wanted for the registry itself, or for some other server.
    private func context(for address: WebAddress) throws -> NIOSSLContext {
        let isOwn = address.isSameServer(as: server)
        if let known = contexts.withLock({ $0[isOwn] }) { return known }
        let made = try (isOwn ? trust : RegistryTrust()).context()
        contexts.withLock { $0[isOwn] = made }
        return made
    }
}

/// One connection, usable from any task.
final class HTTPClientConnection: Sendable {
    private let channel: any Channel
    private let exchange: NIOLoopBound<HTTPExchange>

    /// Called on the channel's event loop.
    init(_ channel: any Channel, _ exchange: HTTPExchange) {
        self.channel = channel
        self.exchange = NIOLoopBound(exchange, eventLoop: channel.eventLoop)
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
        let head = HTTPRequestHead(
            version: .http1_1, method: request.method, uri: request.address.target, headers: headers)
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

/// An answer; its body has to be read to the end, or dropped by `close`.
final class HTTPAnswer: Sendable {
    let status: Int
    let headers: HTTPHeaders
    private let connection: HTTPClientConnection
    private let keepsAlive: Bool
    private let release: @Sendable () -> Void
    private let isDone = Atomic<Bool>(false)
    private let spares = SpareBuffers()

    init(
        head: HTTPResponseHead, isHead: Bool, connection: HTTPClientConnection, release: @escaping @Sendable () -> Void
    ) {
        status = Int(head.status.code)
        headers = head.headers
        self.connection = connection
        keepsAlive = head.isKeepAlive
        self.release = release
    }

    deinit { if !isDone.load(ordering: .relaxed) { connection.close() } }

    /// The next bytes; `nil` after the last ones.
    func next() async throws -> ByteBuffer? {
        let connection = connection
        let spares = spares
        do {
            return try await withTaskCancellationHandler {
                guard let piece = try await connection.nextPiece(spares: spares) else {
                    finish()
                    return nil
                }
                return piece
            } onCancel: {
                connection.close()
            }
        } catch {
            close()
            if Task.isCancelled { throw CancellationError() }
            throw HTTPExchange.translated(error)
        }
    }

    /// Gives back the memory of a piece that has been used.
    func recycle(_ piece: ByteBuffer) { spares.put(piece) }

    private func finish() {
        guard !isDone.exchange(true, ordering: .relaxed) else { return }
        if keepsAlive { release() } else { connection.close() }
    }

    /// Gives up the rest.
    func close() {
        guard !isDone.exchange(true, ordering: .relaxed) else { return }
        connection.close()
    }

    /// The whole body.
    ///
    /// - Throws: `DistributionError.wrongContent` beyond `limit` bytes.
    func collect(limit: Int) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let piece = try await next() {
            guard bytes.count + piece.readableBytes <= limit else {
                close()
                throw DistributionError(.wrongContent, "the registry's answer is longer than \(limit) bytes")
            }
            bytes += piece.readableBytesView
        }
        return bytes
    }

    /// Reads what is left if it is short, so that the connection can be used again.
    func drop() async {
        var left = 64 << 10
        // What goes wrong here ends the connection and matters to nobody.
        while left > 0, let piece = try? await next() { left -= piece.readableBytes }
        close()
    }
}
