import Hashing
import Archive
import ContentStore
import OCISpec
import SystemPackage

/// A load: the images of an archive, made by `docker save` or an OCI image layout, in any compression.
struct Load: Sendable {
    let images: Images
    /// Which images to take of several for different machines; none: this machine's.
    let platforms: [Platform]
    let cancellation = Cancellation()
    let progress: @Sendable (ImageProgress) -> Void

    /// Of images with the same name the last one keeps it: that for this machine, if it is among them.
    private var wanted: [Platform?] {
        if platforms.isEmpty { return [nil] }
        return platforms.filter { !Platform.host.satisfies($0) } + platforms.filter { Platform.host.satisfies($0) }
    }

    /// Reads `stream` to its end. Either all of its images come to be, or none.
    func run(from stream: FileDescriptor) throws -> [LoadedImage] {
        let source = DescriptorSource(stream, isCancelled: { cancellation.isCancelled })
        let archive = try SpooledArchive(reading: source, into: images.content, cancellation)
        let found = try wanted.flatMap { platform in
            try archive.file("manifest.json") != nil
                ? DockerArchive.images(in: archive, for: platform) : OCIArchive.images(in: archive, for: platform)
        }
        let chains = Set(found.flatMap { ChainID.chain(of: $0.diffIDs) }.map(\.description))
        images.changes.withLock { $0.take(chains) }
        defer { images.changes.withLock { $0.release(chains) } }
        let layers = try MissingLayers(images, cancellation, progress: progress).unpack(for: found)
        defer { for layer in layers.values { images.staged.discardIfStaged(layer) } }
        if cancellation.isCancelled { throw ArchiveError.cancelled }
        var blobs: [Digest: Ingest] = [:]
        for case .ingest(let blob) in found.flatMap(\.layers).map(\.blob) { blobs[blob.digest] = blob }
        try images.register(found.map { try $0.newImage() }, blobs: blobs, layers: layers)
        // An image that is named several times in the archive is one image with several names.
        var loaded: [LoadedImage] = []
        for image in found {
            let id = ContentHasher.digest(of: image.configuration)
            if let index = loaded.firstIndex(where: { $0.id == id }) {
                loaded[index] = LoadedImage(
                    id: id, references: loaded[index].references + image.references, platform: loaded[index].platform)
            } else {
                let platform = try images.documents.configuration(id).platform
                loaded.append(LoadedImage(id: id, references: image.references, platform: platform))
            }
        }
        return loaded
    }
}
