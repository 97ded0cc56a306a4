import Hashing
import Glibc
import JSON
import OCISpec
import Registry
import SystemPackage
import Testing

@Suite("Collection of what a registry no longer needs")
struct CollectionTests {
    @Test("blobs go with the last manifest of the last repository that has them, and not before their time")
    func unreferenced() async throws {
        let registry = try TestRegistry()
        let (_, first) = try await registry.pushImage("same", to: "one", as: "1")
        try await registry.pushImage("same", to: "two", as: "1")
        try await registry.push(Array("waits for its manifest".utf8), to: "one")
        let all = try registry.blobsOnDisk()
        #expect(all.count == 4)
        #expect(try await registry.store.collect(grace: 3600, removesUntagged: true).blobs == 0)
        _ = try await registry.ask(.DELETE, "/v2/one/manifests/\(first)")
        #expect(try await registry.store.collect(grace: -1, removesUntagged: false).blobs == 1)
        #expect(try await registry.ask(.GET, "/v2/two/manifests/1").status == 200)
        #expect(
            try await registry.ask(.GET, "/v2/two/blobs/\(ContentHasher.digest(of: Array("same".utf8)))").text == "same"
        )
        _ = try await registry.ask(.DELETE, "/v2/two/manifests/\(first)")
        let report = try await registry.store.collect(grace: -1, removesUntagged: false)
        #expect(report.blobs == 3)
        #expect(try registry.blobsOnDisk().isEmpty)
        #expect(try await registry.ask(.GET, "/v2/_catalog").text == #"{"repositories":[]}"#)
    }

    @Test("untagged manifests go only when that is asked for; what an index or a subject holds stays")
    func untagged() async throws {
        let registry = try TestRegistry()
        let (child, childDigest) = try await registry.pushImage("child", to: "app", as: nil)
        let (_, lonely) = try await registry.pushImage("lonely", to: "app", as: nil)
        let index: JSONValue = [
            "schemaVersion": 2, "mediaType": .string(MediaType.ociIndex),
            "manifests": [TestRegistry.descriptor(child, MediaType.ociManifest)],
        ]
        _ = try await registry.ask(
            .PUT, "/v2/app/manifests/all", Array(index.text().utf8), headers: [("Content-Type", MediaType.ociIndex)])
        let (_, signature) = try await registry.pushImage("signature", to: "app", as: nil, subject: childDigest)
        #expect(try await registry.store.collect(grace: -1, removesUntagged: false).manifests == 0)
        #expect(try await registry.store.collect(grace: -1, removesUntagged: true).manifests == 1)
        #expect(try await registry.ask(.GET, "/v2/app/manifests/\(lonely)").status == 404)
        for digest in [childDigest, signature] {
            #expect(try await registry.ask(.GET, "/v2/app/manifests/\(digest)").status == 200)
        }
    }

    @Test("a file that a killed registry left without a row is removed")
    func strays() async throws {
        let registry = try TestRegistry()
        let name = String(repeating: "0", count: 64)
        let path = registry.root.appending("content/blobs/sha256").appending(name)
        try FileDescriptor.open(path, .writeOnly, options: [.create, .closeOnExec], permissions: .ownerReadWrite)
            .close()
        _ = try await registry.store.collect(grace: 3600, removesUntagged: false)
        #expect(try registry.blobsOnDisk().isEmpty)
    }

    @Test("pushes while collections run lose nothing")
    func concurrently() async throws {
        let registry = try TestRegistry()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<4 {
                group.addTask {
                    for round in 0..<15 {
                        try await registry.pushImage("\(worker % 2) \(round)", to: "repo\(worker)", as: "\(round)")
                        let answer = try await registry.ask(.GET, "/v2/repo\(worker)/manifests/\(round)")
                        #expect(answer.status == 200)
                    }
                }
            }
            group.addTask {
                for _ in 0..<20 { _ = try await registry.store.collect(grace: 3600, removesUntagged: true) }
            }
            try await group.waitForAll()
        }
        for worker in 0..<4 {
            for round in 0..<15 {
                let layer = ContentHasher.digest(of: Array("\(worker % 2) \(round)".utf8))
                #expect(
                    try await registry.ask(.GET, "/v2/repo\(worker)/blobs/\(layer)").text == "\(worker % 2) \(round)")
            }
        }
    }
}
