import Archive
import Glibc
import Images
import JSON
import LinuxKernel
import OCISpec
import Snapshots
import SystemPackage
import Testing

@Suite(.enabled(if: geteuid() == 0, "snapshots need root"))
struct LoadTests {
    /// The parts of an image of two layers, of which the second hides a file of the first.
    struct Parts {
        let layers: [[UInt8]]
        let configuration: [UInt8]

        init(compressedWith command: String? = nil, marker: String = "1") throws {
            let plain = [
                try Tar.text([("etc/a", marker), ("etc/gone", "1")]),
                try Tar.text([("etc/.wh.gone", ""), ("etc/b", "2")]),
            ]
            let diffIDs = try plain.map { "\"\(try Self.digest($0))\"" }.joined(separator: ",")
            configuration = Array(
                """
                {"architecture":"amd64","os":"linux","created":"2024-01-02T03:04:05Z","config":{"Cmd":["sh"]},"history":[
                {"created_by":"first"},{"created_by":"CMD","empty_layer":true},{"created_by":"second"}],
                "rootfs":{"type":"layers","diff_ids":[\(diffIDs)]},"unknown":{"kept":true}}
                """.utf8)
            layers = if let command { try plain.map { try Tar.through(command, $0) } } else { plain }
        }

        static func digest(_ bytes: [UInt8]) throws -> Digest {
            let line = String(decoding: try Tar.through("sha256sum", bytes), as: UTF8.self)
            return try Digest(parsing: "sha256:" + line.prefix(64))
        }

        var id: Digest { get throws { try Self.digest(configuration) } }

        /// As `docker save` of versions before 25 makes it, the documents last.
        func dockerArchive(tags: [String] = ["app:1"], layers paths: [String]? = nil) throws -> [UInt8] {
            let config = "\(try id.encoded).json"
            let paths = paths ?? layers.indices.map { "layer\($0)/layer.tar" }
            let manifest = JSONValue.array([
                [
                    "Config": .string(config), "RepoTags": .array(tags.map(JSONValue.string)),
                    "Layers": .array(paths.map(JSONValue.string)),
                ]
            ])
            return try Tar.make(
                layers.enumerated().flatMap {
                    [("layer\($0)/VERSION", Array("1.0".utf8)), ("layer\($0)/layer.tar", $1)]
                }
                    + [(config, configuration), ("manifest.json", manifest.serialized())])
        }

