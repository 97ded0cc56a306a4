import Hashing
import Distribution
import FaultyRegistry
import Images
import JSON
import OCISpec
import Synchronization
import Testing

@Suite("pushing images")
struct PushTests {
    private func push(_ images: Images, _ reference: ImageReference) async throws -> [String] {
        let lines = PullTests.Lines(Mutex([]))
        try await images.push(reference) { step in
            guard step.current == nil, step.pushed == nil else { return }
            lines.add((step.id.map { "\($0): " } ?? "") + step.status)
        }
        return lines.all
    }

    @Test("an image that was pulled is pushed as the very same bytes")
    func sameBytes() async throws {
        let fixture = try ImagesFixture()
        try await FaultyRegistry.run { source in
            try await FaultyRegistry.run { target in
                let plain = try PullTests.layer("a", 100_000)
                let (digest, bytes) = try source.add(
                    image: [try Tar.through("gzip", plain)], diffIDs: [ContentHasher.digest(of: plain)], to: "app",
                    as: "1", mediaType: MediaType.dockerManifest, layerType: MediaType.dockerLayerGzip)
                try await fixture.images.pull(try PullTests.name(source))
                let name = try PullTests.name(target, "copy:2")
                try await fixture.images.tag(try PullTests.name(source).description, as: name)
                let id = ContentHasher.digest(of: plain).short
                #expect(
                    try await push(fixture.images, name) == [
                        "The push refers to repository [\(name.name)]", "\(id): Preparing", "\(id): Pushed",
                        "2: digest: \(digest) size: \(bytes.count)",
                    ])
                #expect(target.manifest("copy", "2") == bytes)
                let record = try await fixture.images.resolve(name.description)
                #expect(record.repositoryDigests.contains("\(name.familiarName)@\(digest)"))
            }
        }
    }

    @Test("layers that are not compressed go compressed, and are not sent a second time")
    func compresses() async throws {
        let fixture = try ImagesFixture()
        try await FaultyRegistry.run { registry in
            let layer = try PullTests.layer("a", 200_000)
            let name = try PullTests.name(registry)
            try await fixture.importing(layer, as: name.description)
            _ = try await push(fixture.images, name)
            let manifest = try JSON.decode(ImageManifest.self, from: try #require(registry.manifest("app", "1")))
            #expect(manifest.layers.map(\.mediaType) == [MediaType.ociLayerGzip])
            let blob = try #require(registry.blob(manifest.layers[0].digest))
            #expect(try Tar.through("gzip -dc", blob) == layer)
            let lines = try await push(fixture.images, name)
            #expect(lines.contains("\(ContentHasher.digest(of: layer).short): Layer already exists"))
            #expect(registry.count("PATCH", "uploads") == 2)
            // What was pushed can be pulled elsewhere.
            let other = try ImagesFixture()
            try await other.images.pull(name)
            #expect(
                try await other.images.resolve(name.description).id == fixture.images.resolve(name.description).id)
        }
    }

    @Test("a layer of another repository is mounted from there")
    func mounts() async throws {
        let fixture = try ImagesFixture()
        try await FaultyRegistry.run { registry in
            let layer = try Tar.through("gzip", try PullTests.layer("a", 100_000))
            let plain = try Tar.through("gzip -dc", layer)
            try registry.add(
                image: [layer], diffIDs: [ContentHasher.digest(of: plain)], to: "team/base", as: "1",
                layerType: MediaType.ociLayerGzip)
            let source = try PullTests.name(registry, "team/base:1")
            try await fixture.images.pull(source)
            let name = try PullTests.name(registry, "team/app:1")
            try await fixture.images.tag(source.description, as: name)
            // This registry has one store; one that did not say so for the new repository is what is wanted.
            registry.fail("HEAD", "/v2/team/app/blobs/", times: 1, .status(404))
            let lines = try await push(fixture.images, name)
            #expect(lines.contains("\(ContentHasher.digest(of: plain).short): Mounted from team/base"))
            #expect(registry.count("PATCH", "uploads") == 0)
        }
    }

    @Test("an upload that breaks off goes on where it broke off")
    func resumes() async throws {
        let fixture = try ImagesFixture()
        try await FaultyRegistry.run { registry in
            let layer = try PullTests.layer("a", 3_000_000)
            let name = try PullTests.name(registry)
            try await fixture.importing(layer, as: name.description)
            registry.fail("PATCH", "uploads", .refusedBody(after: 1_000_000))
            registry.fail("PATCH", "uploads", .status(500))
            _ = try await push(fixture.images, name)
            let ranges = registry.asked.filter { $0.method == "PATCH" }.compactMap {
                $0.headers.first(name: "Content-Range")
            }
            #expect(ranges.contains { $0.hasPrefix("1000000-") }, "\(ranges)")
            let manifest = try JSON.decode(ImageManifest.self, from: try #require(registry.manifest("app", "1")))
            #expect(registry.blob(manifest.layers[0].digest) != nil)
        }
    }

    @Test("a tag that is not here is not pushed")
    func unknown() async throws {
        let fixture = try ImagesFixture()
        let name = try ImageReference(parsing: "127.0.0.1:1/app:1")
        await #expect(throws: ImagesError(.notFound, "An image does not exist locally with the tag: 127.0.0.1:1/app")) {
            try await fixture.images.push(name)
        }
    }
}
