import HTTPServing
import NIOHTTP1

/// An error of the interface itself, before or beside the engine: the request makes no sense, or asks for what is not there yet.
package struct APIError: Error, CustomStringConvertible {
    /// The status of the response.
    package let status: HTTPResponseStatus
    /// The text for the user.
    package let description: String

    /// An error with a status of its own.
    package init(_ status: HTTPResponseStatus, _ description: String) {
        self.status = status
        self.description = description
    }

    /// A request that makes no sense (400).
    package static func invalid(_ text: String) -> APIError { APIError(.badRequest, text) }

    /// A request for what this version cannot do (501). `what` names it, such as "building images".
    package static func notImplemented(_ what: String) -> APIError {
        APIError(.notImplemented, "\(what) is not supported by this version of masud")
    }
}
