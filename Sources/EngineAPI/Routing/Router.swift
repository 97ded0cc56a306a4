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
    /// What stands in the pattern's places.
    package let parameters: PathParameters
    /// How many bytes a JSON document in the body may have.
    package let documentLimit: Int

    /// What stands in the path's place for a name; empty if the route has none.
    package var name: String { parameters["name"] }

    /// A routed request from its parts.
    package init(
        http: HTTPRequest, version: APIVersion, query: Query, parameters: PathParameters = PathParameters(),
        documentLimit: Int = Self.usualDocumentLimit
    ) {
        self.http = http
        self.version = version
        self.query = query
        self.parameters = parameters
        self.documentLimit = documentLimit
    }

    /// JSON documents in requests are small; a larger one is a mistake or an attack.
    package static let usualDocumentLimit = 4 << 20
}

/// A method, a path (see `PathPattern`) and what answers it.
package struct Route: Sendable {
    /// What answers a request.
    package typealias Handler = @Sendable (RoutedRequest) async throws -> HTTPResponse

    let method: HTTPMethod
    let path: String
    let handler: Handler

    /// A route for a path such as `/containers/{name}/json`. What is known of it beside the code is in `APITable`.
    package init(_ method: HTTPMethod, _ path: String, _ handler: @escaping Handler) {
        self.method = method
        self.path = path
        self.handler = handler
    }

    /// Method and path, as a name for people.
    package var name: String { "\(method.rawValue) \(path)" }
}

/// Finds the route of a request, checks the version in its path and turns errors into responses.
package struct Router: Sendable {
    private let table: RouteTable<(endpoint: APIEndpoint?, handler: Route.Handler)>
    private let oldest: APIVersion
    private let documentLimit: Int
    /// What every response carries; the docker CLI negotiates the version by the first.
    private let commonHeaders: HTTPHeaders
    private let logger: Logger

    /// A router for `routes`.
    ///
    /// - Parameters:
    ///   - oldest: the oldest version of the API that is answered.
    ///   - documentLimit: how many bytes a JSON document in a request may have.
    ///   - isExperimental: whether the daemon has what Docker calls experimental.
    package init(
        routes: [Route], oldest: APIVersion = .oldest, documentLimit: Int = RoutedRequest.usualDocumentLimit,
        isExperimental: Bool = false, logger: Logger
    ) {
        table = RouteTable(
            routes.map { route in
                RouteTable.Route(
                    route.method, route.path, (APITable.endpoint(route.method, route.path), route.handler))
            })
        self.oldest = oldest
        self.documentLimit = documentLimit
        commonHeaders = [
            "Api-Version": MasuVersion.apiVersion, "Docker-Experimental": "\(isExperimental)", "Ostype": "linux",
            "Server": "Masu/\(MasuVersion.version) (linux)",
        ]
        self.logger = logger
    }

    /// This router as what a server asks.
    package var responder: HTTPResponder {
        HTTPResponder(
            respond: { request in try await respond(to: request) },
            failure: { error, request in failure(error, request) })
    }

    private func respond(to request: HTTPRequest) async throws -> HTTPResponse {
        let target = try RequestTarget(request.target)
        var segments = target.segments[...]
        var version = APIVersion.newest
        if let first = segments.first, first.first == "v", let asked = APIVersion(String(first.dropFirst())) {
            segments = segments.dropFirst()
            version = asked
        }
        guard let (route, parameters) = table.find(request.method, segments) else {
            throw APIError(.notFound, "page not found")
        }
        try check(version)
        try route.endpoint?.check(version)
        let routed = RoutedRequest(
            http: request, version: version,
            query: route.endpoint?.parameters(of: target.query, version) ?? target.query, parameters: parameters,
            documentLimit: documentLimit)
        logger.debug("request", metadata: ["method": "\(request.method)", "target": "\(request.target)"])
        var response = try await WireRules.$version.withValue(version) { try await route.handler(routed) }
        response.headers = commonHeaders.merging(response.headers)
        return response
    }

    private func check(_ version: APIVersion) throws {
        if version < oldest {
            throw APIError.invalid(
                "client version \(version) is too old. Minimum supported API version is \(oldest), "
                    + "please upgrade your client to a newer version")
        }
        if version > .newest {
            throw APIError.invalid(
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
        response.headers = commonHeaders.merging(response.headers)
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
