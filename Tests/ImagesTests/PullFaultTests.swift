import Hashing
import Distribution
import FaultyRegistry
import Glibc
import Images
import LinuxKernel
import OCISpec
import SystemPackage
import Testing

@Suite("pulls that go wrong")
struct PullFaultTests {
    @Test("a connection that breaks is taken up where it broke", arguments: [25, 50, 75])
    func dropped(percent: Int) async throws {
        let fixture = try ImagesFixture()
        try await FaultyRegistry.run { registry in
            let layer = try PullTests.layer("a", 4_000_000)
            try registry.add(image: [layer], to: "app", as: "1")
            registry.fail("GET", "\(ContentHasher.digest(of: layer))", .dropped(after: layer.count * percent / 100))
            _ = try await PullTests.pull(fixture.images, try PullTests.name(registry))
            let asked = registry.asked.filter { $0.path.contains("\(ContentHasher.digest(of: layer))") }
            #expect(asked.map { $0.headers.first(name: "Range") } == [nil, "bytes=\(layer.count * percent / 100)-"])
        }
    }

    @Test("after a pull that failed the next one fetches only what is missing", arguments: [25, 50, 75])
    func resumed(percent: Int) async throws {
        let fixture = try ImagesFixture(registries: .withoutRetries)
        try await FaultyRegistry.run { registry in
            let (layer, other) = (try PullTests.layer("a", 4_000_000), try PullTests.layer("b", 1000))
            try registry.add(image: [other, layer], to: "app", as: "1")
            registry.fail("GET", "\(ContentHasher.digest(of: layer))", .dropped(after: layer.count * percent / 100))
            let reference = try PullTests.name(registry)
            await #expect(throws: ImagesError.self) { try await fixture.images.pull(reference) }
            #expect(try await fixture.images.list().isEmpty)
            // As after a crash: the same directory, opened anew.
            let (_, images) = try ImagesFixture.open(fixture.directory, "overlay", .withoutRetries)
            let bytes = registry.blobBytes
            try await images.pull(reference)
            let configuration = try await images.resolve(reference.description).id
            let size = try #require(registry.blob(configuration)).count
            // The small layer may have come whole before, or not begun.
            let most = layer.count - layer.count * percent / 100 + size + other.count
            #expect(registry.blobBytes - bytes <= most)
            #expect(try images.content.verify(ContentHasher.digest(of: layer)))
        }
    }

    @Test("a registry that knows no ranges sends all of it again, and the image is right")
    func withoutRanges() async throws {
        let fixture = try ImagesFixture()
        try await FaultyRegistry.run { registry in
            let layer = try PullTests.layer("a", 1_000_000)
            try registry.add(image: [layer], to: "app", as: "1")
            registry.ignoreRanges()
            registry.fail("GET", "\(ContentHasher.digest(of: layer))", .dropped(after: 500_000))
            _ = try await PullTests.pull(fixture.images, try PullTests.name(registry))
            #expect(try fixture.images.content.verify(ContentHasher.digest(of: layer)))
        }
    }

    enum Wrong: String, CaseIterable, CustomTestStringConvertible {
        case corrupted = "verification failed"
        case shorter = "instead of"
        case longer = "instead of "

        var testDescription: String { "\(self)" }

        var fault: FaultyRegistry.Fault {
            switch self {
            case .corrupted: .corrupted
            case .shorter: .resized(-10)
            case .longer: .resized(10)
            }
        }
    }

    @Test("a blob that is not what its digest and size say is refused and leaves nothing", arguments: Wrong.allCases)
    func wrongContent(_ wrong: Wrong) async throws {
        let fixture = try ImagesFixture()
        try await FaultyRegistry.run { registry in
            let layer = try PullTests.layer("a", 300_000)
            try registry.add(image: [layer], to: "app", as: "1")
            registry.fail("GET", "\(ContentHasher.digest(of: layer))", wrong.fault)
            let reference = try PullTests.name(registry)
            let error = await #expect(throws: ImagesError.self) { try await fixture.images.pull(reference) }
            #expect(error?.message.contains(wrong.rawValue) == true, "\(String(describing: error))")
            let left = try await fixture.inventory().filter {
                $0.hasPrefix("content/blobs") || $0.hasPrefix("snapshots/overlay/")
            }
            #expect(left.isEmpty, "\(left)")
            #expect(try Self.resumable(fixture).isEmpty)
            try await fixture.images.pull(reference)
        }
    }

