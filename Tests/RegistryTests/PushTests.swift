import Hashing
import NIOHTTP1
import OCISpec
import Registry
import Testing

@Suite("Pushing to a registry")
struct PushTests {
    private static let blob = (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    private static let digest = ContentHasher.digest(of: blob)

    @Test("a blob is pushed in one request, in two, and in one that streams; then it is there, whole")
    func ways() async throws {
        let registry = try TestRegistry()
        let at = "/v2/a/b/blobs/uploads/"
        #expect(try await registry.ask(.HEAD, "/v2/a/b/blobs/\(Self.digest)").status == 404)
        for way in ["one", "two", "stream"] {
            let repository = "way/\(way)"
            let answer: TestRegistry.Answer
            if way == "one" {
                answer = try await registry.ask(
                    .POST, "/v2/\(repository)/blobs/uploads/?digest=\(Self.digest)", Self.blob)
            } else {
                let begun = try await registry.ask(.POST, "/v2/\(repository)/blobs/uploads/")
                #expect(begun.status == 202)
                #expect(begun["Range"] == "0-0")
                var location = try #require(begun["Location"])
                if way == "stream" {
                    let streamed = try await registry.ask(.PATCH, location, Self.blob, pieces: 7)
                    #expect(streamed.status == 202)
                    #expect(streamed["Range"] == "0-4999")
                    location = try #require(streamed["Location"])
                }
                answer = try await registry.ask(
                    .PUT, "\(location)?digest=\(Self.digest)", way == "two" ? Self.blob : [])
            }
            #expect(answer.status == 201)
            #expect(answer["Docker-Content-Digest"] == Self.digest.description)
            let pulled = try await registry.ask(.GET, try #require(answer["Location"]))
            #expect(pulled.body == Self.blob)
        }
        #expect(try registry.blobsOnDisk() == [Self.digest.description])
        #expect(try await registry.ask(.GET, at).status == 405)
    }

    @Test("chunks have to be in order; the upload says where to go on")
    func chunks() async throws {
        let registry = try TestRegistry()
        let location = try #require(try await registry.ask(.POST, "/v2/a/blobs/uploads/")["Location"])
        let first = try await registry.ask(
            .PATCH, location, Array(Self.blob[..<2000]), headers: [("Content-Range", "0-1999")])
        #expect(first["Range"] == "0-1999")
        for (start, method) in [(3000, HTTPMethod.PATCH), (0, .PATCH), (3000, .PUT)] {
            let wrong = try await registry.ask(
                method, "\(location)?digest=\(Self.digest)", Array(Self.blob[start..<start + 1000]),
                headers: [("Content-Range", "\(start)-\(start + 999)")])
            #expect(wrong.status == 416)
            #expect(wrong["Range"] == "0-1999")
            #expect(wrong["Location"] == location)
        }
        let status = try await registry.ask(.GET, location)
        #expect(status.status == 204)
        #expect(status["Range"] == "0-1999")
        let last = try await registry.ask(
            .PUT, "\(location)?digest=\(Self.digest)", Array(Self.blob[2000...]),
            headers: [("Content-Range", "2000-4999")])
        #expect(last.status == 201)
        #expect(try await registry.ask(.GET, "/v2/a/blobs/\(Self.digest)").body == Self.blob)
    }

    @Test("a chunk of another length than it says is refused before anything is written")
    func chunkLength() async throws {
        let registry = try TestRegistry()
        let location = try #require(try await registry.ask(.POST, "/v2/a/blobs/uploads/")["Location"])
        let wrong = try await registry.ask(.PATCH, location, [1, 2, 3], headers: [("Content-Range", "0-1")])
        #expect(wrong.status == 400)
        #expect(wrong.code == "SIZE_INVALID")
        #expect(try await registry.ask(.GET, location)["Range"] == "0-0")
    }

    @Test("an upload whose client went away goes on where it was, also after a restart of the registry")
    func resuming() async throws {
        let registry = try TestRegistry()
        let location = try #require(try await registry.ask(.POST, "/v2/a/blobs/uploads/")["Location"])
        let broken = try await registry.ask(.PATCH, location, Self.blob, pieces: 5, failingAfter: 3000)
        #expect(broken.status == 400)
        let before = try await registry.ask(.GET, location)
        let again = try TestRegistry(root: registry.root)
        let status = try await again.ask(.GET, location)
        #expect(status["Range"] == before["Range"])
        let end = try #require(status["Range"].flatMap { Int($0.dropFirst(2)) })
        let start = end == 0 ? 0 : end + 1
        let finished = try await again.ask(
            .PUT, "\(location)?digest=\(Self.digest)", Array(Self.blob[start...]),
            headers: [("Content-Range", "\(start)-4999")])
        #expect(finished.status == 201)
        #expect(try await again.ask(.GET, "/v2/a/blobs/\(Self.digest)").body == Self.blob)
    }

    @Test("bytes that are not those of the digest are refused, and nothing of them stays")
    func wrongDigest() async throws {
        let registry = try TestRegistry()
        let answer = try await registry.ask(.POST, "/v2/a/blobs/uploads/?digest=\(Self.digest)", [1, 2, 3])
        #expect(answer.status == 400)
        #expect(answer.code == "DIGEST_INVALID")
        #expect(try registry.blobsOnDisk().isEmpty)
        #expect(try await registry.ask(.HEAD, "/v2/a/blobs/\(Self.digest)").status == 404)
        for text in ["sha256:abc", "md5:d41d8cd98f00b204e9800998ecf8427e", "x", "sha256:../../../etc/passwd"] {
            #expect(try await registry.ask(.POST, "/v2/a/blobs/uploads/?digest=\(text)", [1]).status == 400, "\(text)")
        }
    }

    @Test("sha512 is as good, whether it is announced at the beginning or only at the end")
    func sha512() async throws {
        let registry = try TestRegistry()
        let digest = ContentHasher.digest(of: Self.blob, .sha512)
        for announced in ["", "?digest-algorithm=sha512"] {
            let repository = "r\(announced.count)"
            let begun = try await registry.ask(.POST, "/v2/\(repository)/blobs/uploads/\(announced)")
            let location = try #require(begun["Location"])
            #expect(try await registry.ask(.PUT, "\(location)?digest=\(digest)", Self.blob).status == 201)
            #expect(try await registry.ask(.GET, "/v2/\(repository)/blobs/\(digest)").body == Self.blob)
        }
        #expect(try registry.blobsOnDisk() == [digest.description])
    }

    @Test("an upload can be given up, and is unknown then; nobody else's repository can use it")
    func cancelling() async throws {
        let registry = try TestRegistry()
        let location = try #require(try await registry.ask(.POST, "/v2/a/blobs/uploads/")["Location"])
        let elsewhere = location.replacing("/v2/a/", with: "/v2/other/")
        #expect(try await registry.ask(.PATCH, elsewhere, [1]).code == "BLOB_UPLOAD_UNKNOWN")
        #expect(try await registry.ask(.DELETE, location).status == 204)
        #expect(try await registry.ask(.PATCH, location, [1]).status == 404)
        #expect(try await registry.ask(.GET, "/v2/a/blobs/uploads/..%2f..%2fx").status == 404)
    }

    @Test("a blob is mounted from another repository, or pushed if it is not there")
    func mounting() async throws {
        let registry = try TestRegistry()
        try await registry.push(Self.blob, to: "source")
        let mounted = try await registry.ask(.POST, "/v2/target/blobs/uploads/?mount=\(Self.digest)&from=source")
        #expect(mounted.status == 201)
        #expect(try await registry.ask(.GET, "/v2/target/blobs/\(Self.digest)").body == Self.blob)
        #expect(try await registry.ask(.POST, "/v2/third/blobs/uploads/?mount=\(Self.digest)").status == 201)
        let missing = try await registry.ask(
            .POST, "/v2/target/blobs/uploads/?mount=\(ContentHasher.digest(of: [9]))&from=source")
        #expect(missing.status == 202)
        #expect(missing["Location"] != nil)
    }

    @Test(
        "names that are none are refused",
        arguments: ["UPPER", "a//b", "-a", "a-", "a/../b", "a___b", ".a", "a/_b", String(repeating: "a", count: 256)])
    func names(name: String) async throws {
        let registry = try TestRegistry()
        let answer = try await registry.ask(.POST, "/v2/\(name)/blobs/uploads/")
        #expect(answer.status == 400)
        #expect(answer.code == "NAME_INVALID")
    }
}
