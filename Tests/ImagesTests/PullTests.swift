import Hashing
import Archive
import Distribution
import FaultyRegistry
import Images
import JSON
import OCISpec
import Synchronization
import SystemPackage
import Testing

@Suite("pulling images")
struct PullTests {
    /// A layer of one file that nothing can compress.
    static func layer(_ name: String, _ count: Int) throws -> [UInt8] {
        var random = SystemRandomNumberGenerator()
        let words = (0..<count / 8).map { _ in random.next() }
        return try Tar.make([(name, words.withUnsafeBytes { Array($0) })])
    }

    static func name(_ registry: FaultyRegistry, _ rest: String = "app:1") throws -> ImageReference {
        try ImageReference(parsing: "\(registry.domain)/\(rest)")
    }

    /// What a pull reports, but for how far it is.
    static func pull(
        _ images: Images, _ reference: ImageReference, platform: Platform? = nil, allTags: Bool = false,
        credentials: RegistryCredentials = .anonymous
    ) async throws -> [String] {
        let lines = Mutex<[String]>([])
        let seen = Lines(lines)
        try await images.pull(reference, platform: platform, allTags: allTags, credentials: credentials) { step in
            guard step.current == nil else { return }
            seen.add((step.id.map { "\($0): " } ?? "") + step.status)
        }
        return seen.all
    }

    final class Lines: Sendable {
        private let lines: Mutex<[String]>

        init(_ lines: consuming Mutex<[String]>) { self.lines = lines }

        func add(_ line: String) { lines.withLock { $0.append(line) } }
        var all: [String] { lines.withLock { $0 } }
    }