    private static func resumable(_ fixture: ImagesFixture) throws -> [String] {
        let folder = fixture.directory.appending("content/ingest/resumable")
        return try DirectoryListing.names(of: folder).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test(
        "a layer that unpacks to something else than the image says is refused and leaves nothing",
        arguments: ["overlay", "vfs"])
    func wrongDiffID(driver: String) async throws {
        let fixture = try ImagesFixture(driver: driver)
        try await FaultyRegistry.run { registry in
            let layers = [try PullTests.layer("a", 10000), try PullTests.layer("b", 10000)]
            let wrong = [ContentHasher.digest(of: layers[0]), ContentHasher.digest(of: [1, 2, 3])]
            try registry.add(image: layers, diffIDs: wrong, to: "app", as: "1")
            let reference = try PullTests.name(registry)
            let error = await #expect(throws: ImagesError.self) { try await fixture.images.pull(reference) }
            #expect(error?.message.contains("but the image's configuration says \(wrong[1])") == true)
            let left = try await fixture.inventory().filter {
                $0.hasPrefix("content/blobs") || $0.hasPrefix("snapshots/\(driver)/")
            }
            #expect(left.isEmpty, "\(left)")
        }
    }

    @Test("an image that is wrong about a layer does no harm to another pull of that layer")
    func sharedLayer() async throws {
        let fixture = try ImagesFixture()
        try await FaultyRegistry.run { registry in
            let (shared, late) = (try PullTests.layer("a", 100_000), try PullTests.layer("b", 10000))
            try registry.add(image: [shared, late], to: "good", as: "1")
            try registry.add(image: [shared], diffIDs: [ContentHasher.digest(of: [1, 2, 3])], to: "bad", as: "1")
            // Long enough for the other pull to begin and to end.
            registry.fail("GET", "\(ContentHasher.digest(of: late))", times: 2, .status(503, ["Retry-After": "1"]))
            let good = try PullTests.name(registry, "good:1")
            let bad = try PullTests.name(registry, "bad:1")
            let pull = Task { try await fixture.images.pull(good) }
            for _ in 0..<4000 where registry.count("GET", "\(ContentHasher.digest(of: late))") < 1 {
                try await Task.sleep(for: .milliseconds(5))
            }
            await #expect(throws: ImagesError.self) { try await fixture.images.pull(bad) }
            _ = try await pull.value
        }
    }

    @Test("what an earlier try left and does not fit is thrown away, and the pull succeeds")
    func staleRemains() async throws {
        let fixture = try ImagesFixture(registries: .withoutRetries)
        try await FaultyRegistry.run { registry in
            let layer = try PullTests.layer("a", 1_000_000)
            let digest = ContentHasher.digest(of: layer)
            try registry.add(image: [layer], to: "app", as: "1")
            let ingest = try fixture.images.content.ingest(resuming: "sha256-\(digest.encoded)")
            try ingest.write([UInt8](repeating: 1, count: 5000))
            try await fixture.images.pull(try PullTests.name(registry))
            #expect(try fixture.images.content.verify(digest))
        }
    }

    @Test("servers that have trouble are asked again", arguments: [500, 502, 503, 429])
    func trouble(status: Int) async throws {
        let fixture = try ImagesFixture()
        try await FaultyRegistry.run { registry in
            try registry.add(image: [try PullTests.layer("a", 1000)], to: "app", as: "1")
            for path in ["/manifests/", "/blobs/"] {
                registry.fail("GET", path, times: 2, .status(status, ["Retry-After": "0"]))
            }
            _ = try await PullTests.pull(fixture.images, try PullTests.name(registry))
        }
    }

    @Test("a token that has expired is replaced")
    func expiredToken() async throws {
        let fixture = try ImagesFixture()
        try await FaultyRegistry.run { registry in
            try registry.add(image: [try PullTests.layer("a", 1000)], to: "app", as: "1")
            registry.protect("me:secret", withTokens: true)
            let reference = try PullTests.name(registry)
            let credentials = RegistryCredentials.password(user: "me", password: "secret")
            try await fixture.images.pull(reference, credentials: credentials) { step in
                if step.status.hasPrefix("Pulling from") { registry.expireTokens() }
            }
            #expect(registry.count("GET", "/token") == 2)
        }
    }

    @Test("an image that does not fit on the disk leaves nothing behind", .enabled(if: geteuid() == 0, "needs root"))
    func fullDisk() async throws {
        let disk = try SmallDisk("16m")
        defer { disk.remove() }
        let fixture = try ImagesFixture(directory: disk.path)
        let before = try await fixture.inventory()
        try await FaultyRegistry.run { registry in
            // The blob fits; unpacked as well it does not.
            try registry.add(image: [try PullTests.layer("a", 9 << 20)], to: "app", as: "1")
            let reference = try PullTests.name(registry)
            let error = await #expect(throws: ImagesError.self) { try await fixture.images.pull(reference) }
            #expect(
                error?.kind == .system && error?.message.contains("No space left on device") == true,
                "\(String(describing: error))")
            let left = try await fixture.inventory().filter { $0 != "content/ingest/resumable" }
            #expect(left == before)
            #expect(try Self.resumable(fixture).isEmpty)
        }
    }

