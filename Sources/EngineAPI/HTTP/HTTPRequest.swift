import NIOCore
import NIOHTTP1

/// One request as the server hands it to the code that answers it.
package struct HTTPRequest: Sendable {
    /// The request line's method.
    package let method: HTTPMethod
    /// The request line's target as sent: path and query, still percent-encoded.
    package let target: String
    /// All headers.
    package let headers: HTTPHeaders
    /// What follows the head; read on demand, so that a client cannot send faster than it is used.
    package let body: RequestBody

    /// A request from its parts.
    package init(method: HTTPMethod, target: String, headers: HTTPHeaders, body: RequestBody) {
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
    }

    /// Whether the client asked to leave HTTP on this connection (`Upgrade: tcp`), as the docker CLI does for attach and
    /// exec. Without it a hijacked stream is answered with `200 OK` and raw bytes.
    package var asksForUpgrade: Bool { headers.contains(name: "Upgrade") }

    /// The announced length of the body; `nil` if it is chunked.
    package var contentLength: Int? {
        if headers.contains(name: "Transfer-Encoding") { return nil }
        return headers.first(name: "Content-Length").flatMap { Int($0) } ?? 0
    }
}
