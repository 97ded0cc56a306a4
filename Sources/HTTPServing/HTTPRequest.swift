import NIOCore
import NIOHTTP1

/// One request as the server hands it to the code that answers it.
package struct HTTPRequest: Sendable {
    /// The request line's method.
    package let method: HTTPMethod
    /// The request line's target: path and query, still percent-encoded.
    package let target: String
    /// All headers.
    package let headers: HTTPHeaders
    /// What follows the head; read on demand, so that a client cannot send faster than it is used.
    package let body: RequestBody
    /// Whether the request came over TLS.
    package let isEncrypted: Bool

    /// A request from its parts.
    ///
    /// - Parameter target: as sent, also in the absolute form that is for proxies and that every server has to take
    ///   (RFC 9112, 3.2.2).
    package init(
        method: HTTPMethod, target: String, headers: HTTPHeaders, body: RequestBody, isEncrypted: Bool = false
    ) {
        self.isEncrypted = isEncrypted
        self.method = method
        self.target = Self.originForm(target)
        self.headers = headers
        self.body = body
    }

    private static func originForm(_ target: String) -> String {
        let bytes = target.utf8
        guard bytes.first != UInt8(ascii: "/"),
            let scheme = ["http://", "https://"].first(where: { target.lowercased().hasPrefix($0) })
        else { return target }
        let rest = target.dropFirst(scheme.count)
        guard let path = rest.firstIndex(where: { $0 == "/" || $0 == "?" }) else { return "/" }
        return rest[path] == "/" ? String(rest[path...]) : "/" + rest[path...]
    }

    /// Whether the client asked to leave HTTP on this connection (`Upgrade: tcp`), as the docker CLI does for attach
    /// and exec. Without it a hijacked stream is answered with `200 OK` and raw bytes.
    package var asksForUpgrade: Bool { headers.contains(name: "Upgrade") }

    /// The announced length of the body; `nil` if it is chunked.
    package var contentLength: Int? {
        if headers.contains(name: "Transfer-Encoding") { return nil }
        return headers.first(name: "Content-Length").flatMap { Int($0) } ?? 0
    }
}
