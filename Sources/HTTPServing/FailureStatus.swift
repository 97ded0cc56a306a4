import Failure
import NIOHTTP1

extension FailureKind {
    /// The status of a response that reports a failure of this kind: the only such table there is.
    package var httpStatus: HTTPResponseStatus {
        switch self {
        case .invalid: .badRequest
        case .notFound: .notFound
        case .conflict: .conflict
        case .unauthorized: .unauthorized
        case .forbidden: .forbidden
        case .unavailable: .serviceUnavailable
        case .notImplemented: .notImplemented
        // Docker's clients know no status of its own for a full disk or an exhausted pool.
        case .exhausted, .system: .internalServerError
        // Not registered; what web servers log for a client that has gone.
        case .cancelled: .custom(code: 499, reasonPhrase: "Client Closed Request")
        }
    }
}
