import HTTPServing
import NIOCore
import NIOHTTP1
import OCISpec

extension RegistryAPI {
    // MARK: Pulling (end-2, end-10)

    func blob(_ request: Request, _ repository: RepositoryName, _ digest: Digest) async throws -> HTTPResponse {
        try allow([.GET, .HEAD, .DELETE], request.http)
        if request.http.method == .DELETE {
            try await store.removeBlob(digest, from: repository)
            return HTTPResponse(status: .accepted)
        }
        var headers: HTTPHeaders = [
            "Content-Type": "application/octet-stream", "Docker-Content-Digest": digest.description,
            "ETag": "\"\(digest)\"", "Accept-Ranges": "bytes", "Cache-Control": "max-age=31536000",
        ]
        let content: BlobContent
        if let upstream {
            // Whether it is there can be known without fetching it.
            if request.http.method == .HEAD {
                headers.add(name: "Content-Length", value: "\(try await upstream.size(of: digest, in: repository))")
                return HTTPResponse(status: .ok, headers: headers)
            }
            content = BlobContent(try await upstream.blob(digest, in: repository), pool: store.pool)
        } else {
            let (file, size) = try await store.open(digest, in: repository)
            content = .file(FileRange(owning: file, offset: 0, count: size))
        }
        let size = content.size
        if Self.isKnown(request, digest) { return HTTPResponse(status: .notModified, headers: headers) }
        // A part is of use only to a client that has the rest of the same blob.
        let isSame = request.header("If-Range").map { $0 == "\"\(digest)\"" } ?? true
        switch ByteRange(isSame ? request.header("Range") : nil, size: size) {
        case .whole:
            return content.response(.ok, headers, from: 0, count: size)
        case .part(let first, let last):
            headers.add(name: "Content-Range", value: "bytes \(first)-\(last)/\(size)")
            return content.response(.partialContent, headers, from: first, count: last - first + 1)
        case .unsatisfiable:
            throw RegistryError(
                .invalid, .unknown, "the blob has \(size) bytes", status: .rangeNotSatisfiable,
                headers: ["Content-Range": "bytes */\(size)"])
        }
    }

    /// Whether the client has it already.
    static func isKnown(_ request: Request, _ digest: Digest) -> Bool {
        request.header("If-None-Match").map { $0.contains("\"\(digest)\"") } ?? false
    }

    // MARK: Pushing (end-4, end-5, end-6, end-11, end-13, end-14)

    func beginUpload(_ request: Request, _ repository: RepositoryName) async throws -> HTTPResponse {
        if let text = request.query["mount"] {
            let digest = try Self.digest(text)
            let source = try request.query["from"].map { (name) throws(RegistryError) in try RepositoryName(name) }
            if try await store.mount(digest, from: source, into: repository) { return created(digest, repository) }
        }
        let announced = try request.query["digest"].map { (text) throws(RegistryError) in try Self.digest(text) }
        let algorithm: Digest.Algorithm
        if let name = request.query["digest-algorithm"] {
            guard let known = Digest.Algorithm(rawValue: name) else {
                throw RegistryError.digestInvalid(name, "digest algorithm \"\(name)\" is not supported")
            }
            algorithm = known
        } else {
            algorithm = announced?.algorithm ?? .sha256
        }
        let id = try await uploads.begin(in: repository, algorithm)
        guard let announced else { return progress(.accepted, id, repository, size: 0) }
        try await uploads.finish(id, as: announced, in: repository, from: nil, Self.pieces(of: request.http))
        return created(announced, repository)
    }

    func upload(_ request: Request, _ repository: RepositoryName, _ id: String) async throws -> HTTPResponse {
        try allow([.GET, .HEAD, .PATCH, .PUT, .DELETE], request.http)
        switch request.http.method {
        case .PATCH:
            let size = try await inOrder(id, repository) {
                let start = try chunkStart(request)
                return try await uploads.append(to: id, in: repository, from: start, Self.pieces(of: request.http))
            }
            return progress(.accepted, id, repository, size: size)
        case .PUT:
            guard let text = request.query["digest"] else {
                throw RegistryError(
                    .invalid, .digestInvalid, "the query parameter digest is missing: PUT …?digest=<digest>")
            }
            let digest = try Self.digest(text)
            try await inOrder(id, repository) {
                let start = try chunkStart(request)
                try await uploads.finish(id, as: digest, in: repository, from: start, Self.pieces(of: request.http))
            }
            return created(digest, repository)
        case .DELETE:
            try await uploads.cancel(id, in: repository)
            return HTTPResponse(status: .noContent)
        default:
            return progress(.noContent, id, repository, size: try await uploads.size(of: id, in: repository))
        }
    }

    /// Where a chunk begins, if it says so.
    private func chunkStart(_ request: Request) throws(RegistryError) -> Int64? {
        guard let header = request.header("Content-Range") else { return nil }
        let range = try ContentRange(header)
        if let length = request.http.contentLength, Int64(length) != range.count {
            throw RegistryError(
                .invalid, .sizeInvalid, "Content-Range has \(range.count) bytes, but Content-Length is \(length)")
        }
        return range.first
    }

    /// Adds to the error of a chunk out of order where the client may go on.
    private func inOrder<T: Sendable>(
        _ id: String, _ repository: RepositoryName, _ body: () async throws -> T
    ) async throws -> T {
        do {
            return try await body()
        } catch let error as RegistryError where error.status == .rangeNotSatisfiable {
            var headers = error.headers
            headers.add(name: "Location", value: location(of: id, repository))
            throw RegistryError(
                error.kind, error.code, error.message, detail: error.detail, status: error.status, headers: headers)
        }
    }

    private static func pieces(of http: HTTPRequest) -> @Sendable () async throws -> ByteBuffer? {
        let body = http.body
        return { try await body.nextPiece() }
    }

    private func location(of id: String, _ repository: RepositoryName) -> String {
        "/v2/\(repository)/blobs/uploads/\(id)"
    }

    private func progress(
        _ status: HTTPResponseStatus, _ id: String, _ repository: RepositoryName, size: Int64
    ) -> HTTPResponse {
        HTTPResponse(
            status: status,
            headers: [
                "Location": location(of: id, repository), "Range": Uploads.range(size), "Docker-Upload-UUID": id,
            ])
    }

    private func created(_ digest: Digest, _ repository: RepositoryName) -> HTTPResponse {
        HTTPResponse(
            status: .created,
            headers: ["Location": "/v2/\(repository)/blobs/\(digest)", "Docker-Content-Digest": digest.description])
    }
}
