import HTTPServing
import JSON
import NIOHTTP1

extension HTTPResponse {
    /// A JSON document, with the newline that Docker's encoder writes after it.
    package static func json(_ value: some Encodable, status: HTTPResponseStatus = .ok) -> HTTPResponse {
        do {
            let bytes = try JSON.encode(value)
            return HTTPResponse(
                status: status, headers: ["Content-Type": "application/json"],
                body: .bytes(bytes + [UInt8(ascii: "\n")]))
        } catch {
            // Only a number that JSON cannot spell gets here; the API has none.
            return HTTPResponse(status: .internalServerError, body: .bytes(Array("\(error)\n".utf8)))
        }
    }

    /// A response without a body.
    package static func empty(_ status: HTTPResponseStatus) -> HTTPResponse { HTTPResponse(status: status) }
}

extension RoutedRequest {
    /// Requests as JSON are small; a larger one is a mistake or an attack.
    private static let bodyLimit = 16 << 20

    /// Decodes the body, which must be one JSON document announced as such. `nil` if there is no body at all.
    ///
    /// - Throws: `APIError` (invalid) with Docker's words; `JSONError`.
    package func decodeBody<T: Decodable>(_ type: T.Type) async throws -> T? {
        let contentType = http.headers.first(name: "Content-Type") ?? ""
        if contentType.isEmpty, http.contentLength == 0 { return nil }
        try Self.checkContentType(contentType)
        if http.contentLength == 0 { return nil }
        let bytes = try await http.body.collect(limit: Self.bodyLimit)
        guard bytes.contains(where: { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }) else {
            throw APIError.invalid("invalid JSON: got EOF while reading request body")
        }
        let value = try JSON.parse(bytes)
        if value.pathOfNull != nil { throw APIError.invalid("invalid JSON: a string contains a NUL character") }
        return value == .null ? nil : try JSON.decode(type, from: value, ignoringCase: true)
    }

    private static func checkContentType(_ text: String) throws {
        let essence = text.prefix { $0 != ";" }.filter { $0 != " " }.lowercased()
        guard !essence.isEmpty else {
            throw APIError.invalid("malformed Content-Type header (\(text)): mime: no media type")
        }
        guard essence == "application/json" else {
            throw APIError.invalid("unsupported Content-Type header (\(text)): must be 'application/json'")
        }
    }
}
