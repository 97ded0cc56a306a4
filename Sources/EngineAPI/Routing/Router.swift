import HTTPServing
import BuildInformation
import JSON
import Logging
import NIOHTTP1

/// A request whose path matched a route.
package struct RoutedRequest: Sendable {
    /// The request itself.
    package let http: HTTPRequest
    /// The API version that the client speaks.
    package let version: APIVersion
    /// The query's parameters.
    package let query: Query
    /// What stands in the path's place for a name; empty if the route has none.
    package let name: String

    /// A routed request from its parts.
    package init(http: HTTPRequest, version: APIVersion, query: Query, name: String) {
        self.http = http
        self.version = version
        self.query = query
        self.name = name
    }
}

/// A method, a path and what answers it.
package struct Route: Sendable {
    /// What answers a request.
    package typealias Handler = @Sendable (RoutedRequest) async throws -> HTTPResponse

    let method: HTTPMethod
    let before: [Substring]
    let after: [Substring]
    let takesName: Bool
    let handler: Handler

    /// A route for a path such as `/containers/{name}/json`. The one `{name}` takes one or more path segments, because image
    /// names contain slashes.
    package init(_ method: HTTPMethod, _ path: String, _ handler: @escaping Handler) {
        self.method = method
        self.handler = handler
        let segments = path.split(separator: "/")
        let position = segments.firstIndex { $0.hasPrefix("{") }
        takesName = position != nil
        before = Array(segments[..<(position ?? segments.endIndex)])
        after = position.map { Array(segments[($0 + 1)...]) } ?? []
    }

    /// The name in the path, `""` for a route without one; `nil` if the path is not this route's.
    func match(_ segments: [Substring]) -> String? {
        guard takesName else { return segments == before ? "" : nil }
        guard segments.count > before.count + after.count, segments.starts(with: before),
            segments.suffix(after.count).elementsEqual(after)
        else { return nil }
        return segments[before.count..<(segments.count - after.count)].joined(separator: "/")
    }
}

/// Finds the route of a request, checks the version in its path and turns errors into responses.
package struct Router: Sendable {
    private let routes: [Route]
    private let logger: Logger

    /// A router that tries `routes` in order.
    package init(routes: [Route], logger: Logger) {
        self.routes = routes
        self.logger = logger
    }

    /// This router as what a server asks.
    package var responder: HTTPResponder {
        HTTPResponder(
            respond: { request in try await respond(to: request) },
            failure: { error, request in failure(error, request) })
    }

    /// The headers that every response carries; the docker CLI negotiates the version by the first.
    static let commonHeaders: HTTPHeaders = [
        "Api-Version": MasuVersion.apiVersion, "Docker-Experimental": "false", "Ostype": "linux",
        "Server": "Masu/\(MasuVersion.version) (linux)",
    ]

    private func respond(to request: HTTPRequest) async throws -> HTTPResponse {
        let parts = request.target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        guard let path = PercentCoding.decode(parts[0]) else {
            throw APIError.invalid("invalid URL escape in \"\(parts[0])\"")
        }
        var segments = path.split(separator: "/")[...]
        var version = APIVersion.newest
        if let first = segments.first, first.first == "v", let asked = APIVersion(String(first.dropFirst())) {
            segments = segments.dropFirst()
            version = asked
        }
        let wanted = Array(segments)
        for route in routes where route.method == request.method {
            guard let name = route.match(wanted) else { continue }
            try Self.check(version)
            let routed = RoutedRequest(
                http: request, version: version, query: try Query(parts.count > 1 ? parts[1] : ""), name: name)
            logger.debug(
                "request", metadata: ["method": "\(request.method)", "target": "\(request.target)"])
            var response = try await route.handler(routed)
            response.headers = Self.commonHeaders.merging(response.headers)
            return response
        }
        throw APIError(.notFound, "page not found")
    }

    private static func check(_ version: APIVersion) throws {
        if version < .oldest {
            throw APIError(
                .badRequest,
                "client version \(version) is too old. Minimum supported API version is \(APIVersion.oldest), "
                    + "please upgrade your client to a newer version")
        }
        if version > .newest {
            throw APIError(
                .badRequest,
                "client version \(version) is too new. Maximum supported API version is \(APIVersion.newest)")
        }
    }

    private func failure(_ error: any Error, _ request: HTTPRequest) -> HTTPResponse {
        let (status, message) = ErrorMapping.response(for: error)
        let metadata: Logger.Metadata = [
            "method": "\(request.method)", "target": "\(request.target)", "status": "\(status.code)",
            "error": "\(message)",
        ]
        if status.code >= 500, status != .notImplemented {
            logger.error("request failed", metadata: metadata)
        } else {
            logger.debug("request refused", metadata: metadata)
        }
        var response = HTTPResponse.json(["message": .string(message)] as JSONValue, status: status)
        if status == .notModified { response.body = .bytes([]) }
        response.headers = Self.commonHeaders.merging(response.headers)
        return response
    }
}

extension HTTPHeaders {
    /// These headers with `others` in the place of those of the same name.
    func merging(_ others: HTTPHeaders) -> HTTPHeaders {
        var merged = self
        for (name, value) in others { merged.replaceOrAdd(name: name, value: value) }
        return merged
    }
}
