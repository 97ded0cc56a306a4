import Failure
import NIOHTTP1

/// What can go wrong between a client and the server, below the meaning of the request.
package enum HTTPServerError: Failure, Hashable {
    /// The client closed the connection.
    case connectionClosed
    /// A body that has to fit into memory does not.
    case bodyTooLarge(limit: Int)
    /// The client stopped sending in the middle of a body.
    case bodyStalled(Duration)
    /// What follows a request's head is no body.
    case malformedBody
    /// Too many bytes of other requests are in memory.
    case overloaded
    /// A percent sign in a target that is not followed by two hexadecimal digits.
    case invalidEscape(String)
    /// A parameter with U+0000: the kernel would take what comes before it, and what is checked would not be what is
    /// done.
    case nulInQuery
    /// An address that cannot be listened on, and why.
    case address(String, reason: String)

    /// Almost always `invalid`: the client did it.
    package var kind: FailureKind {
        switch self {
        case .connectionClosed, .bodyTooLarge, .bodyStalled, .malformedBody, .invalidEscape, .nulInQuery: .invalid
        case .overloaded: .unavailable
        case .address: .system
        }
    }

    /// The status that HTTP has for this failure, more precise than that of its kind.
    package var httpStatus: HTTPResponseStatus {
        switch self {
        case .bodyTooLarge: .payloadTooLarge
        case .bodyStalled: .requestTimeout
        default: kind.httpStatus
        }
    }

    /// What is told to the client, or logged.
    package var message: String {
        switch self {
        case .connectionClosed: "the client closed the connection"
        case .bodyTooLarge(let limit): "request body is larger than \(limit) bytes"
        case .bodyStalled(let time): "the client sent nothing of the request's body for \(time.components.seconds) s"
        case .malformedBody: "the request's body is malformed"
        case .overloaded: "the server holds too many large requests in memory: try again later"
        case .invalidEscape(let text): "invalid URL escape in \"\(text)\""
        case .nulInQuery: "invalid query: a parameter contains a NUL character"
        case .address(let address, let reason): "cannot listen on \(address): \(reason)"
        }
    }
}