    @Test("an image is as the registry has it, named by tag and digest, and reported as Docker reports it")
    func pulls() async throws {
        let fixture = try ImagesFixture()
        try await FaultyRegistry.run { registry in
            let layer = try Self.layer("a", 100_000)
            let (digest, manifest) = try registry.add(image: [layer], to: "team/app", as: "1")
            let reference = try Self.name(registry, "team/app:1")
            let id = ContentHasher.digest(of: layer).short
            #expect(
                try await Self.pull(fixture.images, reference) == [
                    "1: Pulling from team/app", "\(id): Pulling fs layer", "\(id): Verifying Checksum",
                    "\(id): Download complete", "\(id): Pull complete", "Digest: \(digest)",
                    "Status: Downloaded newer image for \(reference.familiar)",
                ])
            let record = try await fixture.images.resolve(reference.description)
            #expect(record.repositoryTags == ["\(registry.domain)/team/app:1"])
            #expect(record.repositoryDigests == ["\(registry.domain)/team/app@\(digest)"])
            #expect(try fixture.images.content.read(record.manifest) == manifest)
            #expect(try fixture.images.content.verify(ContentHasher.digest(of: layer)))
        }
    }

    @Test("an image that is here is not fetched again")
    func upToDate() async throws {
        let fixture = try ImagesFixture()
        try await FaultyRegistry.run { registry in
            try registry.add(image: [try Self.layer("a", 1000)], to: "app", as: "1")
            let reference = try Self.name(registry)
            _ = try await Self.pull(fixture.images, reference)
            let bytes = registry.blobBytes
            let lines = try await Self.pull(fixture.images, reference)
            #expect(lines.last == "Status: Image is up to date for \(reference.familiar)")
            #expect(registry.blobBytes == bytes)
        }
    }

    @Test("an image that came by another way gets the name, and nothing is fetched but its manifest")
    func otherWay() async throws {
        let fixture = try ImagesFixture()
        try await FaultyRegistry.run { registry in
            let layer = try Self.layer("a", 1000)
            let id = try await fixture.importing(layer, as: "here:1")
            let configuration = try fixture.images.content.read(id)
            let blob = try Tar.through("gzip", layer)
            let manifest = ImageManifest(
                config: Descriptor(
                    mediaType: MediaType.ociConfiguration, digest: registry.add(blob: configuration),
                    size: Int64(configuration.count)),
                layers: [
                    Descriptor(
                        mediaType: MediaType.ociLayerGzip, digest: registry.add(blob: blob), size: Int64(blob.count))
                ])
            registry.add(manifest: try JSON.encode(manifest), MediaType.ociManifest, to: "app", as: "1")
            let reference = try Self.name(registry)
            let lines = try await Self.pull(fixture.images, reference)
            #expect(lines.last == "Status: Downloaded newer image for \(reference.familiar)")
            #expect(try await fixture.images.resolve(reference.description).id == id)
            #expect(registry.blobBytes == 0)
        }
    }

    @Test("layers that are here are not fetched again")
    func sharesLayers() async throws {
        let fixture = try ImagesFixture()
        try await FaultyRegistry.run { registry in
            let (base, own) = (try Self.layer("a", 100_000), try Self.layer("b", 1000))
            try registry.add(image: [base], to: "base", as: "1")
            try registry.add(image: [base, own], to: "app", as: "1")
            _ = try await Self.pull(fixture.images, try Self.name(registry, "base:1"))
            let lines = try await Self.pull(fixture.images, try Self.name(registry))
            #expect(lines.contains("\(ContentHasher.digest(of: base).short): Already exists"))
            #expect(registry.count("GET", "\(ContentHasher.digest(of: base))") == 1)
        }
    }

    @Test("of an image for several platforms the right one comes, under the digest of the whole")
    func platforms() async throws {
        let fixture = try ImagesFixture()
        try await FaultyRegistry.run { registry in
            let other = Platform(os: "linux", architecture: "s390x")
            let digests = try [Platform.host, other].map { platform in
                try registry.add(
                    image: [try Self.layer(platform.architecture, 100)], platform: platform, to: "app", as: nil)
            }
            let entries = zip(digests, [Platform.host, other]).map { image, platform in
                Descriptor(
                    mediaType: MediaType.ociManifest, digest: image.digest, size: Int64(image.bytes.count),
                    platform: platform)
            }
            let index = registry.add(
                manifest: try JSON.encode(ImageIndex(manifests: entries)), MediaType.ociIndex, to: "app", as: "1")
            let reference = try Self.name(registry)
            #expect(try await Self.pull(fixture.images, reference).contains("Digest: \(index)"))
            let record = try await fixture.images.resolve(reference.description)
            #expect(record.configuration.architecture == Platform.host.architecture)
            #expect(record.repositoryDigests == ["\(registry.domain)/app@\(index)"])
            _ = try await Self.pull(fixture.images, reference, platform: other)
            #expect(try await fixture.images.resolve(reference.description).configuration.architecture == "s390x")
            let missing = try Platform(parsing: "linux/riscv64")
            await #expect(
                throws: ImagesError(.notFound, "no matching manifest for linux/riscv64 in the manifest list entries")
            ) {
                try await fixture.images.pull(reference, platform: missing)
            }
        }
    }

    @Test("all tags of a repository")
    func allTags() async throws {
        let fixture = try ImagesFixture()
        try await FaultyRegistry.run { registry in
            for tag in ["1", "2"] { try registry.add(image: [try Self.layer(tag, 100)], to: "app", as: tag) }
            let lines = try await Self.pull(fixture.images, try Self.name(registry, "app"), allTags: true)
            #expect(lines.count { $0.contains("Pulling from app") } == 2)
            #expect(try await fixture.images.list().count == 2)
        }
    }

    @Test(
        "Docker's manifests, compressed layers and drivers that unpack one layer after the other",
        arguments: ["overlay", "vfs"])
    func dockerFormat(driver: String) async throws {
        let fixture = try ImagesFixture(driver: driver)
        try await FaultyRegistry.run { registry in
            let plain = try ["a", "b", "c"].map { try Self.layer($0, 5000) }
            let layers = try plain.map { try Tar.through("gzip", $0) }
            try registry.add(
                image: layers, diffIDs: plain.map { ContentHasher.digest(of: $0) }, to: "app", as: "1",
                mediaType: MediaType.dockerManifest, layerType: MediaType.dockerLayerGzip)
            let lines = try await Self.pull(fixture.images, try Self.name(registry))
            #expect(lines.count { $0.hasSuffix("Pull complete") } == 3)
        }
    }

    @Test("Docker's first format is refused with a reason")
    func schema1() async throws {
        let fixture = try ImagesFixture()
        try await FaultyRegistry.run { registry in
            registry.add(
                manifest: Array(#"{"schemaVersion":1,"name":"app"}"#.utf8),
                "application/vnd.docker.distribution.manifest.v1+prettyjws", to: "app", as: "1")
            let reference = try Self.name(registry)
            let error = await #expect(throws: ImagesError.self) { try await fixture.images.pull(reference) }
            #expect(error?.message.contains("schema 1, which is not supported") == true)
        }
    }

    @Test("what the registry does not have is told apart from what it does not give")
    func missing() async throws {
        let fixture = try ImagesFixture()
        try await FaultyRegistry.run { registry in
            let reference = try Self.name(registry)
            await #expect(
                throws: ImagesError(
                    .notFound, "manifest for \(reference.familiar) not found: manifest unknown: manifest unknown")
            ) {
                try await fixture.images.pull(reference)
            }
            registry.protect("me:secret", withTokens: false)
            await #expect(
                throws: ImagesError(
                    .notFound,
                    "pull access denied for \(reference.familiarName), repository does not exist or may require "
                        + "'docker login': "
                        + "unauthorized: unauthorized")
            ) { try await fixture.images.pull(reference) }
        }
    }

    @Test("two pulls at once fetch a layer once")
    func joins() async throws {
        let fixture = try ImagesFixture()
        try await FaultyRegistry.run { registry in
            let base = try Self.layer("a", 3_000_000)
            for name in ["one", "two"] {
                try registry.add(image: [base, try Self.layer(name, 1000)], to: name, as: "1")
            }
            let (one, two) = (try Self.name(registry, "one:1"), try Self.name(registry, "two:1"))
            async let first: Void = { _ = try await fixture.images.pull(one) }()
            async let second: Void = { _ = try await fixture.images.pull(two) }()
            _ = try await (first, second)
            #expect(registry.count("GET", "\(ContentHasher.digest(of: base))") == 1)
            #expect(try await fixture.images.list().count == 2)
            #expect(try await fixture.inventory().filter { $0.contains("resumable/") }.isEmpty)
        }
    }
}
