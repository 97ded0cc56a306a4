import Hashing
import Archive
import ContentStore
import JSON
import OCISpec

/// An image as found in an archive.
struct ArchivedImage: Sendable {
    struct Layer: Sendable {
        /// The path in the archive, for messages.
        let name: String
        let blob: LayerBlob
        let diffID: Digest
    }

    let configuration: [UInt8]
    /// As found; `nil` where the archive has none, as those of `docker save`.
    let manifest: [UInt8]?
    /// Lowest first.
    let layers: [Layer]
    let references: [ImageReference]

    var diffIDs: [Digest] { layers.map(\.diffID) }

    func newImage() throws -> NewImage {
        NewImage(
            configuration: configuration, manifest: try manifest ?? madeManifest(), layers: layers.map(\.blob.digest),
            diffIDs: diffIDs, references: references)
    }

    private func madeManifest() throws -> [UInt8] {
        let descriptors = try layers.map { layer in
            let file = try layer.blob.reading()
            defer { try? file.close() }  // only read from
            let magic = try PeekedSource(peeking: Compression.magicLength, from: DescriptorSource(file)).peeked
            return Descriptor(
                mediaType: Compression(magic: magic).layerMediaType, digest: layer.blob.digest, size: layer.blob.size)
        }
        return try Images.manifest(configuration: configuration, layers: descriptors)
    }
}

/// The archives of `docker save`: `manifest.json` lists configurations, tags and layers.
enum DockerArchive {
    private struct Item: Decodable {
        let Config: String
        let RepoTags: [String]?
        let Layers: [String]?
    }

    static func images(in archive: SpooledArchive, for platform: Platform?) throws -> [ArchivedImage] {
        guard let manifest = try archive.file("manifest.json") else { return [] }
        let manifests = OCIArchive.manifests(in: archive)
        let images = try decode([Item].self, manifest, "manifest.json").compactMap {
            try image($0, in: archive, manifests, for: platform)
        }
        if let platform, images.isEmpty {
            throw ImagesError(.notFound, "the archive has no image for \(platform)")
        }
        return images
    }

    private static func image(
        _ item: Item, in archive: SpooledArchive, _ manifests: [Digest: [UInt8]], for platform: Platform?
    ) throws -> ArchivedImage? {
        guard let document = try archive.file(item.Config) else {
            throw ImagesError(.invalid, "invalid archive: the configuration \(item.Config) is missing")
        }
        let configuration = try decode(ImageConfiguration.self, document, item.Config)
        if let platform, !configuration.platform.satisfies(platform) { return nil }
        let diffIDs = configuration.rootfs.diffIDs
        let paths = item.Layers ?? []
        guard paths.count == diffIDs.count else {
            throw ImagesError(
                .invalid, "invalid manifest, layers length mismatch: expected \(diffIDs.count), got \(paths.count)")
        }
        let layers = try zip(paths, diffIDs).map { path, diffID in
            guard let blob = try archive.blob(path) else {
                throw ImagesError(.invalid, "invalid archive: the layer \(path) is missing")
            }
            return ArchivedImage.Layer(name: path, blob: .ingest(blob), diffID: diffID)
        }
        let references = try (item.RepoTags ?? []).map { try ImageReference(parsing: $0).withDefaultTag }
        // Archives that are an image layout as well have the manifest; with it the image keeps its digest.
        let manifest = manifests[ContentHasher.digest(of: document)].flatMap { text -> [UInt8]? in
            // It was read once already; one that does not fit is made anew.
            let layersOfManifest = try? JSON.decode(ImageManifest.self, from: text).layers.map(\.digest)
            return layersOfManifest == layers.map(\.blob.digest) ? text : nil
        }
        return ArchivedImage(configuration: document, manifest: manifest, layers: layers, references: references)
    }
}

/// OCI image layouts in an archive (image-spec, image-layout.md), as `skopeo`, `buildah` and `docker buildx` make them.
enum OCIArchive {
    static func images(in archive: SpooledArchive, for platform: Platform?) throws -> [ArchivedImage] {
        guard let document = try archive.file("index.json") else {
            throw ImagesError(
                .invalid,
                "the archive has no images: it has neither a manifest.json (docker save) nor an index.json (OCI)")
        }
        let index = try decode(ImageIndex.self, document, "index.json")
        var images: [ArchivedImage] = []
        for entry in index.manifests {
            guard let image = try image(entry, in: archive, for: platform, depth: 0) else { continue }
            images.append(image)
        }
        guard !images.isEmpty else {
            throw ImagesError(
                platform == nil ? .invalid : .notFound, "the archive has no image for \(platform ?? .host)")
        }
        return images
    }

