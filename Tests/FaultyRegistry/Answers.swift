import Hashing
import Base64
import HTTPServing
import JSON
import NIOCore
import NIOHTTP1
import OCISpec
import Text

extension FaultyRegistry {
    func respond(to request: HTTPRequest) async throws -> HTTPResponse {
        let target = request.target.split(separator: "?", maxSplits: 1).map(String.init)
        let path = target.first ?? "/"
        let query = target.count > 1 ? target[1] : ""
        let fault: Fault? = state.withLock { state in
            state.asked.append(Ask(method: request.method.rawValue, path: request.target, headers: request.headers))
            guard
                let index = state.rules.firstIndex(where: {
                    $0.times > 0 && $0.method == request.method.rawValue && path.contains($0.path)
                })
            else { return nil }
            state.rules[index].times -= 1
            return state.rules[index].fault
        }
        switch fault {
        case .status(let code, let headers)?:
            _ = try await request.body.collect(limit: 1 << 30)
            return HTTPResponse(status: HTTPResponseStatus(statusCode: code), headers: headers)
        case .answer(let code, let headers, let bytes)?:
            _ = try await request.body.collect(limit: 1 << 30)
            return HTTPResponse(status: HTTPResponseStatus(statusCode: code), headers: headers, body: .bytes(bytes))
        case .refusedBody(let limit)?: return try await swallow(request, limit, path)
        default: break
        }
        if path == "/token" { return token(request) }
        if let refusal = refusal(request) {
            _ = try await request.body.collect(limit: 1 << 30)
            return refusal
        }
        let words = path.split(separator: "/").map(String.init)
        guard words.first == "v2" else { return Self.error(.notFound, "UNSUPPORTED") }
        if words.count == 1 { return HTTPResponse(status: .ok, headers: [:], body: .bytes(Array("{}".utf8))) }
        if let at = words.lastIndex(of: "manifests"), at == words.count - 2 {
            return try await manifest(request, words[1..<at].joined(separator: "/"), words[at + 1])
        }
        if words.suffix(2) == ["tags", "list"] {
            let name = words.dropFirst().dropLast(2).joined(separator: "/")
            let tags = state.withLock { $0.tags[name] ?? [] }
            let list = tags.map { "\"\($0)\"" }.joined(separator: ",")
            return HTTPResponse(status: .ok, body: .bytes(Array("{\"name\":\"\(name)\",\"tags\":[\(list)]}".utf8)))
        }
        if let at = words.lastIndex(of: "blobs"), words.count > at + 1 {
            if words[at + 1] == "uploads" {
                return try await upload(request, words[1..<at].joined(separator: "/"), words.last ?? "", query)
            }
            return blob(request, words[at + 1], fault)
        }
        return Self.error(.notFound, "NAME_UNKNOWN")
    }

