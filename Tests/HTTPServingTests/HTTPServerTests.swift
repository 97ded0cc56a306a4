import HTTPServing
import LinuxKernel
import NIOHTTP1
import Testing

@Suite("The HTTP server", .timeLimit(.minutes(10)))
struct HTTPServerTests {
    private static func responder(
        _ respond: @escaping @Sendable (HTTPRequest) async throws -> HTTPResponse
    ) -> HTTPResponder {
        HTTPResponder(respond: respond) { error, _ in
            HTTPResponse(status: .internalServerError, body: .bytes(Array("\(error)".utf8)))
        }
    }

    private static let echo = responder { request in
        HTTPResponse(
            status: .ok,
            body: .bytes(
                Array("\(request.method) \(request.target) ".utf8) + (try await request.body.collect(limit: 1000))))
    }

    @Test("requests follow each other on one connection, also when sent at once")
    func keepAlive() async throws {
        try await TestServer.run(Self.echo) { client in
            try await client.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await client.receiveResponse().body == "GET /a ")
            try await client.send(
                "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nxyzGET /c?d=e HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await client.receiveResponse().body == "POST /b xyz")
            #expect(try await client.receiveResponse().body == "GET /c?d=e ")
        }
    }

    @Test("an answer after which the connection ends says so, any other does not")
    func announcedEnd() async throws {
        let hasty = Self.responder { _ in HTTPResponse(status: .ok, body: .bytes(Array("no".utf8))) }
        try await TestServer.run(hasty) { client in
            try await client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
            #expect(try await !client.receiveResponse().head.contains("Connection"))
            // Of this body the rest has not come, and nobody waits for it.
            try await client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na")
            #expect(try await client.receiveResponse().head.contains("\r\nConnection: close\r\n"))
            #expect(try await client.receiveAll() == [])
        }
    }

