import Failure
import HTTPServing
import JSON
import NIOHTTP1

/// An error of the distribution API: status, code and text as clients know them (distribution-spec, "Error Codes").
package struct RegistryError: Failure, Hashable {
    /// The registered codes.
    package enum Code: String, Hashable, Sendable {
        case blobUnknown = "BLOB_UNKNOWN"
        case blobUploadInvalid = "BLOB_UPLOAD_INVALID"
        case blobUploadUnknown = "BLOB_UPLOAD_UNKNOWN"
        case digestInvalid = "DIGEST_INVALID"
        case manifestBlobUnknown = "MANIFEST_BLOB_UNKNOWN"
        case manifestInvalid = "MANIFEST_INVALID"
        case manifestUnknown = "MANIFEST_UNKNOWN"
        case nameInvalid = "NAME_INVALID"
        case nameUnknown = "NAME_UNKNOWN"
        case sizeInvalid = "SIZE_INVALID"
        case unauthorized = "UNAUTHORIZED"
        case denied = "DENIED"
        case unsupported = "UNSUPPORTED"
        case tooManyRequests = "TOOMANYREQUESTS"
        /// Not registered; what else goes wrong is the server's own.
        case unknown = "UNKNOWN"
    }

    /// What a caller decides by.
    package let kind: FailureKind
    /// The code of the distribution specification, such as `MANIFEST_UNKNOWN`.
    package let code: Code
    /// One sentence for the user of the client.
    package let message: String
    /// What the error is about, such as a digest.
    package let detail: JSONValue?
    /// Headers that belong to the answer, such as the range that was received.
    package let headers: HTTPHeaders

    /// The status of the answer: that of the kind, where the specification does not ask for another one.
    package let status: HTTPResponseStatus

    /// An error from its parts; `status` only where that of the kind is not the one that clients expect.
    package init(
        _ kind: FailureKind, _ code: Code, _ message: String, detail: JSONValue? = nil,
        status: HTTPResponseStatus? = nil, headers: HTTPHeaders = [:]
    ) {
        self.kind = kind
        self.status = status ?? kind.httpStatus
        self.code = code
        self.message = message
        self.detail = detail
        self.headers = headers
    }

    package static func == (left: RegistryError, right: RegistryError) -> Bool {
        left.status == right.status && left.code == right.code && left.message == right.message
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(status)
        hasher.combine(code)
        hasher.combine(message)
    }

    /// Any error as one that clients can read.
    init(_ error: any Error) {
        switch error {
        case let error as RegistryError: self = error
        case let error as HTTPServerError: self.init(error.kind, .unknown, error.message, status: error.httpStatus)
        case let error as any Failure: self.init(error.kind, .unknown, error.message)
        default: self.init(.system, .unknown, "\(error)")
        }
    }

    /// The body of the answer.
    package var document: JSONValue {
        var entry = JSONObject()
        entry["code"] = .string(code.rawValue)
        entry["message"] = .string(message)
        if let detail { entry["detail"] = detail }
        return ["errors": [.object(entry)]] as JSONValue
    }

    static func blobUnknown(_ digest: some CustomStringConvertible) -> RegistryError {
        RegistryError(
            .notFound, .blobUnknown, "blob unknown to registry", detail: ["digest": .string(digest.description)])
    }

    static func manifestUnknown(_ reference: some CustomStringConvertible) -> RegistryError {
        RegistryError(
            .notFound, .manifestUnknown, "manifest unknown to registry: \(reference)",
            detail: ["reference": .string(reference.description)])
    }

    static func uploadUnknown(_ id: some StringProtocol) -> RegistryError {
        RegistryError(.notFound, .blobUploadUnknown, "blob upload unknown to registry: \(id)")
    }

    static func nameUnknown(_ repository: RepositoryName) -> RegistryError {
        RegistryError(
            .notFound, .nameUnknown, "repository name not known to registry: \(repository)",
            detail: ["name": .string(repository.description)])
    }

    static func digestInvalid(_ text: some StringProtocol, _ reason: String) -> RegistryError {
        RegistryError(.invalid, .digestInvalid, reason, detail: ["digest": .string(String(text))])
    }

    static func manifestInvalid(_ reason: String) -> RegistryError {
        RegistryError(.invalid, .manifestInvalid, "manifest invalid: \(reason)")
    }
}
