import NIOHTTP1

/// A file of the web on its way here.
package final class WebDownload: Sendable {
    private let answer: HTTPAnswer
    /// Keeps the connection's client.
    private let client: HTTPClient

    init(_ answer: HTTPAnswer, _ client: HTTPClient) {
        self.answer = answer
        self.client = client
    }

    /// The next bytes, `nil` after the last ones. Throws if the connection breaks before.
    package func next() async throws -> TransferPiece? { try await answer.next().map { TransferPiece($0) } }
}

extension Registries {
    /// Begins to fetch a file of any web server, by the same proxies and certificates as all that comes from
    /// registries.
    ///
    /// - Throws: `DistributionError`: `notFound` also where there is no such host.
    package func download(_ start: WebAddress) async throws -> WebDownload {
        var address = start
        for _ in 0..<10 {
            let client = HTTPClient(group, server: address, trust: RegistryTrust(), settings: settings)
            let answer: HTTPAnswer
            do {
                answer = try await client.send(
                    HTTPClientRequest(method: .GET, address: address, headers: ["User-Agent": settings.userAgent]))
            } catch let error as DistributionError {
                var located = error.located(.GET, address)
                if located.message.hasSuffix(": no such host") { located.reason = .notFound }
                throw located
            }
            if [301, 302, 303, 307, 308].contains(answer.status),
                let next = answer.headers.first(name: "Location").flatMap(address.resolving)
            {
                await answer.drop()
                address = next
                continue
            }
            guard answer.status >= 400 else { return WebDownload(answer, client) }
            let text = String(decoding: try await answer.collect(limit: 64 << 10), as: UTF8.self)
            let phrase = HTTPResponseStatus(statusCode: answer.status).reasonPhrase
            let reason: DistributionError.Reason =
                switch answer.status {
                case 400: .wrongContent
                case 401: .unauthorized
                case 403: .denied
                case 404: .notFound
                default: .refused
                }
            let words = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            throw DistributionError(
                reason, "failed to GET \(address) with status \(answer.status) \(phrase): \(words)",
                status: answer.status)
        }
        throw DistributionError(.wrongContent, "stopped after 10 redirects: \(address)")
    }
}
