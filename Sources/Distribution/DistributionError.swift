import Failure
import JSON
import NIOHTTP1
import Text

/// Why a registry could not be asked, or what it answered instead.
package struct DistributionError: Failure, Hashable, Sendable {
    /// What went wrong, as finely as a client of registries decides by it.
    package enum Reason: Hashable, Sendable {
        /// Credentials are missing or wrong.
        case unauthorized
        /// The credentials do not suffice.
        case denied
        /// There is no such manifest, blob, repository or registry interface.
        case notFound
        /// The registry could not be reached, or the connection broke.
        case unreachable
        /// The other side does not speak TLS, or its certificate is not trusted.
        case tls
        /// The registry answered with an error of its own.
        case refused
        /// What came is not what was asked for: a wrong digest, a wrong length, no JSON.
        case wrongContent
    }

    /// What went wrong.
    package var reason: Reason
    /// The text for the user.
    package var message: String
    /// The HTTP status, where one came.
    package var status: Int?
    /// How long to wait before the next try, where the other side asks for that.
    var requestedDelay: Duration?

    /// - Parameter message: may have words of the registry's in it: what a terminal would obey is spelled out.
    package init(_ reason: Reason, _ message: String, status: Int? = nil) {
        self.reason = reason
        self.message = message.showingControls()
        self.status = status
    }

    /// The reason in the vocabulary of all modules.
    package var kind: FailureKind {
        switch reason {
        case .unauthorized: .unauthorized
        case .denied: .forbidden
        case .notFound: .notFound
        case .wrongContent: .invalid
        case .unreachable, .tls, .refused: .system
        }
    }

    /// Whether the same request may well succeed a moment later.
    var isTransient: Bool {
        switch reason {
        // With a status it is a proxy that could be reached, and its answer.
        case .unreachable: status.map(Self.isTransient) ?? true
        case .refused: status.map(Self.isTransient) ?? false
        case .unauthorized, .denied, .notFound, .tls, .wrongContent: false
        }
    }

    private static func isTransient(_ status: Int) -> Bool {
        status == 408 || status == 429 || status >= 500 && status != 501
    }

    /// What an answer of status 400 and above means. Registries explain themselves in a list (distribution-spec, "Error
    /// Codes"); the text is made as Docker makes it: `manifest unknown: manifest unknown`.
    static func answer(_ status: Int, _ body: [UInt8], of request: String) -> DistributionError {
        var texts: [String] = []
        var codes: [String] = []
        // A proxy in between answers with a page of HTML; then the status has to do.
        if let document = try? JSON.parse(body) {
            for entry in document["errors"]?.array ?? [] {
                let code = entry["code"]?.string ?? ""
                let message = entry["message"]?.string ?? ""
                codes.append(code)
                let words = code.lowercased().split(separator: "_").joined(separator: " ")
                texts.append(message.isEmpty ? words : words.isEmpty ? message : "\(words): \(message)")
            }
            if texts.isEmpty, let text = document["details"]?.string ?? document["message"]?.string { texts = [text] }
        }
        // Answers to HEAD have no body to say more in.
        if texts.isEmpty, status == 401 { texts = ["unauthorized: authentication required"] }
        if texts.isEmpty, status == 403 { texts = ["denied: requested access to the resource is denied"] }
        let text =
            texts.isEmpty
            ? "received unexpected HTTP status: \(status) \(phrase(status))" : texts.joined(separator: "\n")
        let isDenied = codes.contains { $0 == "DENIED" }
        let reason: Reason =
            switch status {
            case 401: isDenied ? .denied : .unauthorized
            case 403: .denied
            case 404: .notFound
            default: .refused
            }
        let isAboutAccess = reason == .unauthorized || reason == .denied || reason == .notFound
        return DistributionError(
            reason, isAboutAccess && !texts.isEmpty ? text : "\(request): \(text)", status: status)
    }

    /// With the request that failed, for what could not be sent at all.
    func located(_ method: HTTPMethod, _ address: WebAddress) -> DistributionError {
        guard reason == .unreachable || reason == .tls, !message.contains("://") else { return self }
        let verb = method.rawValue.prefix(1) + method.rawValue.dropFirst().lowercased()
        var error = self
        error.message = "\(verb) \"\(address)\": \(message)".showingControls()
        return error
    }

    private static func phrase(_ status: Int) -> String { HTTPResponseStatus(statusCode: status).reasonPhrase }
}

/// What ended a transfer on our own side: it is handed on as it is, and nothing is tried again.
struct ReceiverFailure: Error {
    let cause: any Error
}
