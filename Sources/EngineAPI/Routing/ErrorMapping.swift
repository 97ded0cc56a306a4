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
        case let error as HTTPServerError: (error.httpStatus, error.message)
        case let error as any Failure: (error.kind.httpStatus, error.message)
        case let error as JSONError: (.badRequest, "\(error)")
        case let error as ImageReferenceError: (.badRequest, "\(error)")
        case let error as PlatformError: (.badRequest, "\(error)")
        case is CancellationError: (FailureKind.cancelled.httpStatus, "request cancelled")
        default: (.internalServerError, "\(error)")
        }
    }
}
