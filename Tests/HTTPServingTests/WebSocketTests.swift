import HTTPServing
import LinuxKernel
import NIOCore
import NIOHTTP1
import SystemPackage
import Testing

/// Streams by WebSocket, as their bytes are on the wire (RFC 6455).
@Suite("WebSocket", .timeLimit(.minutes(10)))
struct WebSocketTests {
    /// Runs a server whose every request goes on by WebSocket and is joined with a socket; `body` has the client, past
    /// the head of the answer, and that socket's other end.
    private static func run(
        _ messages: WebSocketMessages = .binary,
        _ body: @escaping @Sendable (TestClient, TestClient) async throws -> Void
    ) async throws {
        let (near, far) = try UnixSocket.pair(.stream)
        let shim = TestClient(socket: far)
        let responder = HTTPResponder(
            respond: { _ in
                var response = HTTPResponse(
                    status: .switchingProtocols, headers: ["Connection": "Upgrade", "Upgrade": "websocket"],
                    body: .hijack { connection in
                        // A client that violates the protocol ends the stream, which is what some tests are about.
                        try? await connection.join(near)
                    })
                response.webSocketMessages = messages
                return response
            },
            failure: { error, _ in HTTPResponse(status: .internalServerError, body: .bytes(Array("\(error)".utf8))) })
        try await TestServer.run(responder) { client in
            try await client.send("GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            let head = try await client.receive(until: "\r\n\r\n")
            #expect(head.hasPrefix("HTTP/1.1 101 Switching Protocols\r\n"))
            try await body(client, shim)
        }
        shim.close()
    }

    private static let mask: [UInt8] = [0x37, 0xfa, 0x21, 0x3d]

    /// A client's frame: the first byte, then length, mask and masked payload.
    private static func frame(_ first: UInt8, _ payload: [UInt8], mask: [UInt8] = Self.mask) -> [UInt8] {
        var frame: [UInt8] = [first]
        switch payload.count {
        case 0...125: frame.append(0x80 | UInt8(payload.count))
        case 126...65535: frame += [0x80 | 126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
        default: frame += [0x80 | 127] + (0..<8).map { UInt8(truncatingIfNeeded: payload.count >> (56 - $0 * 8)) }
        }
        return frame + mask + payload.enumerated().map { $1 ^ mask[$0 & 3] }
    }

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test("bytes go both ways, and the end of the output is a close frame, to which the client answers")
    func bothWays() async throws {
        try await Self.run { client, shim in
            try await client.send(Self.frame(0x82, Array("input".utf8)))
            #expect(try await shim.receive(until: "input") == "input")
            try await shim.send("output")
            #expect(try await client.receive(bytes: 8) == [0x82, 6] + Array("output".utf8))
            try shim.finishSending()
            #expect(try await client.receive(bytes: 4) == [0x88, 2, 0x03, 0xe8])
            shim.close()
            try await client.send(Self.frame(0x88, [0x03, 0xe8]))
            #expect(try await client.receiveAll().isEmpty)
        }
    }

    @Test("output is text where clients expect text, and long pieces have long lengths")
    func outgoing() async throws {
        try await Self.run(.text) { client, shim in
            try await shim.send("abc")
            #expect(try await client.receive(bytes: 5) == [0x81, 3] + Array("abc".utf8))
            let long = [UInt8](repeating: 0x61, count: 1000)
            try await shim.send(long)
            var received: [UInt8] = []
            while received.count < long.count {
                let head = try await client.receive(bytes: 2)
                #expect(head[0] == 0x81)
                var length = Int(head[1])
                if length == 126 {
                    let bytes = try await client.receive(bytes: 2)
                    length = Int(bytes[0]) << 8 | Int(bytes[1])
                    #expect(length > 125)
                }
                received += try await client.receive(bytes: length)
            }
            #expect(received == long)
        }
    }

    @Test("a message may come in fragments, with a ping between, and byte by byte")
    func fragments() async throws {
        try await Self.run { client, shim in
            let bytes =
                Self.frame(0x01, Array("Hel".utf8)) + Self.frame(0x89, Array("are you there".utf8))
                + Self.frame(0x80, Array("lo".utf8)) + Self.frame(0x82, []) + Self.frame(0x8a, [])
                + Self.frame(0x82, Array("!".utf8))
            for byte in bytes { try await client.send([byte]) }
            #expect(try await shim.receive(until: "!") == "Hello!")
            #expect(try await client.receive(bytes: 15) == [0x8a, 13] + Array("are you there".utf8))
        }
    }

    @Test(
        "a frame may be of any length, and its bytes come before it is complete",
        arguments: [126, 65535, 65536, 300_000])
    func long(_ count: Int) async throws {
        try await Self.run { client, shim in
            let payload = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
            let frame = Self.frame(0x82, payload)
            try await client.send(Array(frame.dropLast()))
            #expect(try await shim.receive(bytes: count - 1) == Array(payload.dropLast()))
            try await client.send([frame[frame.count - 1]])
            #expect(try await shim.receive(bytes: 1) == [payload[count - 1]])
        }
    }

    @Test(
        "a client's close frame comes back with its code, ends the input and the connection", arguments: [1000, 4001])
    func clientCloses(_ code: Int) async throws {
        try await Self.run { client, shim in
            let payload = [UInt8(code >> 8), UInt8(code & 255)]
            try await client.send(Self.frame(0x82, Array("last".utf8)) + Self.frame(0x88, payload + Array("bye".utf8)))
            #expect(try await shim.receiveAll() == Array("last".utf8))
            #expect(try await client.receiveAll() == [0x88, 2] + payload)
        }
    }

    @Test("a close frame without a code comes back without one")
    func closeWithoutCode() async throws {
        try await Self.run { client, shim in
            try await client.send(Self.frame(0x88, []))
            #expect(try await client.receiveAll() == [0x88, 0])
            #expect(try await shim.receiveAll().isEmpty)
        }
    }

    @Test("the end of the client's side alone is the end of the input, and output still comes")
    func halfClose() async throws {
        try await Self.run { client, shim in
            try await client.send(Self.frame(0x82, Array("in".utf8)))
            try client.finishSending()
            #expect(try await shim.receiveAll() == Array("in".utf8))
            try await shim.send("out")
            try shim.finishSending()
            #expect(try await client.receiveAll() == [0x82, 3] + Array("out".utf8) + [0x88, 2, 0x03, 0xe8])
        }
    }

    /// What the protocol forbids.
    static let violations: [(String, [UInt8])] = [
        ("a frame without a mask", [0x82, 1, 0x61]), ("a reserved bit", frame(0xc2, [0x61])),
        ("an operation that does not exist", frame(0x83, [0x61])),
        ("a continuation of nothing", frame(0x80, [0x61])),
        ("a message within a message", frame(0x01, [0x61]) + frame(0x81, [0x62])),
        ("a ping in fragments", frame(0x09, [0x61])),
        ("a ping that is too long", frame(0x89, [UInt8](repeating: 0x61, count: 126))),
        ("a length in two bytes that fits into one", [0x82, 0xfe, 0, 125]),
        ("a length in eight bytes that fits into two", [0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff]),
        ("a negative length", [0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        ("half a close code", frame(0x88, [0x03])), ("a close code that is never sent", frame(0x88, [0x03, 0xee])),
        ("a close code of nobody", frame(0x88, [0x0b, 0xb7])),
    ]

    @Test("what the protocol forbids ends the connection with code 1002", arguments: violations)
    func forbidden(_ what: String, _ bytes: [UInt8]) async throws {
        try await Self.run { client, shim in
            try await client.send(bytes + Self.frame(0x82, Array("after".utf8)))
            let answer = try await client.receiveAll()
            #expect(answer == [0x88, 2, 0x03, 0xea], "\(what): \(answer)")
            let input = try await shim.receiveAll()
            #expect(!Self.text(input).contains("after"), "\(what)")
        }
    }

    @Test("memory does not grow with the frames that are read, even if the next one has always come in part")
    func memory() throws {
        var reader = WebSocketReader()
        let ping = Self.frame(0x89, Array("0123456789".utf8))
        let (first, second) = (ping.prefix(7), ping.dropFirst(7))
        reader.append(ByteBuffer(bytes: first))
        for _ in 0..<10_000 {
            reader.append(ByteBuffer(bytes: second + first))
            #expect(try reader.next() == .ping(ByteBuffer(string: "0123456789")))
            #expect(try reader.next() == nil)
        }
        #expect(reader.capacity < 4096)
    }
}
