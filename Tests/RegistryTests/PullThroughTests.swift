import Hashing
import Distribution
import HTTPServing
import JSON
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import OCISpec
import Registry
import Synchronization
import Testing

@Suite("A cache of another registry")
struct PullThroughTests {
    /// A registry that others reach over the network, and two caches of it: one asked directly, one over the network.
    private final class Setting: Sendable {
        let origin: TestRegistry
        let server: HTTPServer
        let port: Int
        private let holder = Holder()
        /// Requests that have come to the origin: `GET /v2/…`.
        let requests = Mutex<[String]>([])
        /// Whether the origin breaks off blobs after so many bytes.
        let breaksAfter = Mutex<Int?>(nil)

        init() async throws {
            origin = try TestRegistry()
            let holder = holder
            server = HTTPServer(
                group: MultiThreadedEventLoopGroup.singleton,
                responder: HTTPResponder(
                    respond: { try await holder.answer($0) }, failure: { holder.failure($0, $1) }))
            port = try await server.listen(host: "127.0.0.1", port: 0)
            holder.setting.withLock { $0 = self }
        }

        func stop() async {
            await server.stop(grace: .zero)
            // Else each would keep the other, and the registry's directory.
            holder.setting.withLock { $0 = nil }
        }

        var cache: TestRegistry { get throws { try TestRegistry(upstream: "127.0.0.1:\(port)") } }

        func answer(_ request: HTTPRequest) async throws -> HTTPResponse {
            if request.target != "/v2/" { requests.withLock { $0.append("\(request.method) \(request.target)") } }
            let response = try await origin.responder.respond(request)
            guard case .file(let range) = response.body, let limit = breaksAfter.withLock({ $0 }),
                Int(range.count) > limit
            else { return response }
            let bytes = try range.contents()
            var headers = response.headers
            headers.replaceOrAdd(name: "Content-Length", value: "\(bytes.count)")
            return HTTPResponse(
                status: response.status, headers: headers,
                body: .stream { writer in
                    try await writer.write(Array(bytes[..<limit]))
                    throw HTTPServerError.connectionClosed
                })
        }
    }

    private final class Holder: Sendable {
        let setting = Mutex<Setting?>(nil)

        func answer(_ request: HTTPRequest) async throws -> HTTPResponse {
            guard let setting = setting.withLock({ $0 }) else { return HTTPResponse(status: .serviceUnavailable) }
            return try await setting.answer(request)
        }

        func failure(_ error: any Error, _ request: HTTPRequest) -> HTTPResponse {
            setting.withLock { $0 }?.origin.responder.failure(error, request)
                ?? HTTPResponse(status: .serviceUnavailable)
        }
    }

    private static func withSetting(_ body: (Setting) async throws -> Void) async throws {
        let setting = try await Setting()
        do {
            try await body(setting)
        } catch {
            await setting.stop()
            throw error
        }
        await setting.stop()
    }

