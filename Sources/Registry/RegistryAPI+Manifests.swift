import HTTPServing
import JSON
import NIOHTTP1
import OCISpec
import Text

extension RegistryAPI {
    // MARK: Manifests (end-3, end-7, end-9)

    func manifest(
        _ request: Request, _ repository: RepositoryName, _ reference: ManifestReference
    ) async throws -> HTTPResponse {
        try allow([.GET, .HEAD, .PUT, .DELETE], request.http)
        switch request.http.method {
        case .PUT: return try await put(request, repository, reference)
        case .DELETE:
            try await store.removeManifest(reference, from: repository)
            return HTTPResponse(status: .accepted)
        default:
            let manifest =
                if let upstream {
                    try await upstream.manifest(reference, in: repository)
                } else {
                    try await store.manifest(reference, in: repository)
                }
            let headers: HTTPHeaders = [
                "Content-Type": manifest.mediaType, "Docker-Content-Digest": manifest.digest.description,
                "ETag": "\"\(manifest.digest)\"",
            ]
            if Self.isKnown(request, manifest.digest) { return HTTPResponse(status: .notModified, headers: headers) }
            return HTTPResponse(
                status: .ok, headers: headers, body: .bytes(try await store.body(of: manifest)))
        }
    }

    private func put(
        _ request: Request, _ repository: RepositoryName, _ reference: ManifestReference
    ) async throws -> HTTPResponse {
        let limit = ManifestDocument.sizeLimit
        let body: [UInt8]
        do {
            body = try await request.http.body.collect(limit: limit)
        } catch HTTPServerError.bodyTooLarge {
            throw RegistryError(
                .invalid, .manifestInvalid, "a manifest must not be larger than \(limit) bytes",
                status: .payloadTooLarge)
        }
        let document = try ManifestDocument(body, contentType: request.header("Content-Type"))
        let tags = request.query.all("tag")
        for tag in tags where !ManifestReference.isTag(tag) {
            throw RegistryError.manifestInvalid("\"\(tag)\" is not a tag")
        }
        let digest = try await store.put(document, body: body, as: reference, tags: tags, in: repository)
        var headers: HTTPHeaders = [
            "Location": "/v2/\(repository)/manifests/\(digest)", "Docker-Content-Digest": digest.description,
        ]
        if let subject = document.subject { headers.add(name: "OCI-Subject", value: subject.description) }
        for tag in tags { headers.add(name: "OCI-Tag", value: tag) }
        return HTTPResponse(status: .created, headers: headers)
    }

    // MARK: Lists (end-8, end-12, catalog)

    func tags(_ request: Request, _ repository: RepositoryName) async throws -> HTTPResponse {
        let limit = try pageSize(request)
        let last = request.query["last"]
        let page: (names: [String], hasMore: Bool)
        if let upstream {
            let names = try await upstream.tags(of: repository).sorted().filter { $0 > last ?? "" }
            page = (limit.map { Array(names.prefix($0)) } ?? names, limit.map { names.count > $0 && $0 > 0 } ?? false)
        } else {
            page = try await store.tags(of: repository, after: last, limit: limit)
        }
        var response = HTTPResponse.json(
            ["name": .string(repository.description), "tags": .array(page.names.map { .string($0) })] as JSONValue)
        addLink(to: &response, "/v2/\(repository)/tags/list", limit, page)
        return response
    }

    func catalog(_ request: Request) async throws -> HTTPResponse {
        let limit = try pageSize(request) ?? 100
        let page = try await store.repositories(after: request.query["last"], limit: limit)
        var response = HTTPResponse.json(
            ["repositories": .array(page.names.map { .string($0) })] as JSONValue)
        addLink(to: &response, "/v2/_catalog", limit, page)
        return response
    }

    private func addLink(
        to response: inout HTTPResponse, _ path: String, _ limit: Int?, _ page: (names: [String], hasMore: Bool)
    ) {
        guard page.hasMore, let limit, let last = page.names.last else { return }
        let query = "n=\(limit)&last=\(PercentEncoding.encode(last))"
        response.headers.add(name: "Link", value: "<\(path)?\(query)>; rel=\"next\"")
    }

    private func pageSize(_ request: Request) throws(RegistryError) -> Int? {
        guard let text = request.query["n"] else { return nil }
        guard let number = Int(text), number >= 0 else {
            throw RegistryError(
                .invalid, .unknown, "invalid number of results requested: \"\(text)\"", detail: ["n": .string(text)])
        }
        return min(number, 1 << 20)
    }

    func referrers(_ request: Request, _ repository: RepositoryName, _ digest: Digest) async throws -> HTTPResponse {
        let type = request.query["artifactType"].flatMap { $0.isEmpty ? nil : $0 }
        let page: (descriptors: [Descriptor], hasMore: Bool)
        if let upstream {
            let all = try await upstream.referrers(of: digest, in: repository)
            page = (all.filter { type == nil || $0.artifactType == type }, false)
        } else {
            page = try await store.referrers(
                of: digest, type: type, after: request.query["last"] ?? "", limit: Self.referrersPage, in: repository)
        }
        var response = HTTPResponse(
            status: .ok, headers: ["Content-Type": MediaType.ociIndex],
            body: .bytes(try JSON.encode(ImageIndex(manifests: page.descriptors))))
        if type != nil { response.headers.add(name: "OCI-Filters-Applied", value: "artifactType") }
        if page.hasMore, let last = page.descriptors.last?.digest {
            let filter = type.map { "artifactType=\(PercentEncoding.encode($0))&" } ?? ""
            response.headers.add(
                name: "Link",
                value: "</v2/\(repository)/referrers/\(digest)?\(filter)last=\(last)>; rel=\"next\"")
        }
        return response
    }

    /// Descriptors in one answer: with usual annotations that is far below what clients read at once (4 MiB).
    private static let referrersPage = 1000
}