    @Test("what unfinished pulls have left can be removed")
    func removesUnfinished() async throws {
        let fixture = try ImagesFixture(registries: .withoutRetries)
        try await FaultyRegistry.run { registry in
            let layer = try PullTests.layer("a", 100_000)
            try registry.add(image: [layer], to: "app", as: "1")
            registry.fail("GET", "\(ContentHasher.digest(of: layer))", .dropped(after: 50_000))
            let reference = try PullTests.name(registry)
            await #expect(throws: ImagesError.self) { try await fixture.images.pull(reference) }
            #expect(try Self.resumable(fixture).count == 1)
            var filtered = PruneFilters()
            filtered.labels = ["a"]
            #expect(try await fixture.images.prune(filtered) { _ in [] }.reclaimed == 0)
            #expect(try Self.resumable(fixture).count == 1)
            #expect(try await fixture.images.prune(PruneFilters()) { _ in [] }.reclaimed > 0)
            #expect(try Self.resumable(fixture).isEmpty)
            #expect(try await fixture.inventory().allSatisfy { !$0.contains("aside") })
        }
    }

    @Test("a layer that is what its digest says and no archive all the same is not kept")
    func senseless() async throws {
        let fixture = try ImagesFixture(registries: .withoutRetries)
        try await FaultyRegistry.run { registry in
            try registry.add(image: [Array(repeating: 7, count: 5000)], to: "app", as: "1")
            let reference = try PullTests.name(registry)
            await #expect(throws: ImagesError.self) { try await fixture.images.pull(reference) }
            #expect(try Self.resumable(fixture).isEmpty)
        }
    }

    @Test("a blob that the registry does not have is told as such, and nothing is kept for it")
    func missingBlob() async throws {
        let fixture = try ImagesFixture(registries: .withoutRetries)
        try await FaultyRegistry.run { registry in
            let layer = try PullTests.layer("a", 1000)
            try registry.add(image: [layer], to: "app", as: "1")
            registry.fail("GET", "\(ContentHasher.digest(of: layer))", times: 10, .status(404, [:]))
            let reference = try PullTests.name(registry)
            let error = await #expect(throws: ImagesError.self) { try await fixture.images.pull(reference) }
            #expect(error?.message.contains("manifest for") == false, "\(String(describing: error))")
            #expect(try Self.resumable(fixture).isEmpty)
        }
    }