    @Test("the absolute form of a target is its path; every answer has a date")
    func absoluteForm() async throws {
        try await TestServer.run(Self.echo) { client in
            try await client.send("GET http://x:1/a?b=/c HTTP/1.1\r\nHost: x:1\r\n\r\n")
            let response = try await client.receiveResponse()
            #expect(response.body == "GET /a?b=/c ")
            #expect(
                response.head.contains(
                    /\r\nDate: (Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT\r\n/))
            try await client.send("GET http://x?q HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await client.receiveResponse().body == "GET /?q ")
        }
    }

    @Test(
        "HTTP/1.1 without exactly one host is refused",
        arguments: [
            ("", "400 Bad Request: missing required Host header"),
            ("Host: a\r\nHost: b\r\n", "400 Bad Request: too many Host headers"),
        ])
    func hostHeader(headers: String, text: String) async throws {
        try await TestServer.run(Self.echo) { client in
            try await client.send("GET / HTTP/1.1\r\n\(headers)\r\n")
            let response = try await client.receiveResponse()
            #expect(response.head.hasPrefix("HTTP/1.1 400"))
            #expect(response.body == text)
        }
    }

    @Test("a host without a name is one: there is none where a Unix socket leads")
    func emptyHost() async throws {
        try await TestServer.run(Self.echo) { client in
            for header in ["Host:", "Host: ", "Host: x"] {
                try await client.send("GET /a HTTP/1.1\r\n\(header)\r\n\r\n")
                #expect(try await client.receiveResponse().body == "GET /a ")
            }
            try await client.send("GET / HTTP/1.1\r\nHost:\r\nHost:\r\n\r\n")
            #expect(try await client.receiveResponse().body == "400 Bad Request: too many Host headers")
        }
    }

    @Test("a chunked body arrives whole")
    func chunkedBody() async throws {
        try await TestServer.run(Self.echo) { client in
            try await client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            try await client.send("2\r\nde\r\n0\r\n\r\n")
            #expect(try await client.receiveResponse().body == "POST / abcde")
        }
    }

    @Test("a body beyond the limit is an error, and the connection ends after the response")
    func bodyLimit() async throws {
        try await TestServer.run(Self.echo) { client in
            try await client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
            try await client.send([UInt8](repeating: 65, count: 2000))
            let response = try await client.receiveResponse()
            #expect(response.head.hasPrefix("HTTP/1.1 500"))
            #expect(response.body == "request body is larger than 1000 bytes")
            #expect(try await client.receiveAll().isEmpty)
        }
    }

    @Test("a client that asks to be told may send its body after 100 Continue")
    func continueFirst() async throws {
        try await TestServer.run(Self.echo) { client in
            try await client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
            #expect(try await client.receive(until: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
            try await client.send("ok")
            #expect(try await client.receiveResponse().body == "POST / ok")
        }
    }

    @Test("HEAD has the length and no body; 204 has neither")
    func withoutBody() async throws {
        let responder = Self.responder { request in
            request.target == "/none"
                ? HTTPResponse(status: .noContent) : HTTPResponse(status: .ok, body: .bytes(Array("OK".utf8)))
        }
        try await TestServer.run(responder) { client in
            try await client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
            let head = try await client.receive(until: "\r\n\r\n")
            #expect(head.contains("Content-Length: 2"))
            try await client.send("DELETE /none HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await client.receive(until: "\r\n\r\n").hasPrefix("HTTP/1.1 204 No Content\r\n"))
        }
    }

    @Test("the head of a stream is sent before its first piece exists")
    func streamHead() async throws {
        let (gate, open) = AsyncStream.makeStream(of: Void.self)
        let responder = Self.responder { _ in
            HTTPResponse(
                status: .ok,
                body: .stream { writer in
                    for await _ in gate { break }
                    try await writer.write(Array("end".utf8))
                })
        }
        try await TestServer.run(responder) { client in
            try await client.send("POST /wait HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await client.receive(until: "\r\n\r\n").contains("transfer-encoding: chunked"))
            open.yield()
            #expect(try await client.receive(until: "0\r\n\r\n") == "3\r\nend\r\n0\r\n\r\n")
        }
    }

    @Test("pieces of a feed come with the next flush, and none after its end; the connection goes on")
    func feed() async throws {
        let (gate, open) = AsyncStream.makeStream(of: Void.self)
        let (feeds, hand) = AsyncStream.makeStream(of: BodyFeed.self)
        let responder = Self.responder { _ in
            HTTPResponse(
                status: .ok,
                body: .feed { feed in
                    hand.yield(feed)
                    for await _ in gate { break }
                })
        }
        try await TestServer.run(responder) { client in
            try await client.send("GET /feed HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await client.receive(until: "\r\n\r\n").contains("transfer-encoding: chunked"))
            let feed = try #require(await feeds.first { _ in true })
            feed.add(Array("one".utf8))
            feed.add(Array("two".utf8))
            feed.flush()
            #expect(try await client.receive(until: "two\r\n") == "3\r\none\r\n3\r\ntwo\r\n")
            feed.add(Array("last".utf8))
            open.yield()
            #expect(try await client.receive(until: "0\r\n\r\n") == "4\r\nlast\r\n0\r\n\r\n")
            feed.add(Array("late".utf8))
            feed.flush()
            open.yield()
            try await client.send("GET /feed HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await client.receive(until: "0\r\n\r\n").hasPrefix("HTTP/1.1 200"))
        }
    }

    @Test("an error before the first piece of a late stream is a response of its own")
    func lateStreamFailure() async throws {
        let responder = Self.responder { _ in
            HTTPResponse(status: .ok, body: .lateStream { _ in throw HTTPServerError.bodyTooLarge(limit: 7) })
        }
        try await TestServer.run(responder) { client in
            try await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await client.receiveResponse().head.hasPrefix("HTTP/1.1 500"))
        }
    }

    @Test("a stream that fails half-way ends without its last chunk")
    func streamFailure() async throws {
        let responder = Self.responder { _ in
            HTTPResponse(
                status: .ok,
                body: .stream { writer in
                    try await writer.write(Array("part".utf8))
                    throw HTTPServerError.connectionClosed
                })
        }
        try await TestServer.run(responder) { client in
            try await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            let all = String(decoding: try await client.receiveAll(), as: UTF8.self)
            #expect(!all.hasSuffix("0\r\n\r\n"))
        }
    }

    @Test("a client that goes away cancels its request")
    func disconnect() async throws {
        let (begun, begin) = AsyncStream.makeStream(of: Void.self)
        let (cancelled, tell) = AsyncStream.makeStream(of: Void.self)
        let responder = Self.responder { _ in
            begin.yield()
            await withTaskCancellationHandler {
                while !Task.isCancelled { try? await Task.sleep(for: .seconds(10)) }
            } onCancel: {
                tell.yield()
            }
            return HTTPResponse(status: .noContent)
        }
        try await TestServer.run(responder) { client in
            try await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            for await _ in begun { break }
            client.close()
            for await _ in cancelled { break }
        }
    }

    @Test("a client that only has no more to say still gets its answer")
    func halfClosedRequest() async throws {
        let (gate, open) = AsyncStream.makeStream(of: Void.self)
        let responder = Self.responder { _ in
            for await _ in gate { break }
            return HTTPResponse(status: .ok, body: .bytes(Array("late".utf8)))
        }
        try await TestServer.run(responder) { client in
            try await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            try client.finishSending()
            open.yield()
            #expect(String(decoding: try await client.receiveAll(), as: UTF8.self).hasSuffix("late"))
        }
    }

    @Test("what is not HTTP is answered with 400")
    func noHTTP() async throws {
        try await TestServer.run(Self.echo) { client in
            try await client.send("hello\r\n\r\n")
            let all = String(decoding: try await client.receiveAll(), as: UTF8.self)
            #expect(all.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
        }
    }

    @Test("much data passes a slow client piece by piece")
    func backPressure() async throws {
        let total = 8 << 20
        let (begun, begin) = AsyncStream.makeStream(of: Void.self)
        let responder = Self.responder { _ in
            HTTPResponse(
                status: .ok, headers: ["Content-Length": "\(total)"],
                body: .stream { writer in
                    for index in 0..<(total / 1024) {
                        // Less than the socket holds, so that it is reached before anybody reads.
                        if index == 10 { begin.yield() }
                        try await writer.write([UInt8](repeating: UInt8(truncatingIfNeeded: index), count: 1024))
                    }
                })
        }
        try await TestServer.run(responder) { client in
            try await client.send("GET / HTTP/1.0\r\n\r\n")
            for await _ in begun { break }
            let all = try await client.receiveAll()
            #expect(all.count > total)
            #expect(all.suffix(1024).allSatisfy { $0 == 255 })
        }
    }
}
