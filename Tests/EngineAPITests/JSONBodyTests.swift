import EngineAPI
import HTTPServing
import JSON
import NIOCore
import NIOHTTP1
import Testing

@Suite("JSON in requests")
struct JSONBodyTests {
    private func request(
        _ body: String, version: Int = 51, type: String = "application/json", limit: Int = 1 << 20
    ) throws -> RoutedRequest {
        let source = OneBuffer(ByteBuffer(string: body))
        return RoutedRequest(
            http: HTTPRequest(
                method: .POST, target: "/", headers: ["Content-Type": type, "Content-Length": "\(body.utf8.count)"],
                body: RequestBody { await source.next() }),
            version: .v(version), query: try Query(""), documentLimit: limit)
    }

    private actor OneBuffer {
        private var buffer: ByteBuffer?

        init(_ buffer: ByteBuffer?) { self.buffer = buffer }

        func next() -> ByteBuffer? { buffer.take() }
    }

    private struct Document: Decodable, Hashable { var a: [Int]? }

    @Test(
        "a missing document is told in the words of the client's version",
        arguments: [
            ("", 51, "invalid JSON: got EOF while reading request body"),
            (" \n", 24, "invalid JSON: got EOF while reading request body"),
            ("", 52, "invalid JSON: EOF"), ("\t", 55, "invalid JSON: EOF"),
        ])
    func missing(body: String, version: Int, message: String) async throws {
        let request = try request(body, version: version)
        await #expect(throws: APIError.invalid(message)) { try await request.decodeNeededBody(Document.self) }
    }

    @Test("where a document may be missing, nothing and null are none")
    func optional() async throws {
        #expect(try await request("").decodeBody(Document.self) == nil)
        #expect(try await request("null").decodeBody(Document.self) == nil)
        #expect(try await request("null").decodeNeededBody(Document.self) == nil)
        #expect(try await request("{\"a\":[1]}").decodeNeededBody(Document.self) == Document(a: [1]))
    }

    @Test("a document beyond the limit is refused by its size")
    func tooLarge() async throws {
        let request = try request("{\"a\":[\(String(repeating: "1", count: 5000))]}", limit: 4096)
        await #expect(throws: HTTPServerError.bodyTooLarge(limit: 4096)) { try await request.decodeBody(Document.self) }
    }

    @Test("a document of very many values is refused before they fill the memory")
    func tooManyValues() async throws {
        let many = "{\"a\":[\(String(repeating: "1,", count: 40_000))1]}"
        let request = try request(many, limit: 200_000)
        await #expect(throws: JSONError.self) { try await request.decodeBody(Document.self) }
        let larger = try self.request(many, limit: 1 << 20)
        #expect(try await larger.decodeBody(Document.self)?.a?.count == 40_001)
    }
}