    @Test("a pull that is cancelled keeps what it has for the next one")
    func cancelled() async throws {
        let fixture = try ImagesFixture()
        try await FaultyRegistry.run { registry in
            let layer = try PullTests.layer("a", 2_000_000)
            let digest = ContentHasher.digest(of: layer)
            try registry.add(image: [layer], to: "app", as: "1")
            // It breaks off again and again, so that it cannot end before it is cancelled.
            registry.fail("GET", "\(digest)", .dropped(after: 1_000_000))
            registry.fail("GET", "\(digest)", times: 1000, .status(503, ["Retry-After": "1"]))
            let reference = try PullTests.name(registry)
            let pull = Task {
                try await fixture.images.pull(reference)
            }
            for _ in 0..<4000 where registry.count("GET", "\(digest)") < 2 {
                try await Task.sleep(for: .milliseconds(5))
            }
            pull.cancel()
            await #expect(throws: CancellationError.self) { try await pull.value }
            #expect(try Self.resumable(fixture) == ["sha256-\(digest.encoded)"])
            #expect(try await fixture.images.list().isEmpty)
        }
    }

    @Test("a large layer comes over several connections, in order, whatever breaks")
    func ranges() async throws {
        var settings = RegistrySettings.forTests
        settings.ranges.threshold = 1_000_000
        settings.ranges.chunk = 300_000
        let fixture = try ImagesFixture(registries: settings)
        try await FaultyRegistry.run { registry in
            let layer = try PullTests.layer("a", 4_000_000)
            let digest = ContentHasher.digest(of: layer)
            try registry.add(image: [layer], to: "app", as: "1")
            registry.fail("GET", "\(digest)", times: 3, .dropped(after: 100_000))
            registry.fail("GET", "\(digest)", times: 2, .status(500))
            _ = try await PullTests.pull(fixture.images, try PullTests.name(registry))
            #expect(registry.count("GET", "\(digest)") > layer.count / 300_000)
            #expect(try fixture.images.content.verify(digest))
            let configuration = try await fixture.images.resolve(try PullTests.name(registry).description).id
            #expect(registry.blobBytes == layer.count + (registry.blob(configuration)?.count ?? 0))
        }
    }

    @Test(
        "a layer that is no archive, or that lies outside of the registry, is named",
        arguments: [
            ("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", nil, "which is not that of an archive of files"),
            ("application/vnd.cncf.helm.chart.content.v1.tar+gzip", nil, "which is not that of an archive of files"),
            (
                "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "https://elsewhere.test/layer",
                "it lies at https://elsewhere.test/layer"
            ),
        ] as [(String, String?, String)])
    func strangeLayers(_ type: String, _ url: String?, _ words: String) async throws {
        let fixture = try ImagesFixture()
        let before = try await fixture.inventory()
        try await FaultyRegistry.run { registry in
            let layer = try PullTests.layer("a", 1000)
            let image = try registry.add(image: [layer], to: "app", as: "1", layerType: type)
            if let url {
                let text = String(decoding: image.bytes, as: UTF8.self)
                let size = "\"size\":\(layer.count)"
                registry.state(
                    replacing: "app/1", with: Array(text.replacing(size, with: size + ",\"urls\":[\"\(url)\"]").utf8))
            }
            let error = await #expect(throws: ImagesError.self) {
                _ = try await PullTests.pull(fixture.images, try PullTests.name(registry))
            }
            let digest = ContentHasher.digest(of: layer)
            #expect(error?.message.contains("layer \(digest)") == true && error?.message.contains(type) == true)
            #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
        }
        #expect(try await fixture.inventory() == before)
    }

    @Test("a media type that a registry has chosen cannot command a terminal")
    func mediaTypeWithEscapes() async throws {
        let fixture = try ImagesFixture()
        try await FaultyRegistry.run { registry in
            try registry.add(
                image: [try PullTests.layer("a", 1000)], to: "app", as: "1", layerType: "x/\u{1B}]0;title\u{7}")
            let error = await #expect(throws: ImagesError.self) {
                _ = try await PullTests.pull(fixture.images, try PullTests.name(registry))
            }
            #expect(error?.message.contains("x/\\u001b]0;title\\u0007") == true, "\(error?.message ?? "")")
        }
    }
}
