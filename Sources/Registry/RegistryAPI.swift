import HTTPServing
import JSON
import Logging
import NIOCore
import NIOHTTP1
import OCISpec

/// The OCI distribution API, version 1.1, over a `RegistryStore`.
package struct RegistryAPI: Sendable {
    let store: RegistryStore
    let uploads: Uploads
    let access: AccessControl
    let logger: Logger
    /// Where what is not here is pulled from; nil for a registry of its own.
    let upstream: PullThrough?
    /// What a request without a token is told to ask; nil derives it from the request.
    let publicURL: String?

    /// - Parameters:
    ///   - access: who may do what.
    ///   - upstream: another registry, whose cache this one is. Then nothing can be pushed.
    ///   - publicURL: scheme and host under which clients reach the registry, where a proxy stands before it.
    package init(
        store: RegistryStore, uploads: Uploads, access: AccessControl, upstream: PullThrough? = nil,
        publicURL: String? = nil, logger: Logger
    ) {
        self.store = store
        self.uploads = uploads
        self.access = access
        self.upstream = upstream
        self.publicURL = publicURL
        self.logger = logger
    }

    /// This API as what a server asks.
    package var responder: HTTPResponder {
        HTTPResponder(
            respond: { request in
                var response = try await respond(to: request)
                response.headers.replaceOrAdd(name: "Docker-Distribution-Api-Version", value: "registry/2.0")
                return response
            },
            failure: { error, request in failure(error, request) })
    }

    private func respond(to http: HTTPRequest) async throws -> HTTPResponse {
        let target = try RequestTarget(http.target)
        if target.path == AccessControl.tokenPath {
            return try await access.answerTokenRequest(http, target.query, publicURL: publicURL)
        }
        guard let path = try RegistryPath(target.path) else {
            throw RegistryError(.notFound, .unknown, "no such path: \(target.path)")
        }
        logger.debug("request", metadata: ["method": "\(http.method)", "target": "\(http.target)"])
        let request = Request(http: http, query: target.query)
        try await authorize(request, path)
        if upstream != nil { try refusePush(http) }
        switch path {
        case .base:
            try allow([.GET, .HEAD], http)
            return .json([:] as JSONValue)
        case .catalog:
            try allow([.GET], http)
            return try await catalog(request)
        case .tags(let repository):
            try allow([.GET], http)
            return try await tags(request, repository)
        case .referrers(let repository, let digest):
            try allow([.GET], http)
            return try await referrers(request, repository, try Self.digest(digest))
        case .blob(let repository, let digest):
            return try await blob(request, repository, try Self.digest(digest))
        case .manifest(let repository, let reference):
            return try await manifest(request, repository, try ManifestReference(reference))
        case .uploads(let repository):
            try allow([.POST], http)
            return try await beginUpload(request, repository)
        case .upload(let repository, let id):
            return try await upload(request, repository, id)
        }
    }

    /// A request with its query.
    struct Request: Sendable {
        let http: HTTPRequest
        let query: Query

        func header(_ name: String) -> String? { http.headers.first(name: name) }
    }

    private func authorize(_ request: Request, _ path: RegistryPath) async throws {
        var needs: [Permission] = []
        switch path {
        case .base: break
        case .catalog: needs.append(.catalog)
        case .tags(let name), .referrers(let name, _): needs.append(.pull(name))
        case .uploads(let name):
            needs.append(.push(name))
            // A client that may not read the other repository can still push the blob itself.
            if request.query["mount"] != nil, let from = request.query["from"], let other = try? RepositoryName(from) {
                needs.append(.pull(other))
            }
        case .upload(let name, _): needs.append(.push(name))
        case .blob(let name, _), .manifest(let name, _):
            switch request.http.method {
            case .GET, .HEAD: needs.append(.pull(name))
            case .DELETE: needs.append(.delete(name))
            default: needs.append(.push(name))
            }
        }
        try await access.authorize(request.http, needs, publicURL: publicURL)
    }

    private func refusePush(_ http: HTTPRequest) throws(RegistryError) {
        guard [.POST, .PUT, .PATCH].contains(http.method) else { return }
        throw RegistryError(
            .invalid, .unsupported, "this registry is a cache of another one; push to that one",
            status: .methodNotAllowed, headers: ["Allow": "GET, HEAD, DELETE"])
    }

    func allow(_ methods: [HTTPMethod], _ http: HTTPRequest) throws(RegistryError) {
        guard !methods.contains(http.method) else { return }
        throw RegistryError(
            .invalid, .unsupported, "\(http.method) is not supported here", status: .methodNotAllowed,
            headers: ["Allow": methods.map { "\($0)" }.joined(separator: ", ")])
    }

    static func digest(_ text: String) throws(RegistryError) -> Digest {
        do {
            return try Digest(parsing: text)
        } catch {
            throw .digestInvalid(text, error.description)
        }
    }

    private func failure(_ error: any Error, _ request: HTTPRequest) -> HTTPResponse {
        let known = RegistryError(error)
        if known.status.code >= 500 {
            logger.error(
                "request failed",
                metadata: ["method": "\(request.method)", "target": "\(request.target)", "error": "\(error)"])
        }
        var response = HTTPResponse.json(known.document, status: known.status)
        for (name, value) in known.headers { response.headers.replaceOrAdd(name: name, value: value) }
        response.headers.replaceOrAdd(name: "Docker-Distribution-Api-Version", value: "registry/2.0")
        return response
    }
}

extension HTTPResponse {
    static func json(_ value: JSONValue, status: HTTPResponseStatus = .ok) -> HTTPResponse {
        HTTPResponse(
            status: status, headers: ["Content-Type": "application/json; charset=utf-8"],
            body: .bytes(Array(value.text().utf8)))
    }
}
