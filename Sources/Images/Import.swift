import Hashing
import Archive
import ContentStore
import JSON
import LinuxKernel
import OCISpec
import SystemPackage

/// An import: an image of one layer from a tar archive, which may be compressed with gzip, zstd, xz or bzip2.
struct Import: Sendable {
    let images: Images
    let reference: ImageReference?
    /// How containers of the image run.
    let process: ImageProcess
    let comment: String
    let platform: Platform
    let cancellation = Cancellation()
    let progress: @Sendable (ImageProgress) -> Void

    /// One thread reads, hashes and stores; this one unpacks what it hands over. Both see each byte once.
    func run(from stream: FileDescriptor) throws -> Digest {
        let source = DescriptorSource(stream, isCancelled: { cancellation.isCancelled })
        let peeked = try PeekedArchive(source)
        let compression = peeked.storedCompression
        let ingest = try images.content.ingest()
        let pipe = ChunkPipe()
        let stored = try peeked.stored()
        let storing = try JoinableThread(name: "import-store") {
            let writer = pipe.writer()
            var total: Int64 = 0
            while try writer.send({ buffer in
                let count = try stored.read(into: buffer)
                try ingest.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                return count
            }) {
                total = ingest.size
                progress(ImageProgress(id: nil, status: "Importing", current: total, total: nil))
            }
        }
        let unpacking = Result {
            try Unpacking(images, cancellation).layer(
                from: try Compression.decompressing(pipe.reader()).source, upon: nil, hashing: compression != .none)
        }
        pipe.abandon()
        // What went wrong in reading is the cause of what went wrong in unpacking.
        let storingResult = Result { try storing.join() }
        var layer: UnpackedLayer
        do {
            if case .failure(let error) = storingResult { throw error }
            layer = try unpacking.get()
        } catch {
            if case .success(let layer) = unpacking { images.staged.discard(layer.staged) }
            throw error
        }
        do {
            if cancellation.isCancelled { throw ArchiveError.cancelled }
            let image = try newImage(
                of: ingest, diffID: layer.diffID ?? ingest.digest, compression: compression)
            let chain = ChainID.chain(of: image.diffIDs)
            defer { images.staged.discardIfStaged(layer) }
            try images.register([image], blobs: [ingest.digest: ingest], layers: chain.last.map { [$0: layer] } ?? [:])
            return image.id
        }
    }

    private func newImage(of blob: Ingest, diffID: Digest, compression: Compression) throws -> NewImage {
        let now = Timestamp.now()
        let configuration = ImageConfiguration(
            platform: platform, created: now, comment: comment, config: process, diffIDs: [diffID],
            history: [ImageConfiguration.History(created: now, comment: comment)])
        let document = try JSON.encode(configuration)
        let layer = Descriptor(mediaType: compression.layerMediaType, digest: blob.digest, size: blob.size)
        return NewImage(
            configuration: document, manifest: try Images.manifest(configuration: document, layers: [layer]),
            layers: [blob.digest], diffIDs: [diffID], references: reference.map { [$0] } ?? [])
    }
}

/// A stream to be imported, and the form in which its bytes are stored.
private struct PeekedArchive {
    private let source: any ByteSource
    private let compression: Compression

    init(_ source: any ByteSource) throws {
        let peeked = try PeekedSource(peeking: Compression.magicLength, from: source)
        self.source = peeked
        compression = Compression(magic: peeked.peeked)
    }

    /// Layers may be stored as they are, with gzip and with zstd; other tools read no other form.
    var storedCompression: Compression {
        switch compression {
        case .none, .gzip, .zstd: compression
        case .xz, .bzip2: .none
        }
    }

    func stored() throws -> any ByteSource {
        storedCompression == compression ? source : try Compression.decompressing(source).source
    }
}

extension Compression {
    /// The media type of a layer in this form.
    var layerMediaType: String {
        switch self {
        case .gzip: MediaType.ociLayerGzip
        case .zstd: MediaType.ociLayerZstd
        case .none, .xz, .bzip2: MediaType.ociLayer
        }
    }
}

extension Images {
    /// A manifest for a configuration and layers that came without one.
    static func manifest(configuration: [UInt8], layers: [Descriptor]) throws -> [UInt8] {
        try JSON.encode(
            ImageManifest(
                config: Descriptor(
                    mediaType: MediaType.ociConfiguration, digest: ContentHasher.digest(of: configuration),
                    size: Int64(configuration.count)), layers: layers))
    }
}
