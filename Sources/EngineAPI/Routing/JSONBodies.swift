import HTTPServing
import JSON
import NIOHTTP1

extension HTTPResponse {
    /// A JSON document, with the newline that Docker's encoder writes after it, and with the fields that the version of
    /// the running request has (`WireRules.version`).
    package static func json(_ value: some Encodable, status: HTTPResponseStatus = .ok) -> HTTPResponse {
        do {
            let bytes = try JSON.encode(value, rules: WireRules.sending(WireRules.version))
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
    /// Decodes the body, which must be one JSON document announced as such. `nil` if there is no body at all, or it is
    /// `null`.
    ///
    /// - Throws: `APIError` (invalid) with Docker's words; `JSONError`.
    package func decodeBody<T: Decodable & Sendable>(_ type: T.Type) async throws -> T? {
        guard let bytes = try await document() else { return nil }
        return try await decode(type, bytes)
    }

    /// The same where there has to be a body.
    ///
    /// - Throws: `APIError` (invalid) also if there is none.
    package func decodeNeededBody<T: Decodable & Sendable>(_ type: T.Type) async throws -> T? {
        guard let bytes = try await document() else { throw emptyBody }
        return try await decode(type, bytes)
    }

    private func document() async throws -> [UInt8]? {
        let contentType = http.headers.first(name: "Content-Type") ?? ""
        if contentType.isEmpty, http.contentLength == 0 { return nil }
        try Self.checkContentType(contentType)
        if http.contentLength == 0 { return nil }
        let bytes = try await http.body.collect(limit: documentLimit)
        guard bytes.contains(where: { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }) else { throw emptyBody }
        return bytes
    }

    private func decode<T: Decodable & Sendable>(_ type: T.Type, _ bytes: [UInt8]) async throws -> T? {
        let valueLimit = max(documentLimit / Self.bytesPerValue, 1)
        let rules = WireRules.reading(version)
        guard bytes.count > LargeDocuments.threshold else { return try Self.decode(type, bytes, valueLimit, rules) }
        return try await LargeDocuments.shared.decode { try Self.decode(type, bytes, valueLimit, rules) }
    }

    private static func decode<T: Decodable>(
        _ type: T.Type, _ bytes: [UInt8], _ valueLimit: Int, _ rules: MemberRules
    ) throws -> T? {
        let value = try JSON.parse(bytes, valueLimit: valueLimit)
        // The kernel would take what comes before it: what is checked would not be what is done.
        if value.pathOfNull != nil { throw APIError.invalid("invalid JSON: a string contains a NUL character") }
        return value == .null ? nil : try JSON.decode(type, from: value, ignoringCase: true, rules: rules)
    }

    /// Documents of the API have longer values on average: with at most one for so many bytes, a document takes a small
    /// multiple of its own size in memory, whatever it is made of.
    private static let bytesPerValue = 16

    /// What Docker's daemon answers where a document is missing.
    private var emptyBody: APIError {
        APIError.invalid(
            version < .v(52) ? "invalid JSON: got EOF while reading request body" : "invalid JSON: EOF")
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

/// Decodes large documents one at a time, so that what they take while they are taken apart is needed once.
private actor LargeDocuments {
    static let shared = LargeDocuments()

    /// In bytes.
    static let threshold = 64 << 10

    func decode<T: Sendable>(_ decode: @Sendable () throws -> T) throws -> T { try decode() }
}
