import Hashing
import Archive
import ContentStore
import LinuxKernel
import OCISpec
import Snapshots
import SystemPackage

extension Images {
    /// Loads the images of an archive made by `docker save` or of an OCI image layout, in any compression.
    ///
    /// `stream` is read to its end and stays the caller's. Either all of its images come to be, or none.
    ///
    /// - Parameter platform: Which image to take of several for different machines (this machine's without it); one that is
    ///   for none but another is then refused.
    package func load(
        from stream: FileDescriptor, platform: Platform? = nil,
        progress: @escaping @Sendable (ImageProgress) -> Void = { _ in }
    ) async throws -> [LoadedImage] {
        let cancellation = Cancellation()
        return try await withTaskCancellationHandler {
            try await streams.run {
                try ImagesError.translating {
                    try self.clearingUp { try self.loadArchive(from: stream, platform, cancellation, progress) }
                }
            }
        } onCancel: {
            cancellation.cancel()
        }
    }

    private func loadArchive(
        from stream: FileDescriptor, _ platform: Platform?, _ cancellation: Cancellation,
        _ progress: @escaping @Sendable (ImageProgress) -> Void
    ) throws -> [LoadedImage] {
        let source = DescriptorSource(stream, isCancelled: { cancellation.isCancelled })
        let archive = try SpooledArchive(reading: source, into: content, cancellation)
        let images =
            try archive.file("manifest.json") != nil
            ? DockerArchive.images(in: archive, for: platform) : OCIArchive.images(in: archive, for: platform)
        let chains = Set(images.flatMap { ChainID.chain(of: $0.diffIDs) }.map(\.description))
        changes.withLock { $0.take(chains) }
        defer { changes.withLock { $0.release(chains) } }
        let layers = try unpackLayers(of: images, cancellation, progress)
        defer { for layer in layers.values { discardIfStaged(layer) } }
        if cancellation.isCancelled { throw ArchiveError.cancelled }
        var blobs: [Digest: Ingest] = [:]
        for case .ingest(let blob) in images.flatMap(\.layers).map(\.blob) { blobs[blob.digest] = blob }
        try register(images.map { try $0.newImage() }, blobs: blobs, layers: layers)
        // An image that is named several times in the archive is one image with several names.
        var loaded: [LoadedImage] = []
        for image in images {
            let id = ContentHasher.digest(of: image.configuration)
            if let index = loaded.firstIndex(where: { $0.id == id }) {
                loaded[index] = LoadedImage(
                    id: id, references: loaded[index].references + image.references, platform: loaded[index].platform)
            } else {
                let platform = try documents.configuration(id).platform
                loaded.append(LoadedImage(id: id, references: image.references, platform: platform))
            }
        }
        return loaded
    }

    /// Unpacks the layers that are not here yet, by chain id; on all processors where the driver allows it.
    func unpackLayers(
        of images: [ArchivedImage], _ cancellation: Cancellation,
        _ progress: @escaping @Sendable (ImageProgress) -> Void
    ) throws -> [Digest: UnpackedLayer] {
        let work = LayerQueue()
        for image in images {
            var parent: Digest?
            for (chain, layer) in zip(ChainID.chain(of: image.diffIDs), image.layers) {
                // Of a layer that is there already a blob may still be new, and has to be what it says before it is kept.
                let isKnown = content.size(of: layer.blob.digest) != nil
                if try !isKnown || snapshotter.information(chain.description) == nil {
                    work.add(LayerQueue.Job(chain: chain, parent: parent, layer: layer))
                }
                parent = chain
            }
        }
        let threads = snapshotter.stagesIndependently ? min(work.count, Processors.count) : 1
        guard snapshotter.stagesIndependently else {
            return try unpackInOrder(work, cancellation, progress)
        }
        work.sortBySize()
        let helpers = try (1..<max(threads, 1)).map { index in
            try JoinableThread(name: "unpack-\(index)") { self.unpackAll(work, cancellation, progress) }
        }
        unpackAll(work, cancellation, progress)
        for helper in helpers { try helper.join() }
        return try work.results { layer in discardIfStaged(layer) }
    }

    private func unpackAll(
        _ work: LayerQueue, _ cancellation: Cancellation, _ progress: @escaping @Sendable (ImageProgress) -> Void
    ) {
        while let job = work.next() {
            work.finish(job, Result { try self.unpack(job, cancellation, progress) })
        }
    }

    /// For drivers that need a layer's parent before the layer: one at a time, each committed as soon as it is there.
    private func unpackInOrder(
        _ work: LayerQueue, _ cancellation: Cancellation, _ progress: @escaping @Sendable (ImageProgress) -> Void
    ) throws -> [Digest: UnpackedLayer] {
        var committed: [Digest] = []
        do {
            while let job = work.next() {
                let layer = try unpack(job, cancellation, progress)
                do {
                    if try snapshotter.information(job.chain.description) != nil {
                        discardIfStaged(layer)
                        continue
                    }
                    try snapshotter.commit(
                        layer.staged, as: job.chain.description, parent: job.parent?.description,
                        contents: layer.contents)
                } catch {
                    discardIfStaged(layer)
                    throw error
                }
                committed.append(job.chain)
            }
        } catch {
            for chain in committed.reversed() { discard(chain.description) }
            throw error
        }
        return [:]
    }

    private func unpack(
        _ job: LayerQueue.Job, _ cancellation: Cancellation, _ progress: @escaping @Sendable (ImageProgress) -> Void
    ) throws -> UnpackedLayer {
        let file = try job.layer.blob.reading()
        defer { try? file.close() }  // only read from
        let name = job.layer.diffID.short
        let total = job.layer.blob.size
        var current: Int64 = 0
        let source = ObservedSource(DescriptorSource(file)) { bytes in
            current += Int64(bytes.count)
            progress(ImageProgress(id: name, status: "Loading layer", current: current, total: total))
        }
        let (archive, compression) = try Compression.decompressing(source)
        // Of a layer that is not compressed the digest is known from when it was written.
        let isPlain = compression == .none
        let layer = try unpack(
            archive, parent: job.parent?.description, isComplete: false, hashing: !isPlain, cancellation)
        let found = isPlain ? job.layer.blob.digest : layer.diffID
        guard found == job.layer.diffID else {
            discard(layer.staged)
            throw ImagesError(
                .invalid,
                "layer \(job.layer.name) has the digest \(found?.description ?? "") instead of \(job.layer.diffID)")
        }
        return layer
    }
}
