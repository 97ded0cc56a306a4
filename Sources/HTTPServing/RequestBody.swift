import NIOCore

/// The body of a request, as a sequence that is read once and pulls bytes from the socket only when asked for more.
package struct RequestBody: Sendable {
    private let next: @Sendable (_ collects: Bool) async throws -> ByteBuffer?
    private let share: ByteBudget.Share?

    /// A body whose pieces come from `next`, which returns `nil` at the end.
    package init(next: @escaping @Sendable () async throws -> ByteBuffer?) {
        self.init(share: nil) { _ in try await next() }
    }

    /// The same, of a server that has a budget for what is collected, and less patience for it.
    init(share: ByteBudget.Share?, next: @escaping @Sendable (_ collects: Bool) async throws -> ByteBuffer?) {
        self.share = share
        self.next = next
    }

    /// A request without a body.
    package static let empty = RequestBody { nil }

    /// The next piece, or `nil` after the last one.
    ///
    /// - Throws: `HTTPServerError.connectionClosed` if the client went away before the end;
    ///   `HTTPServerError.bodyStalled` if it
    ///   sends nothing for too long.
    package func nextPiece() async throws -> ByteBuffer? {
        try await next(false)
    }

    /// The whole body.
    ///
    /// What it takes counts against the server's budget for as long as the request is kept.
    ///
    /// - Throws: `HTTPServerError.bodyTooLarge` beyond `limit` bytes; `HTTPServerError.overloaded` if other requests
    ///   hold too
    ///   much; as `nextPiece`.
    package func collect(limit: Int) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let piece = try await next(true) {
            guard bytes.count + piece.readableBytes <= limit else { throw HTTPServerError.bodyTooLarge(limit: limit) }
            try share?.grow(to: bytes.count + piece.readableBytes)
            bytes.append(contentsOf: piece.readableBytesView)
        }
        return bytes
    }
}