    /// Asks until the blob is here and not on its way any more; its bytes.
    private static func stored(_ digest: Digest, _ repository: String, at cache: TestRegistry) async throws -> [UInt8] {
        while true {
            let answer = try await cache.ask(.GET, "/v2/\(repository)/blobs/\(digest)")
            try #require(answer.status == 200, "\(answer.text)")
            if !answer.body.isEmpty { return answer.body }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    @Test("an image comes through, and the second time from here")
    func image() async throws {
        try await Self.withSetting { setting in
            let (body, digest) = try await setting.origin.pushImage("layer", to: "library/app", as: "1")
            let cache = try setting.cache
            let manifest = try await cache.ask(.GET, "/v2/library/app/manifests/1")
            #expect(manifest.status == 200)
            #expect(manifest.body == body)
            #expect(manifest["Docker-Content-Digest"] == digest.description)
            let layer = ContentHasher.digest(of: Array("layer".utf8))
            #expect(try await Self.stored(layer, "library/app", at: cache) == Array("layer".utf8))
            setting.requests.withLock { $0 = [] }
            #expect(try await cache.ask(.GET, "/v2/library/app/manifests/1").body == body)
            #expect(try await cache.ask(.GET, "/v2/library/app/manifests/\(digest)").body == body)
            #expect(try await Self.stored(layer, "library/app", at: cache) == Array("layer".utf8))
            // Only what the tag means is asked.
            #expect(setting.requests.withLock { $0 } == ["HEAD /v2/library/app/manifests/1"])
        }
    }

    @Test("a tag that has moved is followed")
    func moved() async throws {
        try await Self.withSetting { setting in
            try await setting.origin.pushImage("old", to: "app", as: "1")
            let cache = try setting.cache
            _ = try await cache.ask(.GET, "/v2/app/manifests/1")
            let new = try await setting.origin.pushImage("new", to: "app", as: "1")
            #expect(try await cache.ask(.GET, "/v2/app/manifests/1").body == new.body)
        }
    }

    @Test("while the other registry is away, what is known is served, and what is not is its fault")
    func away() async throws {
        let setting = try await Setting()
        let (body, digest) = try await setting.origin.pushImage("layer", to: "app", as: "1")
        let cache = try setting.cache
        _ = try await cache.ask(.GET, "/v2/app/manifests/1")
        await setting.stop()
        #expect(try await cache.ask(.GET, "/v2/app/manifests/1").body == body)
        #expect(try await cache.ask(.GET, "/v2/app/manifests/\(digest)").body == body)
        #expect(try await cache.ask(.GET, "/v2/app/tags/list").json["tags"]?[0]?.string == "1")
        #expect(try await cache.ask(.GET, "/v2/app/manifests/2").status == 502)
        #expect(try await cache.ask(.GET, "/v2/app/blobs/\(digest)").status == 502)
    }

    @Test("what the other registry has not got is unknown here")
    func unknown() async throws {
        try await Self.withSetting { setting in
            try await setting.origin.pushImage("layer", to: "app", as: "1")
            let cache = try setting.cache
            #expect(try await cache.ask(.GET, "/v2/app/manifests/2").code == "MANIFEST_UNKNOWN")
            #expect(try await cache.ask(.GET, "/v2/none/manifests/1").code == "MANIFEST_UNKNOWN")
            let digest = ContentHasher.digest(of: [1])
            #expect(try await cache.ask(.GET, "/v2/app/blobs/\(digest)").code == "BLOB_UNKNOWN")
            #expect(try await cache.ask(.HEAD, "/v2/app/blobs/\(digest)").status == 404)
            // What is here is another repository's as long as the other registry does not say that it is this one's,
            // too.
            let layer = ContentHasher.digest(of: Array("layer".utf8))
            _ = try await Self.stored(layer, "app", at: cache)
            #expect(try await cache.ask(.GET, "/v2/none/blobs/\(layer)").code == "BLOB_UNKNOWN")
        }
    }

    @Test("asking whether a blob is there fetches none")
    func head() async throws {
        try await Self.withSetting { setting in
            let digest = try await setting.origin.push([1, 2, 3], to: "app")
            let cache = try setting.cache
            let answer = try await cache.ask(.HEAD, "/v2/app/blobs/\(digest)")
            #expect(answer.status == 200)
            #expect(answer["Content-Length"] == "3")
            #expect(try cache.blobsOnDisk().isEmpty)
        }
    }

    @Test("nothing can be pushed to it")
    func push() async throws {
        try await Self.withSetting { setting in
            let cache = try setting.cache
            for (method, path) in [
                (HTTPMethod.POST, "blobs/uploads/"), (.PUT, "manifests/1"), (.PATCH, "blobs/uploads/x"),
            ] {
                let answer = try await cache.ask(method, "/v2/app/\(path)")
                #expect(answer.status == 405)
                #expect(answer.code == "UNSUPPORTED")
            }
        }
    }

    @Test("what breaks off is taken up where it was, also by a registry that has been started again")
    func resumed() async throws {
        try await Self.withSetting { setting in
            let blob = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let digest = try await setting.origin.push(blob, to: "app")
            setting.breaksAfter.withLock { $0 = 60_000 }
            let first = try setting.cache
            _ = try await first.ask(.GET, "/v2/app/blobs/\(digest)")
            // Until it has given up, the same transfer answers.
            while setting.requests.withLock({ $0.filter { $0.hasPrefix("HEAD") }.count }) < 2 {
                _ = try await first.ask(.GET, "/v2/app/blobs/\(digest)")
                try await Task.sleep(for: .milliseconds(5))
            }
            setting.breaksAfter.withLock { $0 = nil }
            let second = try TestRegistry(root: first.root, upstream: "127.0.0.1:\(setting.port)")
            #expect(try await Self.stored(digest, "app", at: second) == blob)
            #expect(try second.blobsOnDisk() == [digest.description])
        }
    }

    @Test("many who ask for the same blob at once have it fetched once, and all get it whole")
    func shared() async throws {
        try await Self.withSetting { setting in
            let blob = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            let digest = try await setting.origin.push(blob, to: "app")
            let cache = try setting.cache
            let front = HTTPServer(group: MultiThreadedEventLoopGroup.singleton, responder: cache.responder)
            let port = try await front.listen(host: "127.0.0.1", port: 0)
            let name = try ImageReference(parsing: "127.0.0.1:\(port)/app")
            let descriptor = Descriptor(mediaType: "application/octet-stream", digest: digest, size: Int64(blob.count))
            let got = try await withThrowingTaskGroup(of: Digest.self) { group in
                for _ in 0..<6 {
                    group.addTask {
                        let received = Mutex<[UInt8]>([])
                        try await Registries().with(name, .pull) { repository in
                            try await repository.fetch(descriptor) { piece in
                                piece.withUnsafeBytes { bytes in received.withLock { $0 += bytes } }
                            }
                        }
                        return ContentHasher.digest(of: received.withLock { $0 })
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            await front.stop(grace: .zero)
            #expect(got == Array(repeating: digest, count: 6))
            let fetches = setting.requests.withLock { $0.filter { $0 == "GET /v2/app/blobs/\(digest)" }.count }
            #expect(fetches == 1)
        }
    }

    @Test("tags and referrers are those of the other registry")
    func lists() async throws {
        try await Self.withSetting { setting in
            let (_, subject) = try await setting.origin.pushImage("a", to: "app", as: "2")
            try await setting.origin.pushImage("b", to: "app", as: "1")
            try await setting.origin.pushImage("c", to: "app", as: nil, subject: subject, artifactType: "test/type")
            let cache = try setting.cache
            let tags = try await cache.ask(.GET, "/v2/app/tags/list?n=1")
            #expect(tags.json["tags"]?.array?.compactMap(\.string) == ["1"])
            #expect(tags["Link"]?.contains("last=1") == true)
            let referrers = try await cache.ask(.GET, "/v2/app/referrers/\(subject)")
            #expect(referrers.json["manifests"]?.array?.count == 1)
            let others = try await cache.ask(.GET, "/v2/app/referrers/\(subject)?artifactType=other")
            #expect(others.json["manifests"]?.array?.isEmpty == true)
        }
    }
}
