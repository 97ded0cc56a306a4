import LinuxKernel
import NIOCore
import NIOHTTP1
import struct SystemPackage.FileDescriptor

/// The answer to a request.
package struct HTTPResponse: Sendable {
    /// What comes after the head.
    package enum Body: Sendable {
        /// Known completely; its length is announced.
        case bytes([UInt8])
        /// Written piece by piece (chunked); the head is sent at once, before the first piece exists. The docker CLI
        /// waits for the head of `/wait`, `/events` and `/logs`.
        case stream(@Sendable (BodyWriter) async throws -> Void)
        /// As `stream`, with pieces that are added from outside as long as the closure runs.
        case feed(@Sendable (BodyFeed) async throws -> Void)
        /// As `stream`, but the head waits for the first piece: an error before it becomes a response of its own.
        case lateStream(@Sendable (BodyWriter) async throws -> Void)
        /// Part of a file; its length is announced.
        case file(FileRange)
        /// The connection leaves HTTP and belongs to the closure; it is closed when the closure returns.
        case hijack(@Sendable (HijackedConnection) async -> Void)
    }

    /// The status line.
    package var status: HTTPResponseStatus
    /// The headers, without those for framing.
    package var headers: HTTPHeaders
    /// The body.
    package var body: Body
    /// Of a hijacked connection: how its bytes are sent by WebSocket (RFC 6455), to which the head then has switched;
    /// `nil` is as they are.
    package var webSocketMessages: WebSocketMessages?

    /// A response from its parts.
    package init(status: HTTPResponseStatus, headers: HTTPHeaders = [:], body: Body = .bytes([])) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// A part of an open file, as the body of a response. It owns the descriptor, and closes it when it is let go.
package final class FileRange: Sendable {
    let descriptor: FileDescriptor
    let offset: Int64
    /// In bytes.
    package let count: Int64
    /// The owner of the descriptor, who closes it; nil if this value does.
    private let whole: FileRange?

    /// `count` bytes from `offset` on; the file must have them.
    package init(owning descriptor: FileDescriptor, offset: Int64, count: Int64) {
        self.descriptor = descriptor
        whole = nil
        self.offset = offset
        self.count = count
    }

    /// All of its bytes.
    package func contents() throws -> [UInt8] {
        var bytes: [UInt8] = []
        while Int64(bytes.count) < count {
            let rest = Int(count) - bytes.count
            bytes += try descriptor.piece(at: offset + Int64(bytes.count), limit: rest)
        }
        return bytes
    }

    /// At most `limit` of its bytes at `offset`, at least one; also of a file that has not got all of them yet.
    package func piece(at offset: Int64, limit: Int) throws -> [UInt8] {
        try descriptor.piece(at: self.offset + offset, limit: min(limit, Int(count - offset)))
    }

    private init(part whole: FileRange, offset: Int64, count: Int64) {
        descriptor = whole.descriptor
        self.whole = whole
        self.offset = offset
        self.count = count
    }

    /// A part of this part, which shares the descriptor.
    package func part(from first: Int64, count: Int64) -> FileRange {
        FileRange(part: self, offset: offset + first, count: count)
    }

    deinit {
        if whole == nil { descriptor.discard() }
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
