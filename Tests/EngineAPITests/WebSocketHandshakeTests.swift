import EngineAPI
import NIOHTTP1
import Testing

@Suite("Handshake of WebSocket")
struct WebSocketHandshakeTests {
    private static let wish: HTTPHeaders = [
        "Host": "127.0.0.1:2375", "Upgrade": "websocket", "Connection": "keep-alive, Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13",
    ]

    private static func with(_ name: String, _ value: String?) -> HTTPHeaders {
        var headers = wish
        headers.remove(name: name)
        if let value { headers.add(name: name, value: value) }
        return headers
    }

    @Test("the answer proves that the key was read, as in the example of RFC 6455")
    func answer() throws {
        let answer = try WebSocketHandshake(Self.wish).answer
        #expect(answer["Sec-WebSocket-Accept"] == ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="])
        #expect(answer["Upgrade"] == ["websocket"] && answer["Connection"] == ["Upgrade"])
        #expect(answer["Sec-WebSocket-Protocol"] == [])
        let chosen = try WebSocketHandshake(Self.with("Sec-WebSocket-Protocol", "docker, other")).answer
        #expect(chosen["Sec-WebSocket-Protocol"] == ["docker"])
    }

    @Test(
        "what is no handshake is refused",
        arguments: [
            ("Upgrade", nil, "not websocket protocol"), ("Upgrade", "tcp", "not websocket protocol"),
            ("Connection", "close", "not websocket protocol"),
            ("Sec-WebSocket-Version", "8", "missing or bad WebSocket Version"),
            ("Sec-WebSocket-Version", nil, "missing or bad WebSocket Version"),
            ("Sec-WebSocket-Key", nil, "mismatch challenge/response"),
            ("Sec-WebSocket-Key", "short", "mismatch challenge/response"),
        ] as [(String, String?, String)])
    func refused(_ name: String, _ value: String?, _ words: String) {
        #expect(throws: APIError.invalid(words)) { try WebSocketHandshake(Self.with(name, value)) }
    }

    @Test(
        "pages of other sites are turned away",
        arguments: [
            ("http://127.0.0.1:2375", true), ("http://localhost", true), ("https://localhost:8080", true),
            ("http://[::1]:8080", true), ("http://127.0.0.1:9000", true), ("https://example.com", false),
            ("http://localhost.example.com", false), ("null", false), ("file://", false), ("", false),
        ])
    func origins(_ origin: String, _ isTrusted: Bool) {
        let isTaken = (try? WebSocketHandshake(Self.with("Origin", origin))) != nil
        #expect(isTaken == isTrusted, "\(origin)")
    }
}
