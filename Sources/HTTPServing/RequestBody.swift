import NIOCore

/// The body of a request, as a sequence that is read once and pulls bytes from the socket only when asked for more.
package struct RequestBody: Sendable {
    private let next: @Sendable () async throws -> ByteBuffer?

    /// A body whose pieces come from `next`, which returns `nil` at the end.
    package init(next: @escaping @Sendable () async throws -> ByteBuffer?) {
        self.next = next
    }

    /// A request without a body.
    package static let empty = RequestBody { nil }

    /// The next piece, or `nil` after the last one.
    ///
    /// - Throws: `HTTPServerError.connectionClosed` if the client went away before the end.
    package func nextPiece() async throws -> ByteBuffer? {
        try await next()
    }

    /// The whole body.
    ///
    /// - Throws: `HTTPServerError.bodyTooLarge` beyond `limit` bytes; as `nextPiece`.
    package func collect(limit: Int) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let piece = try await next() {
            guard bytes.count + piece.readableBytes <= limit else { throw HTTPServerError.bodyTooLarge(limit: limit) }
            bytes.append(contentsOf: piece.readableBytesView)
        }
        return bytes
    }
}

/// What can go wrong between a client and the server, below the meaning of the request.
package enum HTTPServerError: Error, Hashable, CustomStringConvertible {
    /// The client closed the connection.
    case connectionClosed
    /// A body that has to fit into memory does not.
    case bodyTooLarge(limit: Int)
    /// An address of `--host` that cannot be listened on, and why.
    case address(String, reason: String)

    package var description: String {
        switch self {
        case .connectionClosed: "the client closed the connection"
        case .bodyTooLarge(let limit): "request body is larger than \(limit) bytes"
        case .address(let address, let reason): "cannot listen on \(address): \(reason)"
        }
    }
}
