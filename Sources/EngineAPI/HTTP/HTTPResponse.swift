import NIOCore
import NIOHTTP1

/// The answer to a request.
package struct HTTPResponse: Sendable {
    /// What comes after the head.
    package enum Body: Sendable {
        /// Known completely; its length is announced.
        case bytes([UInt8])
        /// Written piece by piece (chunked); the head is sent at once, before the first piece exists. The docker CLI
        /// waits for the head of `/wait`, `/events` and `/logs`.
        case stream(@Sendable (BodyWriter) async throws -> Void)
        /// As `stream`, but the head waits for the first piece: an error before it becomes a response of its own.
        case lateStream(@Sendable (BodyWriter) async throws -> Void)
        /// The connection leaves HTTP and belongs to the closure; it is closed when the closure returns.
        case hijack(@Sendable (HijackedConnection) async -> Void)
    }

    /// The status line.
    package var status: HTTPResponseStatus
    /// The headers, without those for framing.
    package var headers: HTTPHeaders
    /// The body.
    package var body: Body

    /// A response from its parts.
    package init(status: HTTPResponseStatus, headers: HTTPHeaders = [:], body: Body = .bytes([])) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// What answers requests. The server knows nothing of routes.
package struct HTTPResponder: Sendable {
    /// Answers one request. A thrown error is turned into a response by `failure`.
    package var respond: @Sendable (HTTPRequest) async throws -> HTTPResponse
    /// The response that reports an error.
    package var failure: @Sendable (any Error, HTTPRequest) -> HTTPResponse

    /// A responder from its two functions.
    package init(
        respond: @escaping @Sendable (HTTPRequest) async throws -> HTTPResponse,
        failure: @escaping @Sendable (any Error, HTTPRequest) -> HTTPResponse
    ) {
        self.respond = respond
        self.failure = failure
    }
}
