import Failure
import HTTPServing
import JSON
import NIOHTTP1
import OCISpec

/// The one place where errors become statuses.
enum ErrorMapping {
    /// The status and the text for the user.
    static func response(for error: any Error) -> (status: HTTPResponseStatus, message: String) {
        switch error {
        case let error as APIError: (error.status, error.description)
        case let error as any Failure: (error.kind.httpStatus, error.message)
        case let error as JSONError: (.badRequest, "\(error)")
        case let error as ImageReferenceError: (.badRequest, "\(error)")
        case let error as PlatformError: (.badRequest, "\(error)")
        case let error as HTTPServerError: (.badRequest, "\(error)")
        case is CancellationError: (.custom(code: 499, reasonPhrase: "Client Closed Request"), "request cancelled")
        default: (.internalServerError, "\(error)")
        }
    }
}
