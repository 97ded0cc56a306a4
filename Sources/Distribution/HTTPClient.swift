import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import TLS
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

/// HTTP/1.1 to one server and to wherever it sends us: connections are kept for the next request, and trust is that
/// server's.
///
/// SwiftNIO and its TLS are in the daemon already for its own interface; on them this takes four hundred lines, a tenth
/// of what a general client with its HTTP/2 and a dozen more packages would add to the program.
final class HTTPClient: Sendable {
    private struct Idle {
        let connection: HTTPClientConnection
        let server: String
    }

    private let group: any EventLoopGroup
    private let trust: RegistryTrust
    private let server: WebAddress
    private let patience: TimeAmount
    private let proxies: ProxySettings
    private let userAgent: String
    private let idle = Mutex<[Idle]>([])
    private let contexts = Mutex<[Bool: TLSContext]>([:])

    /// - Parameters:
    ///   - server: whom `trust` is about; others, to which it redirects, are trusted by the system's rules.
    ///   - settings: how long a server may stay silent, and which proxies are between it and us.
    init(_ group: any EventLoopGroup, server: WebAddress, trust: RegistryTrust, settings: RegistrySettings) {
        self.group = group
        self.server = server
        self.trust = trust
        proxies = settings.proxies
        userAgent = settings.userAgent
        let patience = settings.retries.patience
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
        // A connection that was kept may have been closed by the other side just now: that is no failure of the
        // registry.
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
        let connection: HTTPClientConnection
        switch proxies.route(to: address) {
        case .unusable(let reason): throw DistributionError(.unreachable, reason)
        case .direct: connection = try await connect(to: address, tls: try tls(for: address), proxy: nil)
        case .proxy(let proxy):
            do {
                if address.scheme == .http {
                    connection = try await connect(
                        to: proxy.address, tls: try tls(for: proxy.address), proxy: proxy)
                } else {
                    connection = try await tunnel(to: address, through: proxy)
                }
            } catch let error as DistributionError where error.reason == .unreachable && error.status == nil {
                throw DistributionError(.unreachable, "proxyconnect tcp: \(error.message)")
            }
        }
        if Task.isCancelled {
            connection.close()
            throw CancellationError()
        }
        return connection
    }

    private var bootstrap: ClientBootstrap {
        ClientBootstrap(group: group)
            .connectTimeout(.seconds(20))
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 128 << 10))
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
    }

    /// TLS to a server, where its address wants it.
    private func tls(for address: WebAddress) throws -> TLSPeer? {
        guard address.scheme == .https else { return nil }
        return TLSPeer(context: try context(for: address), host: address.host, patience: patience)
    }

    /// - Parameter proxy: what is at `place`, if it is not the server itself.
    private func connect(to place: WebAddress, tls: TLSPeer?, proxy: WebProxy?) async throws -> HTTPClientConnection {
        let patience = patience
        do {
            return try await bootstrap.connect(host: place.host, port: place.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try tls?.add(to: channel)
                    return try HTTPClientConnection(speakingHTTPOn: channel, patience: patience, proxy: proxy)
                }
            }
        } catch {
            throw DistributionError(.unreachable, Self.reason(error, place))
        }
    }

    /// A connection to a server that a proxy hands on without looking at it.
    private func tunnel(to address: WebAddress, through proxy: WebProxy) async throws -> HTTPClientConnection {
        let (outer, inner) = (try tls(for: proxy.address), try tls(for: address))
        let (patience, userAgent) = (patience, userAgent)
        let name = address.host.contains(":") ? "[\(address.host)]" : address.host
        let target = "\(name):\(address.port)"
        let opening: EventLoopFuture<HTTPClientConnection>
        do {
            opening = try await bootstrap.connect(host: proxy.address.host, port: proxy.address.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try outer?.add(to: channel)
                    let isOpen = channel.eventLoop.makePromise(of: Void.self)
                    let tunnel = ProxyTunnel(
                        through: proxy, to: target, userAgent: userAgent, patience: patience, isOpen: isOpen)
                    try pipeline.addHandler(tunnel)
                    let bound = NIOLoopBound(tunnel, eventLoop: channel.eventLoop)
                    return isOpen.futureResult.flatMap {
                        channel.pipeline.syncOperations.removeHandler(bound.value)
                    }.flatMapThrowing {
                        try inner?.add(to: channel)
                        return try HTTPClientConnection(speakingHTTPOn: channel, patience: patience, proxy: nil)
                    }
                }
            }
        } catch {
            throw DistributionError(.unreachable, Self.reason(error, proxy.address))
        }
        return try await opening.get()
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
    private func context(for address: WebAddress) throws -> TLSContext {
        let isOwn = address.isSameServer(as: server)
        if let known = contexts.withLock({ $0[isOwn] }) { return known }
        let made = try (isOwn ? trust : RegistryTrust()).context()
        contexts.withLock { $0[isOwn] = made }
        return made
    }
}

/// The other end of a TLS connection.
private struct TLSPeer: Sendable {
    let context: TLSContext
    let host: String
    let patience: TimeAmount

    /// Called on the channel's event loop.
    func add(to channel: any Channel) throws {
        try channel.pipeline.syncOperations.addTLS(client: context, to: host, handshakeTime: patience)
    }
}
