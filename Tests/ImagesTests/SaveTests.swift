import Hashing
import Archive
import Glibc
import Images
import JSON
import LinuxKernel
import OCISpec
import SystemPackage
import Testing

/// Images out, and in again.
@Suite(.enabled(if: geteuid() == 0, "snapshots need root"))
struct SaveTests {
    private func saved(
        _ fixture: ImagesFixture, _ names: [String], platforms: [Platform] = []
    ) async throws -> [UInt8] {
        let path = fixture.directory.appending("saved.tar")
        let file = try FileDescriptor.open(
            path, .readWrite, options: [.create, .truncate, .closeOnExec], permissions: .ownerReadWrite)
        defer { try? file.close() }
        try await fixture.images.save(names, platforms: platforms, to: file)
        return try Files.read(path, limit: 1 << 26)
    }

    private func digest(_ bytes: [UInt8]) -> Digest { ContentHasher.digest(of: bytes) }

    private func names(_ bytes: [UInt8]) throws -> [String] {
        let reader = TarReader(MemorySource(bytes))
        var names: [String] = []
        while let entry = try reader.next() { names.append(entry.displayName) }
        return names
    }

    @Test(
        "what was saved loads elsewhere as the same images: ids, manifests, names, files",
        arguments: ["", "gzip", "zstd"])
    func roundTrip(compressor: String) async throws {
        let fixture = try ImagesFixture()
        let first = try await fixture.importing(Tar.text([("a", "1")]), as: "one:1", changes: ["CMD run"])
        let second = try await fixture.importing(
            Tar.through("gzip -n", Tar.text([("b", "2")])), as: "reg.example.org:5000/two:x")
        try await fixture.images.tag("one:1", as: ImageReference(parsing: "one:2"))
        var bytes = try await saved(fixture, ["one", "reg.example.org:5000/two:x"])
        if !compressor.isEmpty { bytes = try Tar.through(compressor, bytes) }
        let other = try ImagesFixture()
        let loaded = try await other.loading(bytes)
        #expect(loaded.map(\.id) == [first, second])
        #expect(loaded.map { $0.references.map(\.familiar) } == [["one:1", "one:2"], ["reg.example.org:5000/two:x"]])
        for id in [first, second] {
            let (was, now) = (try await fixture.images.record(id), try await other.images.record(id))
            #expect(was?.manifest == now?.manifest, "an image keeps the digest it is pushed by")
            #expect(was?.configuration == now?.configuration)
        }
    }

    @Test("a layer that two images have is in the archive once")
    func sharedLayer() async throws {
        let fixture = try ImagesFixture()
        let layer = try Tar.text([("a", "1")])
        try await fixture.importing(layer, as: "one", message: "1")
        try await fixture.importing(layer, as: "two", message: "2")
        let found = try names(await saved(fixture, ["one", "two", "one:latest"]))
        // Two configurations, two manifests, one layer.
        #expect(found.count { $0.hasPrefix("blobs/sha256/") && $0.utf8.count > 20 } == 5)
        #expect(Set(found).count == found.count)
        #expect(found.suffix(4) == ["index.json", "manifest.json", "oci-layout", "repositories"])
    }

    @Test("the same images make the same archive")
    func deterministic() async throws {
        let fixture = try ImagesFixture()
        try await fixture.importing(Tar.text([("a", "1")]), as: "one")
        #expect(try await saved(fixture, ["one"]) == saved(fixture, ["one"]))
    }

    @Test("an image by its id has no name in the archive, one by its name only that one")
    func byID() async throws {
        let fixture = try ImagesFixture()
        let id = try await fixture.importing(Tar.text([("a", "1")]), as: "one:1")
        try await fixture.images.tag("one:1", as: ImageReference(parsing: "one:2"))
        let other = try ImagesFixture()
        let nameless = try await other.loading(saved(fixture, [id.short]))
        #expect(nameless.map(\.id) == [id] && nameless[0].references.isEmpty)
        let third = try ImagesFixture()
        let loaded = try await third.loading(saved(fixture, ["one:2"]))
        #expect(loaded.map { $0.references.map(\.familiar) } == [["one:2"]])
    }

    @Test("what is not there, or for no platform asked for, is told before a byte is written")
    func refusals() async throws {
        let fixture = try ImagesFixture()
        try await fixture.importing(Tar.text([("a", "1")]), as: "one")
        let unknown = await #expect(throws: ImagesError.self) { _ = try await saved(fixture, ["one", "nope"]) }
        #expect(unknown == ImagesError(.notFound, "No such image: nope:latest"))
        let platform = Platform(os: "linux", architecture: "s390x")
        let wrong = await #expect(throws: ImagesError.self) {
            _ = try await saved(fixture, ["one"], platforms: [platform])
        }
        #expect(wrong == ImagesError(.notFound, "no suitable export target found for platform linux/s390x"))
        #expect(try Files.read(fixture.directory.appending("saved.tar"), limit: 10) == [])
    }

    @Test("of an index within an index the platform asked for is loaded")
    func nestedIndex() async throws {
        let fixture = try ImagesFixture()
        let layer = try Tar.text([("a", "1")])
        func document(_ value: JSONValue) -> [UInt8] { value.serialized() }
        var files: [(String, [UInt8])] = []
        func blob(_ bytes: [UInt8], _ type: String, _ platform: JSONValue? = nil) -> JSONValue {
            let digest = digest(bytes)
            files.append(("blobs/sha256/\(digest.encoded)", bytes))
            var object: JSONValue = [
                "mediaType": .string(type), "digest": .string(digest.description), "size": .int(Int64(bytes.count)),
            ]
            if let platform, case .object(var fields) = object {
                fields["platform"] = platform
                object = .object(fields)
            }
            return object
        }
        var manifests: [JSONValue] = []
        for architecture in ["amd64", "arm64"] {
            let platform: JSONValue = ["architecture": .string(architecture), "os": "linux"]
            let layerDescriptor = blob(layer, MediaType.ociLayer)
            let configuration = blob(
                document([
                    "architecture": .string(architecture), "os": "linux",
                    "rootfs": ["type": "layers", "diff_ids": [.string(digest(layer).description)]],
                ]), MediaType.ociConfiguration)
            manifests.append(
                blob(
                    document([
                        "schemaVersion": 2, "mediaType": .string(MediaType.ociManifest), "config": configuration,
                        "layers": [layerDescriptor],
                    ]), MediaType.ociManifest, platform))
        }
        let inner = blob(
            document([
                "schemaVersion": 2, "mediaType": .string(MediaType.ociIndex), "manifests": .array(manifests),
            ]), MediaType.ociIndex)
        files.append(("index.json", document(["schemaVersion": 2, "manifests": [inner]])))
        files.append(("oci-layout", Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8)))
        let bytes = try Tar.make(Dictionary(files, uniquingKeysWith: { $1 }).sorted { $0.key < $1.key })
        let loaded = try await ImagesFixture.streaming(bytes) {
            try await fixture.images.load(
                from: $0, platforms: [Platform(os: "linux", architecture: "arm64", variant: "v8")])
        }
        let record = try #require(try await fixture.images.record(loaded[0].id))
        #expect(record.configuration.architecture == "arm64")
        let missing = await #expect(throws: ImagesError.self) {
            _ = try await ImagesFixture.streaming(bytes) {
                try await fixture.images.load(from: $0, platforms: [Platform(os: "linux", architecture: "s390x")])
            }
        }
        #expect(missing == ImagesError(.notFound, "the archive has no image for linux/s390x"))
    }
}
