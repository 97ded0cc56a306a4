import HTTPServing
import LinuxKernel
import NIOHTTP1
import Synchronization
import SystemPackage
import Testing

/// The far end of a hijacked stream: what a shim is to the daemon.
@Suite("Hijacked streams", .timeLimit(.minutes(10)))
struct HijackTests {
    /// Runs a server whose every request is hijacked and joined with a socket; `body` has the client and that socket's
    /// other end.
    private static func run(
        beforeJoining: (@Sendable () async throws -> Void)? = nil, beforeEnd: (@Sendable () async -> Void)? = nil,
        _ body: @escaping @Sendable (TestClient, TestClient) async throws -> Void
    ) async throws {
        let (near, far) = try UnixSocket.pair(.stream)
        let shim = TestClient(socket: far)
        let responder = HTTPResponder(
            respond: { request in
                HTTPResponse(
                    status: .custom(code: request.asksForUpgrade ? 101 : 200, reasonPhrase: "UPGRADED"),
                    headers: ["Connection": "Upgrade", "Upgrade": "tcp"],
                    body: .hijack { connection in
                        do {
                            try await beforeJoining?()
                            try await connection.join(near, beforeEnd: beforeEnd)
                        } catch {
                            Issue.record(error)
                        }
                    })
            },
            failure: { error, _ in HTTPResponse(status: .internalServerError, body: .bytes(Array("\(error)".utf8))) })
        try await TestServer.run(responder) { client in try await body(client, shim) }
        shim.close()
    }

    private static let request = "POST /attach HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
    private static let head = "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"

    @Test("bytes pass both ways and the end of each side is passed on")
    func bothWays() async throws {
        try await Self.run { client, shim in
            try await client.send(Self.request)
            #expect(try await client.receive(until: "\r\n\r\n") == Self.head)
            try await client.send("input")
            #expect(try await shim.receive(until: "input") == "input")
            try await shim.send("output")
            #expect(try await client.receive(until: "output") == "output")
            try client.finishSending()
            #expect(try await shim.receiveAll().isEmpty)
            try await shim.send("still here")
            try shim.finishSending()
            #expect(String(decoding: try await client.receiveAll(), as: UTF8.self) == "still here")
        }
    }

    @Test("input sent with the request, and its end, are not lost", arguments: [false, true])
    func earlyInput(_ isJoinedLate: Bool) async throws {
        let (gate, open) = AsyncStream.makeStream(of: Void.self)
        if !isJoinedLate { open.finish() }
        try await Self.run(beforeJoining: { for await _ in gate { break } }) { client, shim in
            try await client.send(Self.request + "early")
            try client.finishSending()
            // The answer comes before the joining: with it, all that was sent has come to the server.
            #expect(try await client.receive(until: "\r\n\r\n") == Self.head)
            open.yield()
            #expect(try await shim.receiveAll() == Array("early".utf8))
            try await shim.send("late")
            try shim.finishSending()
            #expect(String(decoding: try await client.receiveAll(), as: UTF8.self) == "late")
        }
    }

    @Test("a body before the upgrade is not taken for input")
    func bodyAndUpgrade() async throws {
        try await Self.run { client, shim in
            try await client.send(
                "POST /exec HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 2\r\n\r\n{}in"
            )
            try client.finishSending()
            #expect(try await shim.receiveAll() == Array("in".utf8))
            try shim.finishSending()
            #expect(String(decoding: try await client.receiveAll(), as: UTF8.self) == Self.head)
        }
    }

    @Test("a client that asks for no upgrade gets 200 and raw bytes")
    func withoutUpgrade() async throws {
        try await Self.run { client, shim in
            try await client.send("POST /attach HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await client.receive(until: "\r\n\r\n").hasPrefix("HTTP/1.1 200 "))
            try await client.send("a")
            #expect(try await shim.receive(until: "a") == "a")
            try await shim.send("b")
            try shim.finishSending()
            #expect(try await client.receiveAll() == Array("b".utf8))
        }
    }

    @Test("output written just before the end reaches a slow client that has closed its input")
    func outputBeforeEnd() async throws {
        let total = 4 << 20
        try await Self.run { client, shim in
            try await client.send(Self.request)
            try client.finishSending()
            async let sent: Void = {
                try await shim.send([UInt8](repeating: 120, count: total))
                shim.close()
            }()
            try await shim.waitUntilFull()
            let received = try await client.receiveAll()
            try await sent
            #expect(received.count == Self.head.utf8.count + total)
        }
    }

    @Test("a shim that ends closes the client's connection although the client goes on sending")
    func unreadInput() async throws {
        try await Self.run { client, shim in
            try await client.send(Self.request)
            _ = try await client.receive(until: "\r\n\r\n")
            try await shim.send("bye")
            shim.close()
            try await client.send([UInt8](repeating: 1, count: 100_000))
            #expect(try await client.receiveAll() == Array("bye".utf8))
        }
    }

    @Test("much input waits for a slow reader")
    func inputBackPressure() async throws {
        let total = 4 << 20
        try await Self.run { client, shim in
            try await client.send(Self.request)
            _ = try await client.receive(until: "\r\n\r\n")
            async let sent: Void = {
                try await client.send([UInt8](repeating: 7, count: total))
                try client.finishSending()
            }()
            try await client.waitUntilFull()
            #expect(try await shim.receiveAll().count == total)
            try await sent
            try shim.finishSending()
            #expect(try await client.receiveAll().isEmpty)
        }
    }

    @Test("a shim that has ended before it is joined has still delivered its output")
    func quickProcess() async throws {
        for _ in 0..<50 {
            try await Self.run { client, shim in
                try await shim.send("quick")
                shim.close()
                try await client.send(Self.request)
                #expect(String(decoding: try await client.receiveAll(), as: UTF8.self) == Self.head + "quick")
            }
        }
    }

    @Test("the end waits for what is to be known before it, the output does not")
    func heldEnd() async throws {
        let (asked, ask) = AsyncStream.makeStream(of: Void.self)
        let (gate, open) = AsyncStream.makeStream(of: Void.self)
        let isHeld: @Sendable () async -> Void = {
            ask.yield()
            for await _ in gate { break }
        }
        try await Self.run(beforeEnd: isHeld) { client, shim in
            try await client.send(Self.request)
            try await shim.send("output")
            shim.close()
            #expect(try await client.receive(until: "output") == Self.head + "output")
            for await _ in asked { break }
            #expect(try !client.hasSomethingToRead, "not even the end")
            open.yield()
            #expect(try await client.receiveAll().isEmpty)
        }
    }
}
