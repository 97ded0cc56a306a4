import BlockingCalls
import Glibc
import HTTPServing
import LinuxKernel
import NIOPosix
import Synchronization
import SystemPackage

/// A server with one connection, over a socket pair.
struct TestServer {
    let client: TestClient
    private let server: HTTPServer

    /// Runs `body` with a server that answers by `responder`; `early` has been sent before the server looks.
    static func run(
        _ responder: HTTPResponder, limits: ConnectionLimits = ConnectionLimits(), sending early: String = "",
        _ body: @escaping @Sendable (TestClient) async throws -> Void
    ) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let server = HTTPServer(group: group, responder: responder, limits: limits)
        let (near, far) = try UnixSocket.pair(.stream)
        let client = TestClient(socket: near)
        try await client.send(early)
        try await server.serve(far)
        do {
            try await body(client)
        } catch {
            client.close()
            await server.stop(grace: .zero)
            throw error
        }
        client.close()
        await server.stop(grace: .seconds(2))
    }
}

/// A client that speaks HTTP by hand, or whatever else is at the end of a socket. Its blocking calls run on threads of
/// their own.
final class TestClient: Sendable {
    let socket: FileDescriptor
    private let isClosed = Mutex(false)
    private static let pool = BlockingPool(threads: 16, name: "test-client")

    init(socket: FileDescriptor) { self.socket = socket }

    deinit { close() }

    /// Closes the socket, once.
    func close() {
        let first = isClosed.withLock { closed in
            defer { closed = true }
            return !closed
        }
        if first { socket.discard() }
    }

    func send(_ text: String) async throws { try await send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) async throws {
        let socket = socket
        try await Self.pool.run { _ = try socket.writeAll(bytes) }
    }

    /// Whether the next read would return at once, with bytes or with the end.
    var hasSomethingToRead: Bool {
        get throws { try Poll.wait(for: [(socket, .readable)], milliseconds: 0) != [[]] }
    }

    /// Waits until the other side has got something, takes nothing more, and the socket is full.
    func waitUntilFull() async throws {
        let socket = socket
        try await Self.pool.run {
            while try Poll.wait(for: [(socket, .writable)], milliseconds: 0) != [[]] { Poll.pause(milliseconds: 1) }
        }
    }

    /// Ends the client's side, as closing standard input does.
    func finishSending() throws { try socket.shutdownSending() }

    /// Reads until `ending` has come, or the end of the stream.
    func receive(until ending: String) async throws -> String {
        let socket = socket
        return try await Self.pool.run {
            var bytes: [UInt8] = []
            var one: [UInt8] = [0]
            while !String(decoding: bytes, as: UTF8.self).hasSuffix(ending) {
                guard try one.withUnsafeMutableBytes({ try socket.read(into: $0) }) > 0 else { break }
                bytes += one
            }
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    /// Reads so many bytes, or up to the end of the stream.
    func receive(bytes count: Int) async throws -> [UInt8] {
        let socket = socket
        return try await Self.pool.run {
            var bytes: [UInt8] = []
            while bytes.count < count {
                var buffer = [UInt8](repeating: 0, count: count - bytes.count)
                let read = try buffer.withUnsafeMutableBytes { try socket.read(into: $0) }
                if read == 0 { break }
                bytes += buffer[..<read]
            }
            return bytes
        }
    }

    /// Reads everything up to the end of the stream.
    func receiveAll() async throws -> [UInt8] {
        let socket = socket
        return try await Self.pool.run {
            var bytes: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 64 << 10)
            while true {
                let count = try buffer.withUnsafeMutableBytes { try socket.read(into: $0) }
                if count == 0 { return bytes }
                bytes += buffer[..<count]
            }
        }
    }

    /// Reads one response with an announced length.
    func receiveResponse() async throws -> (head: String, body: String) {
        let head = try await receive(until: "\r\n\r\n")
        let length =
            head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length: ") }
            .flatMap { Int($0.dropFirst(16)) } ?? 0
        let socket = socket
        let body = try await Self.pool.run {
            var bytes: [UInt8] = []
            while bytes.count < length {
                var buffer = [UInt8](repeating: 0, count: length - bytes.count)
                let count = try buffer.withUnsafeMutableBytes { try socket.read(into: $0) }
                if count == 0 { break }
                bytes += buffer[..<count]
            }
            return String(decoding: bytes, as: UTF8.self)
        }
        return (head, body)
    }

    /// Waits until the other end has closed the connection, without reading what it has sent.
    func waitForHangUp() async throws {
        let socket = socket
        try await Self.pool.run {
            var entry = pollfd(fd: socket.rawValue, events: 0, revents: 0)
            while poll(&entry, 1, -1) < 0 {
                guard errno == EINTR else { throw Errno(rawValue: errno) }
            }
        }
    }

    /// Runs a blocking function beside the test.
    static func blocking<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await pool.run(body)
    }
}