    static func error(_ status: HTTPResponseStatus, _ code: String) -> HTTPResponse {
        let words = code.lowercased().split(separator: "_").joined(separator: " ")
        return HTTPResponse(
            status: status, body: .bytes(Array(#"{"errors":[{"code":"\#(code)","message":"\#(words)"}]}"#.utf8)))
    }

    private func manifest(_ request: HTTPRequest, _ repository: String, _ name: String) async throws -> HTTPResponse {
        if request.method == .PUT {
            let bytes = try await request.body.collect(limit: 8 << 20)
            let digest = ContentHasher.digest(of: bytes)
            let type = request.headers.first(name: "Content-Type") ?? ""
            state.withLock { state in
                state.manifests["\(repository)/\(name)"] = (type, bytes)
                state.manifests["\(repository)/\(digest)"] = (type, bytes)
            }
            return HTTPResponse(status: .created, headers: ["Docker-Content-Digest": digest.description])
        }
        guard let found = state.withLock({ $0.manifests["\(repository)/\(name)"] }) else {
            return Self.error(.notFound, "MANIFEST_UNKNOWN")
        }
        return HTTPResponse(
            status: .ok,
            headers: [
                "Content-Type": found.type, "Docker-Content-Digest": ContentHasher.digest(of: found.bytes).description,
            ], body: .bytes(found.bytes))
    }

    private func blob(_ request: HTTPRequest, _ digest: String, _ fault: Fault?) -> HTTPResponse {
        let (found, ignoresRanges, host) = state.withLock { ($0.blobs[digest], $0.ignoresRanges, $0.blobHost) }
        guard var bytes = found else { return Self.error(.notFound, "BLOB_UNKNOWN") }
        if let host, request.method == .GET {
            return HTTPResponse(
                status: .temporaryRedirect, headers: ["Location": "http://\(host)/v2/elsewhere/blobs/\(digest)"])
        }
        switch fault {
        case .corrupted?: bytes[bytes.count - 1] ^= 0xFF
        case .resized(let change)? where change < 0: bytes.removeLast(-change)
        case .resized(let change)?: bytes += [UInt8](repeating: 7, count: change)
        default: break
        }
        var status = HTTPResponseStatus.ok
        var headers: HTTPHeaders = ["Docker-Content-Digest": digest, "Accept-Ranges": "bytes"]
        let total = bytes.count
        if !ignoresRanges, let range = request.headers.first(name: "Range") {
            let ends = range.dropFirst("bytes=".count).split(separator: "-").compactMap { Int($0) }
            guard let first = ends.first, first < total else {
                return Self.error(.rangeNotSatisfiable, "RANGE_INVALID")
            }
            let last = min(ends.count > 1 ? ends[1] : total - 1, total - 1)
            bytes = Array(bytes[first...last])
            status = .partialContent
            headers.add(name: "Content-Range", value: "bytes \(first)-\(last)/\(total)")
        }
        let body = bytes
        guard request.method == .GET else {
            headers.add(name: "Content-Length", value: "\(total)")
            return HTTPResponse(status: .ok, headers: headers)
        }
        guard case .dropped(let limit)? = fault, limit < body.count else {
            state.withLock { $0.blobBytes += body.count }
            return HTTPResponse(status: status, headers: headers, body: .bytes(body))
        }
        state.withLock { $0.blobBytes += limit }
        headers.add(name: "Content-Length", value: "\(body.count)")
        return HTTPResponse(
            status: status, headers: headers,
            body: .hijack { connection in
                // A client that has gone before has its own reasons.
                try? await connection.write(Array(body[..<limit]))
            })
    }

    // MARK: Uploads

    private func upload(
        _ request: HTTPRequest, _ repository: String, _ session: String, _ query: String
    ) async throws -> HTTPResponse {
        let place = "/v2/\(repository)/blobs/uploads/"
        switch request.method {
        case .POST:
            let digest = Self.parameter("mount", query)
            if let digest, state.withLock({ $0.blobs[digest] != nil }) {
                return HTTPResponse(status: .created, headers: ["Location": "/v2/\(repository)/blobs/\(digest)"])
            }
            let name = state.withLock { state in
                state.nextUpload += 1
                state.uploads["u\(state.nextUpload)"] = []
                return "u\(state.nextUpload)"
            }
            return HTTPResponse(status: .accepted, headers: ["Location": "\(place)\(name)?state=x"])
        case .PATCH:
            while let piece = try await request.body.nextPiece() {
                state.withLock { $0.uploads[session]?.append(contentsOf: piece.readableBytesView) }
            }
            return sessionState(place, session, .accepted)
        case .GET: return sessionState(place, session, .noContent)
        case .PUT:
            let bytes = state.withLock { $0.uploads[session] } ?? []
            let digest = ContentHasher.digest(of: bytes).description
            guard digest == Self.parameter("digest", query) else { return Self.error(.badRequest, "DIGEST_INVALID") }
            state.withLock { state in
                state.blobs[digest] = bytes
                state.uploads[session] = nil
            }
            return HTTPResponse(status: .created, headers: ["Docker-Content-Digest": digest])
        default:
            state.withLock { $0.uploads[session] = nil }
            return HTTPResponse(status: .noContent)
        }
    }

    private func sessionState(_ place: String, _ session: String, _ status: HTTPResponseStatus) -> HTTPResponse {
        guard let count = state.withLock({ $0.uploads[session]?.count }) else {
            return Self.error(.notFound, "BLOB_UPLOAD_UNKNOWN")
        }
        return HTTPResponse(
            status: status, headers: ["Location": "\(place)\(session)?state=y", "Range": "0-\(max(0, count - 1))"])
    }

    /// Takes the beginning of an upload and breaks off.
    private func swallow(_ request: HTTPRequest, _ limit: Int, _ path: String) async throws -> HTTPResponse {
        let session = path.split(separator: "/").last.map(String.init) ?? ""
        var left = limit
        while left > 0, let piece = try await request.body.nextPiece() {
            let bytes = piece.readableBytesView.prefix(left)
            left -= bytes.count
            state.withLock { $0.uploads[session]?.append(contentsOf: bytes) }
        }
        return HTTPResponse(status: .badGateway, body: .hijack { _ in })
    }

    private static func parameter(_ name: String, _ query: String) -> String? {
        for pair in query.split(separator: "&") where pair.hasPrefix(name + "=") {
            return PercentEncoding.decode(pair.dropFirst(name.count + 1), plusIsSpace: true)
        }
        return nil
    }

    // MARK: Who may

    private func refusal(_ request: HTTPRequest) -> HTTPResponse? {
        let (password, usesTokens, tokens) = state.withLock { ($0.password, $0.usesTokens, $0.tokens) }
        guard let password else { return nil }
        let shown = request.headers.first(name: "Authorization") ?? ""
        let isWelcome =
            usesTokens ? tokens.contains(shown) : shown == "Basic " + Base64.encode(Array(password.utf8))
        guard !isWelcome else { return nil }
        var response = Self.error(.unauthorized, "UNAUTHORIZED")
        response.headers.add(
            name: "WWW-Authenticate",
            value: usesTokens
                ? "Bearer realm=\"http://\(domain)/token\",service=\"test\"" : "Basic realm=\"test\"")
        return response
    }

    private func token(_ request: HTTPRequest) -> HTTPResponse {
        let password = state.withLock { $0.password } ?? ""
        guard request.headers.first(name: "Authorization") == "Basic " + Base64.encode(Array(password.utf8)) else {
            return Self.error(.unauthorized, "UNAUTHORIZED")
        }
        let token = state.withLock { state in
            state.nextToken += 1
            state.tokens.insert("Bearer t\(state.nextToken)")
            return "t\(state.nextToken)"
        }
        return HTTPResponse(status: .ok, body: .bytes(Array("{\"token\":\"\(token)\",\"expires_in\":300}".utf8)))
    }
}