        /// An OCI image layout, as other tools make it.
        func ociArchive(name: String?, mediaType: String, nested: Bool = false) throws -> [UInt8] {
            var files: [(String, [UInt8])] = [("oci-layout", Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8))]
            func blob(_ bytes: [UInt8], _ type: String) throws -> Descriptor {
                let digest = try Self.digest(bytes)
                files.append(("blobs/sha256/\(digest.encoded)", bytes))
                return Descriptor(mediaType: type, digest: digest, size: Int64(bytes.count))
            }
            let manifest = ImageManifest(
                config: try blob(configuration, MediaType.ociConfiguration),
                layers: try layers.map { try blob($0, mediaType) })
            var entry = try blob(try JSON.encode(manifest), MediaType.ociManifest)
            if nested {
                entry.platform = .host
                var other = entry
                other.platform = Platform(os: "linux", architecture: "s390x")
                entry = try blob(try JSON.encode(ImageIndex(manifests: [other, entry])), MediaType.ociIndex)
            }
            entry.annotations = name.map { [Annotation.containerdImageName: $0, Annotation.referenceName: "ignored"] }
            files.append(("index.json", try JSON.encode(ImageIndex(manifests: [entry]))))
            return try Tar.make(files)
        }
    }

    private func checkContents(_ fixture: ImagesFixture, _ image: Digest) async throws {
        try await fixture.images.prepareContainerSnapshot(key: "check", image: image)
        let target = fixture.directory.appending("mnt")
        mkdir(target.string, 0o755)
        for mount in try await fixture.images.mounts(key: "check") {
            let isBind = mount.type == "bind"
            try Mounts.mount(
                mount.source, on: target, type: isBind ? nil : mount.type, flags: isBind ? [.bind, .recursive] : [],
                data: isBind ? nil : mount.options.joined(separator: ","))
        }
        let names = try DirectoryListing.names(of: target.appending("etc")).map { String(decoding: $0, as: UTF8.self) }
        umount2(target.string, Int32(MNT_DETACH))
        #expect(names.sorted() == ["a", "b"])
        try await fixture.images.removeSnapshot(key: "check")
    }

    @Test("an archive of docker save is loaded, with its id, names, layers and history", arguments: ["overlay", "vfs"])
    func docker(driver: String) async throws {
        let fixture = try ImagesFixture(driver: driver)
        let parts = try Parts()
        let loaded = try await fixture.loading(parts.dockerArchive(tags: ["app:1", "reg.example:5000/app:2"]))
        #expect(loaded.map(\.id) == [try parts.id])
        #expect(loaded.first?.references.map(\.familiar) == ["app:1", "reg.example:5000/app:2"])
        let record = try await fixture.images.resolve("app:1")
        #expect(record.id == (try parts.id) && record.configuration.config?.cmd == ["sh"])
        #expect(record.repositoryTags == ["app:1", "reg.example:5000/app:2"])
        // The configuration is kept byte for byte, also what is not understood.
        #expect(try fixture.images.content.read(record.id) == parts.configuration)
        let history = try await fixture.images.history("app:1")
        #expect(history.map(\.createdBy) == ["second", "CMD", "first"])
        #expect(history.map(\.size) == [1, 0, 2])
        #expect(history.map(\.id) == [record.id.description, "<missing>", "<missing>"])
        try await checkContents(fixture, record.id)
    }

    @Test("an archive compressed as a whole, and layers compressed one by one", arguments: ["gzip", "xz -1", "bzip2"])
    func compressed(command: String) async throws {
        let fixture = try ImagesFixture()
        let whole = try Parts()
        #expect(try await fixture.loading(Tar.through(command, whole.dockerArchive())).first?.id == whole.id)
        let each = try Parts(compressedWith: command, marker: "other")
        #expect(try await fixture.loading(each.dockerArchive()).first?.id == each.id)
        try await checkContents(fixture, each.id)
    }

    @Test("layers that are links to each other, as old versions of docker save have them")
    func links() async throws {
        let fixture = try ImagesFixture()
        let layer = try Tar.text([("etc/a", "1"), ("etc/b", "2")])
        let diffID = try Parts.digest(layer)
        let empty = try Tar.text([])
        let emptyID = try Parts.digest(empty)
        let configuration = Array(
            #"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["\#(diffID)","\#(emptyID)","\#(emptyID)"]}}"#
                .utf8)
        nonisolated(unsafe) var bytes: [UInt8] = []
        var writer = TarWriter { bytes += $0 }
        func file(_ name: String, _ data: [UInt8]) throws {
            var entry = TarEntry(kind: .file, name: Array(name.utf8), mode: 0o644)
            entry.size = Int64(data.count)
            try writer.add(entry)
            try writer.write(data)
        }
        func link(_ name: String, _ target: String, _ kind: TarEntry.Kind) throws {
            var entry = TarEntry(kind: kind, name: Array(name.utf8), mode: 0o777)
            entry.linkName = Array(target.utf8)
            try writer.add(entry)
        }
        try file("one/layer.tar", layer)
        try file("two/layer.tar", empty)
        try link("three/layer.tar", "../two/layer.tar", .symbolicLink)
        try link("alias.json", "./c.json", .hardLink)
        try file("c.json", configuration)
        try file(
            "manifest.json",
            Array(
                #"[{"Config":"alias.json","RepoTags":null,"Layers":["one/layer.tar","two/layer.tar","three/layer.tar"]}]"#
                    .utf8))
        try writer.finish()
        let loaded = try await fixture.loading(bytes)
        #expect(loaded.count == 1 && loaded[0].references.isEmpty)
        try await checkContents(fixture, loaded[0].id)
    }

    @Test(
        "an OCI image layout is loaded under the name its annotations give",
        arguments: [
            ("cat", MediaType.ociLayer, false), ("gzip", MediaType.ociLayerGzip, false),
            ("gzip", MediaType.dockerLayerGzip, true),
        ])
    func oci(command: String, mediaType: String, nested: Bool) async throws {
        let fixture = try ImagesFixture()
        let parts = try Parts(compressedWith: command)
        let loaded = try await fixture.loading(
            parts.ociArchive(name: "quay.io/x/app:9", mediaType: mediaType, nested: nested))
        #expect(loaded.first?.references.map(\.familiar) == ["quay.io/x/app:9"])
        let record = try await fixture.images.resolve("quay.io/x/app:9")
        #expect(record.id == (try parts.id))
        #expect(try await fixture.images.resolve("quay.io/x/app@\(record.manifest)").id == record.id)
        try await checkContents(fixture, record.id)
        #expect(
            try await fixture.loading(parts.ociArchive(name: nil, mediaType: mediaType)).first?.references.isEmpty
                == true)
    }

    @Test("an image that is here already is loaded without a second copy of anything")
    func again() async throws {
        let fixture = try ImagesFixture()
        let parts = try Parts()
        try await fixture.loading(parts.dockerArchive())
        let before = try await fixture.inventory()
        try await fixture.loading(parts.dockerArchive())
        #expect(try await fixture.inventory() == before)
    }

    @Test("images that share layers share their snapshots")
    func sharing() async throws {
        let fixture = try ImagesFixture()
        let parts = try Parts()
        try await fixture.loading(parts.dockerArchive())
        let twin = Array(
            String(decoding: parts.configuration, as: UTF8.self).replacing("\"sh\"", with: "\"bash\"").utf8)
        let manifest = #"[{"Config":"c.json","RepoTags":["twin:1"],"Layers":["a","b"]}]"#
        try await fixture.loading(
            Tar.make([
                ("a", parts.layers[0]), ("b", parts.layers[1]), ("c.json", twin),
                ("manifest.json", Array(manifest.utf8)),
            ]))
        #expect(try await fixture.inventory().contains("snapshot: 2"))
        let sizes = try await fixture.images.list(sharedSize: true).map(\.sharedSize)
        #expect(sizes == [3, 3])
        // Removing one leaves the other whole.
        _ = try await fixture.images.remove("app:1", users: { _ in [] })
        try await checkContents(fixture, fixture.images.resolve("twin:1").id)
        _ = try await fixture.images.remove("twin:1", users: { _ in [] })
        #expect(try await fixture.inventory().filter { !$0.hasSuffix(": 0") }.isEmpty)
    }

    struct Bad: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let archive: @Sendable () throws -> [UInt8]
        let expected: String
    }

    @Test(
        "a bad archive leaves nothing behind, whatever is wrong with it", arguments: ["overlay", "vfs"],
        [
            Bad(
                testDescription: "no images", archive: { try Tar.text([("a", "b")]) },
                expected: "the archive has no images"),
            Bad(testDescription: "empty", archive: { [] }, expected: "the archive has no images"),
            Bad(
                testDescription: "a manifest that is no JSON", archive: { try Tar.text([("manifest.json", "[{")]) },
                expected: "manifest.json"),
            Bad(
                testDescription: "a missing configuration",
                archive: { try Tar.text([("manifest.json", #"[{"Config":"c.json","Layers":[]}]"#)]) },
                expected: "c.json is missing"),
            Bad(
                testDescription: "a missing layer",
                archive: { try Parts().dockerArchive(layers: ["layer0/layer.tar", "nowhere"]) },
                expected: "nowhere is missing"),
            Bad(
                testDescription: "a layer too few",
                archive: { try Parts().dockerArchive(layers: ["layer0/layer.tar"]) }, expected: "expected 2, got 1"),
            Bad(
                testDescription: "layers in the wrong order",
                archive: { try Parts().dockerArchive(layers: ["layer1/layer.tar", "layer0/layer.tar"]) },
                expected: "instead of"),
            Bad(
                testDescription: "a bad name", archive: { try Parts().dockerArchive(tags: ["UPPER"]) },
                expected: "must be lowercase"),
            Bad(
                testDescription: "an entry above the archive", archive: { try Tar.text([("../x", "y")]) },
                expected: "leads out"),
            Bad(
                testDescription: "cut off", archive: { Array(try Parts().dockerArchive().prefix(3000)) },
                expected: "unexpected end"),
            Bad(
                testDescription: "a blob that is not what its name says",
                archive: {
                    let bytes = try Parts().ociArchive(name: "a:1", mediaType: MediaType.ociLayer)
                    let text = Array(#""Cmd":["sh"]"#.utf8)
                    let position = bytes.indices.first { bytes[$0...].starts(with: text) } ?? 0
                    return bytes.enumerated().map { $0.offset == position + 8 ? UInt8(ascii: "x") : $0.element }
                }, expected: "blob"),
            Bad(
                testDescription: "a second layer that is hostile",
                archive: {
                    let (good, bad) = (try Tar.text([("a", "1")]), try Tar.text([("../../x", "1")]))
                    let configuration =
                        #"{"rootfs":{"type":"layers","diff_ids":["\#(try Parts.digest(good))","\#(try Parts.digest(bad))"]}}"#
                    return try Tar.make([
                        ("g", good), ("b", bad), ("c.json", Array(configuration.utf8)),
                        ("manifest.json", Array(#"[{"Config":"c.json","RepoTags":["x:1"],"Layers":["g","b"]}]"#.utf8)),
                    ])
                }, expected: "leads out"),
        ])
    func bad(driver: String, example: Bad) async throws {
        let fixture = try ImagesFixture(driver: driver)
        let before = try await fixture.inventory()
        let bytes = try example.archive()
        let error = await #expect(throws: ImagesError.self) { try await fixture.loading(bytes) }
        #expect(error?.kind == .invalid)
        #expect(error?.message.contains(example.expected) == true, "\(error?.message ?? "")")
        #expect(try await fixture.inventory() == before)
    }

    @Test(
        "an archive that does not fit on the disk leaves nothing behind",
        .enabled(if: geteuid() == 0, "mounting needs root"))
    func fullDisk() async throws {
        let disk = try SmallDisk("16m")
        defer { disk.remove() }
        let fixture = try ImagesFixture(directory: disk.path)
        let before = try await fixture.inventory()
        // Fits as an archive, but not unpacked as well.
        let layer = try Tar.make((0..<9).map { ("f\($0)", [UInt8](repeating: 1, count: 1 << 20)) })
        let configuration = #"{"rootfs":{"type":"layers","diff_ids":["\#(try Parts.digest(layer))"]}}"#
        let archive = try Tar.make([
            ("l", layer), ("c.json", Array(configuration.utf8)),
            ("manifest.json", Array(#"[{"Config":"c.json","RepoTags":["x:1"],"Layers":["l"]}]"#.utf8)),
        ])
        let error = await #expect(throws: ImagesError.self) { try await fixture.loading(archive) }
        #expect(
            error?.kind == .system && error?.message.contains("No space left on device") == true,
            "\(error?.message ?? "")")
        #expect(try await fixture.inventory() == before)
    }

    @Test("several loads of the same image at the same time are one image")
    func concurrent() async throws {
        let fixture = try ImagesFixture()
        let archive = try Parts().dockerArchive()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<6 { group.addTask { try await fixture.loading(archive) } }
            try await group.waitForAll()
        }
        #expect(try await fixture.inventory().contains("snapshot: 2"))
        try await checkContents(fixture, fixture.images.resolve("app:1").id)
    }
}
