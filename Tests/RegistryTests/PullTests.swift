import ContentStore
import OCISpec
import Registry
import Testing

@Suite("Pulling from a registry")
struct PullTests {
    private static let blob = (0..<1000).map { UInt8(truncatingIfNeeded: $0) }

    @Test(
        "a part of a blob is sent to who asks for it",
        arguments: [
            ("bytes=0-0", "bytes 0-0/1000"), ("bytes=500-", "bytes 500-999/1000"), ("bytes=-10", "bytes 990-999/1000"),
            ("bytes=900-5000", "bytes 900-999/1000"), ("bytes=-5000", "bytes 0-999/1000"),
        ])
    func parts(range: String, said: String) async throws {
        let registry = try TestRegistry()
        let digest = try await registry.push(Self.blob, to: "app")
        let answer = try await registry.ask(.GET, "/v2/app/blobs/\(digest)", headers: [("Range", range)])
        #expect(answer.status == 206)
        #expect(answer["Content-Range"] == said)
        let bounds = said.dropFirst(6).prefix { $0 != "/" }.split(separator: "-").compactMap { Int($0) }
        #expect(answer.body == Array(Self.blob[bounds[0]...bounds[1]]))
    }

    @Test("a part that is not there is refused with the size; several at once and other units get the whole")
    func others() async throws {
        let registry = try TestRegistry()
        let digest = try await registry.push(Self.blob, to: "app")
        for range in ["bytes=1000-", "bytes=5-4", "bytes=-0"] {
            let answer = try await registry.ask(.GET, "/v2/app/blobs/\(digest)", headers: [("Range", range)])
            #expect(answer.status == 416, "\(range)")
            #expect(answer["Content-Range"] == "bytes */1000")
        }
        for range in ["bytes=0-1,5-6", "lines=1-2", "bytes=x-1", "bytes=-"] {
            let answer = try await registry.ask(.GET, "/v2/app/blobs/\(digest)", headers: [("Range", range)])
            #expect(answer.status == 200, "\(range)")
            #expect(answer.body == Self.blob)
        }
    }

    @Test("a blob is in the repositories it was pushed to, and in no other")
    func repositories() async throws {
        let registry = try TestRegistry()
        let digest = try await registry.push(Self.blob, to: "mine")
        #expect(try await registry.ask(.GET, "/v2/yours/blobs/\(digest)").code == "BLOB_UNKNOWN")
        #expect(try await registry.ask(.GET, "/v2/mine/blobs/sha256:short").code == "DIGEST_INVALID")
        #expect(try await registry.ask(.GET, "/v3/").status == 404)
        #expect(try await registry.ask(.GET, "/v2/").text == "{}")
        #expect(try await registry.ask(.GET, "/v2/")["Docker-Distribution-Api-Version"] == "registry/2.0")
    }

    @Test("an empty blob is a blob")
    func empty() async throws {
        let registry = try TestRegistry()
        let digest = try await registry.push([], to: "app")
        let answer = try await registry.ask(.GET, "/v2/app/blobs/\(digest)")
        #expect(answer.status == 200)
        #expect(answer.body.isEmpty)
    }
}
