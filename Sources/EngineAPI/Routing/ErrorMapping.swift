import HTTPServing
import Engine
import Images
import JSON
import NIOHTTP1
import OCISpec

/// The one place where errors become statuses.
enum ErrorMapping {
    /// The status and the text for the user.
    static func response(for error: any Error) -> (status: HTTPResponseStatus, message: String) {
        switch error {
        case let error as APIError: (error.status, error.description)
        case let error as EngineError: (status(of: error.kind), error.message)
        case let error as ImagesError: (status(of: error.kind), error.message)
        case let error as JSONError: (.badRequest, "\(error)")
        case let error as ImageReferenceError: (.badRequest, "\(error)")
        case let error as PlatformError: (.badRequest, "\(error)")
        case let error as HTTPServerError: (.badRequest, "\(error)")
        case is CancellationError: (.custom(code: 499, reasonPhrase: "Client Closed Request"), "request cancelled")
        default: (.internalServerError, "\(error)")
        }
    }

    private static func status(of kind: EngineError.Kind) -> HTTPResponseStatus {
        switch kind {
        case .invalid: .badRequest
        case .notFound: .notFound
        case .conflict: .conflict
        case .unauthorized: .unauthorized
        case .forbidden: .forbidden
        case .unavailable: .serviceUnavailable
        case .notImplemented: .notImplemented
        case .notModified: .notModified
        case .system: .internalServerError
        }
    }

    private static func status(of kind: ImagesError.Kind) -> HTTPResponseStatus {
        switch kind {
        case .invalid: .badRequest
        case .notFound: .notFound
        case .conflict: .conflict
        case .unauthorized: .unauthorized
        case .forbidden: .forbidden
        case .system: .internalServerError
        }
    }
}
