import Archive
import ContentStore
import JSON
import OCISpec
import SystemPackage

/// What is to be written: images and their blobs.
struct ImageArchive {
    struct Image {
        let id: Digest
        let manifest: Descriptor
        let layers: [Descriptor]
        let diffIDs: [Digest]
        var references: [ImageReference] = []

        init(_ record: ImageRecord, in content: ContentStore) throws {
            id = record.id
            let document = try content.read(record.manifest)
            let decoded = try JSON.decode(ImageManifest.self, from: document)
            manifest = Descriptor(
                mediaType: decoded.mediaType ?? MediaType.ociManifest, digest: record.manifest,
                size: Int64(document.count), platform: record.configuration.platform)
            layers = decoded.layers
            diffIDs = record.configuration.rootfs.diffIDs
        }
    }

    private struct Blob {
        let file: OpenBlob
        let size: Int64
    }

    let images: [Image]
    private var blobs: [Digest: Blob] = [:]

    init(_ images: [Image], content: ContentStore) throws {
        self.images = images
        for image in images {
            for digest in [image.id, image.manifest.digest] + image.layers.map(\.digest) where blobs[digest] == nil {
                guard let size = content.size(of: digest) else { throw ContentError.notFound(digest) }
                blobs[digest] = Blob(file: OpenBlob(try content.open(digest)), size: size)
            }
        }
    }

    func write(to sink: DescriptorSink) throws {
        var writer = TarWriter { (bytes: UnsafeRawBufferPointer) throws(ArchiveError) in try sink.write(bytes) }
        try writer.add(Self.directory("blobs/"))
        var algorithm: Digest.Algorithm?
        for (digest, blob) in blobs.sorted(by: { $0.key < $1.key }) {
            if algorithm != digest.algorithm {
                algorithm = digest.algorithm
                try writer.add(Self.directory("blobs/\(digest.algorithm.rawValue)/"))
            }
            try writer.add(Self.file(Self.path(digest), size: blob.size))
            try writer.writeFile(size: blob.size) { () throws(ArchiveError) in
                try sink.copy(from: blob.file.descriptor, count: blob.size)
            }
        }
        try Self.add("index.json", try JSON.encode(index), to: &writer)
        try Self.add("manifest.json", JSONValue.array(images.map(Self.item)).serialized(), to: &writer)
        try Self.add("oci-layout", try JSON.encode(ImageLayout()), to: &writer)
        if !repositories.isEmpty {
            try Self.add("repositories", JSONValue.object(repositories).serialized(), to: &writer)
        }
        try writer.finish()
        try sink.flush()
    }

    /// `index.json` of the image layout: a manifest once for each of its names.
    private var index: ImageIndex {
        ImageIndex(
            manifests: images.flatMap { image in
                guard !image.references.isEmpty else { return [image.manifest] }
                return image.references.map { reference in
                    var named = image.manifest
                    named.annotations = [
                        Annotation.containerdImageName: reference.description,
                        Annotation.referenceName: reference.tag ?? "",
                    ]
                    return named
                }
            })
    }

    /// An image's item of `manifest.json`.
    private static func item(_ image: Image) -> JSONValue {
        var sources = JSONObject()
        for (diffID, layer) in zip(image.diffIDs, image.layers) {
            sources[diffID.description] = [
                "mediaType": .string(layer.mediaType), "size": .int(layer.size),
                "digest": .string(layer.digest.description),
            ]
        }
        return [
            "Config": .string(path(image.id)),
            "RepoTags": .array(image.references.map { .string($0.familiar) }),
            "Layers": .array(image.layers.map { .string(path($0.digest)) }),
            "LayerSources": .object(sources),
        ]
    }

    /// What programs before Docker 1.10 looked for: repository → tag → topmost layer.
    private var repositories: JSONObject {
        var all = JSONObject()
        for image in images {
            guard let top = image.layers.last else { continue }
            for reference in image.references {
                var tags = all[reference.familiarName]?.object ?? JSONObject()
                tags[reference.tag ?? "latest"] = .string(top.digest.encoded)
                all[reference.familiarName] = .object(tags)
            }
        }
        return all
    }

    private static func path(_ digest: Digest) -> String { "blobs/\(digest.algorithm.rawValue)/\(digest.encoded)" }

    // The same images make the same archive: no entry has a time or an owner of this machine.

    private static func directory(_ name: String) -> TarEntry {
        TarEntry(kind: .directory, name: Array(name.utf8), mode: 0o755)
    }

    private static func file(_ name: String, size: Int64) -> TarEntry {
        var entry = TarEntry(kind: .file, name: Array(name.utf8), mode: 0o644)
        entry.size = size
        return entry
    }

    private static func add(_ name: String, _ document: [UInt8], to writer: inout TarWriter) throws {
        try writer.add(file(name, size: Int64(document.count)))
        try writer.write(document)
    }
}

/// A blob's descriptor, closed when nobody needs it any more: the blob may be removed from the store meanwhile.
private final class OpenBlob {
    let descriptor: FileDescriptor

    init(_ descriptor: FileDescriptor) { self.descriptor = descriptor }

    deinit { try? descriptor.close() }  // only read from
}