    /// The manifests at the top of the layout, by the digest of their configuration. What is wrong with them is no
    /// error here: the archive's other list of images is complete by itself.
    static func manifests(in archive: SpooledArchive) -> [Digest: [UInt8]] {
        guard let document = try? archive.file("index.json"),
            let index = try? JSON.decode(ImageIndex.self, from: document)
        else { return [:] }
        var manifests: [Digest: [UInt8]] = [:]
        for entry in index.manifests where MediaType.isManifest(entry.mediaType) {
            guard let document = try? self.document(entry, in: archive),
                let manifest = try? JSON.decode(ImageManifest.self, from: document)
            else { continue }
            manifests[manifest.config.digest] = document
        }
        return manifests
    }

    /// The image an entry of an index stands for; of an index, the one for this machine. `nil` if it is no image.
    private static func image(
        _ entry: Descriptor, in archive: SpooledArchive, for platform: Platform?, depth: Int
    ) throws -> ArchivedImage? {
        if entry.annotations?[Annotation.dockerReferenceType] != nil || entry.platform?.os == "unknown" { return nil }
        let document = try self.document(entry, in: archive)
        if MediaType.isIndex(entry.mediaType) {
            guard depth < 4 else { throw ImagesError(.invalid, "invalid archive: the indexes are nested too deeply") }
            let index = try decode(ImageIndex.self, document, entry.digest.description)
            let fitting = index.manifests.first { $0.platform?.satisfies(platform ?? .host) ?? false }
            let images = index.manifests.filter { $0.annotations?[Annotation.dockerReferenceType] == nil }
            guard var chosen = fitting ?? (images.count == 1 ? images.first : nil) else { return nil }
            chosen.annotations = (chosen.annotations ?? [:]).merging(entry.annotations ?? [:]) { $1 }
            return try image(chosen, in: archive, for: platform, depth: depth + 1)
        }
        guard MediaType.isManifest(entry.mediaType) else { return nil }
        let manifest = try decode(ImageManifest.self, document, entry.digest.description)
        let configuration = try self.document(manifest.config, in: archive)
        let decoded = try decode(ImageConfiguration.self, configuration, manifest.config.digest.description)
        if let platform, !decoded.platform.satisfies(platform) { return nil }
        let diffIDs = decoded.rootfs.diffIDs
        guard manifest.layers.count == diffIDs.count else {
            throw ImagesError(
                .invalid,
                "invalid manifest, layers length mismatch: expected \(diffIDs.count), got \(manifest.layers.count)")
        }
        for layer in manifest.layers { try layer.requireLayer(of: "invalid archive") }
        let layers = try zip(manifest.layers, diffIDs).map { descriptor, diffID in
            guard let blob = try archive.blob(path(descriptor.digest)) else {
                throw ImagesError(.invalid, "invalid archive: the layer \(descriptor.digest) is missing")
            }
            try check(blob.digest, blob.size, descriptor)
            return ArchivedImage.Layer(name: descriptor.digest.description, blob: .ingest(blob), diffID: diffID)
        }
        return ArchivedImage(
            configuration: configuration, manifest: document, layers: layers, references: references(entry))
    }

    private static func path(_ digest: Digest) -> String { "blobs/\(digest.algorithm.rawValue)/\(digest.encoded)" }

    private static func document(_ descriptor: Descriptor, in archive: SpooledArchive) throws -> [UInt8] {
        guard let bytes = try archive.file(path(descriptor.digest)) else {
            throw ImagesError(.invalid, "invalid archive: the blob \(descriptor.digest) is missing")
        }
        try check(ContentHasher.digest(of: bytes), Int64(bytes.count), descriptor)
        return bytes
    }

    private static func check(_ digest: Digest, _ size: Int64, _ descriptor: Descriptor) throws {
        guard descriptor.digest.algorithm == .sha256 else {
            throw ImagesError(.invalid, "blob \(descriptor.digest): only sha256 is supported")
        }
        guard digest == descriptor.digest, size == descriptor.size else {
            throw ImagesError(
                .invalid,
                "invalid archive: blob \(descriptor.digest) should have \(descriptor.size) bytes, but the data has the "
                    + "digest \(digest) and \(size) bytes"
            )
        }
    }

    /// The names that annotations give. A bare tag names nothing: the repository is not known.
    private static func references(_ entry: Descriptor) -> [ImageReference] {
        for key in [Annotation.containerdImageName, Annotation.referenceName] {
            guard let name = entry.annotations?[key], name.contains(":") || name.contains("/") else { continue }
            // What is no reference is somebody else's use of the annotation.
            if let reference = try? ImageReference(parsing: name) { return [reference.withDefaultTag] }
        }
        return []
    }
}

/// Reads a document of an archive, saying which one is wrong.
private func decode<T: Decodable>(_ type: T.Type, _ document: [UInt8], _ name: String) throws -> T {
    do {
        return try JSON.decode(type, from: document)
    } catch {
        throw ImagesError(.invalid, "invalid archive: \(name): \(error)")
    }
}
