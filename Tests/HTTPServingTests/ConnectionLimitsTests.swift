import Glibc
import HTTPServing
import LinuxKernel
import NIOHTTP1
import NIOPosix
import Synchronization
import SystemPackage
import Testing

@Suite("Deadlines and byte budgets of connections", .timeLimit(.minutes(10)))
struct ConnectionLimitsTests {
    private static func responder(
        _ respond: @escaping @Sendable (HTTPRequest) async throws -> HTTPResponse
    ) -> HTTPResponder {
        HTTPResponder(respond: respond) { error, _ in
            HTTPResponse(
                status: (error as? HTTPServerError)?.httpStatus ?? .internalServerError,
                body: .bytes(Array("\(error)".utf8)))
        }
    }

    private static let collecting = responder { request in
        HTTPResponse(status: .ok, body: .bytes(try await request.body.collect(limit: 1 << 20)))
    }

    private static func limits(_ change: (inout ConnectionLimits) -> Void) -> ConnectionLimits {
        var limits = ConnectionLimits()
        change(&limits)
        return limits
    }

    private static let get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

    @Test("requests sent at once are answered one after the other as the client takes the answers")
    func pipelining() async throws {
        let total = 400
        let size = 256 << 10
        let begun = Atomic(0)
        let responder = Self.responder { request in
            if request.target == "/" { begun.add(1, ordering: .relaxed) }
            return HTTPResponse(status: .ok, body: .bytes([UInt8](repeating: 1, count: size)))
        }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let server = HTTPServer(group: group, responder: responder)
        let (near, far) = try UnixSocket.pair(.stream)
        let (otherNear, otherFar) = try UnixSocket.pair(.stream)
        try await server.serve(far)
        try await server.serve(otherFar)
        let client = TestClient(socket: near)
        let other = TestClient(socket: otherNear)
        try await client.send(String(repeating: Self.get, count: total))
        // All this time the server could go on with the first connection.
        for _ in 0..<100 {
            try await other.send("GET /other HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await other.receiveResponse().body.utf8.count == size)
        }
        // What the kernel buffers for a socket is far less than ten answers.
        #expect(begun.load(ordering: .relaxed) < 10)
        for _ in 0..<total { #expect(try await client.receiveResponse().body.utf8.count == size) }
        client.close()
        other.close()
        await server.stop(grace: .seconds(2))
        try await group.shutdownGracefully()
    }

    @Test("requests that came before the end of input are all answered")
    func pipeliningAndHalfClose() async throws {
        try await TestServer.run(Self.collecting) { client in
            let post = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
            try await client.send(String(repeating: post, count: 500))
            try client.finishSending()
            let all = String(decoding: try await client.receiveAll(), as: UTF8.self)
            #expect(all.split(separator: "HTTP/1.1 200").count == 500)
            #expect(all.hasSuffix("body"))
        }
    }

    @Test("a client that does not finish its request's head is told so and cut off")
    func headTime() async throws {
        let limits = Self.limits { $0.headTime = .milliseconds(50) }
        try await TestServer.run(Self.collecting, limits: limits, sending: "GET / HTTP/1.1\r\nHost:") { client in
            let all = String(decoding: try await client.receiveAll(), as: UTF8.self)
            #expect(all.hasPrefix("HTTP/1.1 408 Request Timeout\r\n"))
        }
        try await TestServer.run(Self.collecting, limits: limits) { client in
            let all = try await client.receiveAll()
            #expect(all.isEmpty)
        }
    }

    @Test("the time for a head begins anew with each request")
    func laterHead() async throws {
        let limits = Self.limits { $0.headTime = .milliseconds(50) }
        try await TestServer.run(Self.collecting, limits: limits, sending: Self.get) { client in
            #expect(try await client.receiveResponse().head.hasPrefix("HTTP/1.1 200"))
            // Longer than a head may take: between two requests there is other patience.
            try await Task.sleep(for: .milliseconds(150))
            try await client.send("GET /")
            let all = String(decoding: try await client.receiveAll(), as: UTF8.self)
            #expect(all.hasPrefix("HTTP/1.1 408 Request Timeout\r\n"))
        }
    }

    @Test("a connection without requests is closed after a time")
    func idleTime() async throws {
        try await TestServer.run(Self.collecting, limits: Self.limits { $0.idleTime = .milliseconds(50) }) { client in
            try await client.send(Self.get)
            #expect(try await client.receiveResponse().head.hasPrefix("HTTP/1.1 200"))
            #expect(try await client.receiveAll().isEmpty)
        }
    }

    @Test("a body that stands still ends its request, and the connection with it")
    func bodyTime() async throws {
        try await TestServer.run(Self.collecting, limits: Self.limits { $0.bodyTime = .milliseconds(50) }) { client in
            try await client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
            let response = try await client.receiveResponse()
            #expect(response.head.hasPrefix("HTTP/1.1 408 Request Timeout\r\n"))
            #expect(response.body.hasPrefix("the client sent nothing of the request's body"))
            #expect(try await client.receiveAll().isEmpty)
        }
    }

    @Test("a request that is worked on may take as long as it takes")
    func slowAnswer() async throws {
        // Long enough that a busy machine does not reach them while the connection makes progress.
        let limits = Self.limits { limits in
            (limits.headTime, limits.bodyTime) = (.seconds(2), .seconds(2))
            (limits.answerTime, limits.idleTime) = (.seconds(2), .seconds(100))
        }
        let responder = Self.responder { request in
            let body = try await request.body.collect(limit: 100)
            try await Task.sleep(for: .seconds(5))
            return HTTPResponse(status: .ok, body: .stream { try await $0.write(body) })
        }
        let request = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
        try await TestServer.run(responder, limits: limits, sending: request) { client in
            let answer = try await client.receive(until: "0\r\n\r\n")
            #expect(answer.hasSuffix("abc\r\n0\r\n\r\n"))
        }
    }

    @Test("an answer that nobody takes is given up; a stream waits")
    func answerTime() async throws {
        let size = 8 << 20
        let limits = Self.limits { $0.answerTime = .milliseconds(50) }
        let responder = Self.responder { request in
            let bytes = [UInt8](repeating: 7, count: size)
            return request.target == "/stream"
                ? HTTPResponse(status: .ok, body: .stream { try await $0.write(bytes) })
                : HTTPResponse(status: .ok, body: .bytes(bytes))
        }
        try await TestServer.run(responder, limits: limits) { client in
            try await client.send(Self.get)
            try await client.waitForHangUp()
        }
        try await TestServer.run(responder, limits: limits) { client in
            try await client.send("GET /stream HTTP/1.0\r\n\r\n")
            try await Task.sleep(for: .milliseconds(300))
            #expect(try await client.receiveAll().count > size)
        }
        var impatient = limits
        impatient.streamTime = .milliseconds(50)
        try await TestServer.run(responder, limits: impatient) { client in
            try await client.send("GET /stream HTTP/1.0\r\n\r\n")
            try await client.waitForHangUp()
        }
    }

    @Test("a head that is too large is refused before its end", arguments: [4096, 100_000])
    func headBytes(limit: Int) async throws {
        try await TestServer.run(Self.collecting, limits: Self.limits { $0.headBytes = limit }) { client in
            // Sending fails at some point, because the server does not read on.
            async let sent: Void? = try? client.send(
                "GET / HTTP/1.1\r\nHost: x\r\n"
                    + String(repeating: "X-A: \(String(repeating: "a", count: 900))\r\n", count: 600))
            let head = try await client.receive(until: "\r\n\r\n")
            #expect(head.hasPrefix("HTTP/1.1 431 Request Header Fields Too Large\r\n"))
            client.close()
            _ = await sent
        }
    }

    @Test("a body that is all framing and no content is malformed")
    func chunkExtensions() async throws {
        try await TestServer.run(Self.collecting, limits: Self.limits { $0.headBytes = 4096 }) { client in
            try await client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;")
            async let sent: Void? = try? client.send([UInt8](repeating: UInt8(ascii: "a"), count: 1 << 20))
            #expect(try await client.receiveResponse().body == "the request's body is malformed")
            client.close()
            _ = await sent
        }
    }

    @Test("bodies in memory have a budget together; small ones pass")
    func collectedBytes() async throws {
        let (gate, open) = AsyncStream.makeStream(of: Void.self)
        let (held, tell) = AsyncStream.makeStream(of: Void.self)
        let responder = Self.responder { request in
            let body = try await request.body.collect(limit: 1 << 20)
            if request.target == "/hold" {
                tell.yield()
                for await _ in gate { break }
            }
            return HTTPResponse(status: .ok, body: .bytes(Array("\(body.count)".utf8)))
        }
        let server = HTTPServer(
            group: MultiThreadedEventLoopGroup.singleton, responder: responder,
            limits: Self.limits { $0.collectedBytes = 300_000 })
        func connect() async throws -> TestClient {
            let (near, far) = try UnixSocket.pair(.stream)
            try await server.serve(far)
            return TestClient(socket: near)
        }
        func post(_ client: TestClient, _ target: String, _ count: Int) async throws {
            try await client.send("POST \(target) HTTP/1.1\r\nHost: x\r\nContent-Length: \(count)\r\n\r\n")
            // The server answers before the end of a body it will not have.
            try? await client.send([UInt8](repeating: 65, count: count))
        }
        let first = try await connect()
        try await post(first, "/hold", 300_000)
        for await _ in held { break }
        let second = try await connect()
        try await post(second, "/", 300_000)
        #expect(try await second.receiveResponse().head.hasPrefix("HTTP/1.1 503"))
        let third = try await connect()
        try await post(third, "/", 60_000)
        #expect(try await third.receiveResponse().body == "60000")
        open.yield()
        #expect(try await first.receiveResponse().body == "300000")
        // What the first had is free again when its request is forgotten, a moment after its answer.
        var last = ""
        while last != "300000" {
            let fourth = try await connect()
            try await post(fourth, "/", 300_000)
            last = try await fourth.receiveResponse().body
            await Task.yield()
        }
        await server.stop(grace: .zero)
    }

    @Test("one connection too many ends at once")
    func connections() async throws {
        let server = HTTPServer(
            group: MultiThreadedEventLoopGroup.singleton, responder: Self.collecting,
            limits: Self.limits { $0.connections = 1 })
        let port = try await server.listen(host: "127.0.0.1", port: 0)
        let first = try Self.connect(to: port)
        try await first.send(Self.get)
        #expect(try await first.receiveResponse().head.hasPrefix("HTTP/1.1 200"))
        let second = try Self.connect(to: port)
        // Closed before or after the request has come: an end or a reset.
        #expect(((try? await second.receiveAll()) ?? []).isEmpty)
        await server.stop(grace: .zero)
    }

    @Test("a TCP client that has gone cancels its request")
    func goneFromTCP() async throws {
        let (cancelled, tell) = AsyncStream.makeStream(of: Void.self)
        let responder = Self.responder { _ in
            await withTaskCancellationHandler {
                while !Task.isCancelled { try? await Task.sleep(for: .seconds(10)) }
            } onCancel: {
                tell.yield()
            }
            return HTTPResponse(status: .noContent)
        }
        let server = HTTPServer(group: MultiThreadedEventLoopGroup.singleton, responder: responder)
        let client = try Self.connect(to: try await server.listen(host: "127.0.0.1", port: 0))
        try await client.send(Self.get)
        client.close()
        for await _ in cancelled { break }
        await server.stop(grace: .zero)
    }

    private static func connect(to port: Int) throws -> TestClient {
        let number = socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), CInt(IPPROTO_TCP))
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = UInt16(port).bigEndian
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafeBytes(of: name) { bytes in
            Glibc.connect(number, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress, socklen_t(bytes.count))
        }
        guard result == 0 else { throw Errno(rawValue: errno) }
        return TestClient(socket: FileDescriptor(rawValue: number))
    }
}
