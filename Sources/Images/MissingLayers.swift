import Hashing
import Archive
import ContentStore
import LinuxKernel
import OCISpec
import Snapshots
import SystemPackage

/// Unpacks the layers of images whose blobs are all on this machine: those of an archive, or of images that came in by
/// way of another storage driver.
struct MissingLayers: Sendable {
    private let content: ContentStore
    private let snapshotter: any Snapshotter
    private let staged: StagedLayers
    private let unpacking: Unpacking
    private let progress: @Sendable (ImageProgress) -> Void

    init(
        _ images: Images, _ cancellation: Cancellation,
        progress: @escaping @Sendable (ImageProgress) -> Void = { _ in }
    ) {
        content = images.content
        snapshotter = images.snapshotter
        staged = images.staged
        unpacking = Unpacking(images, cancellation)
        self.progress = progress
    }

    /// Unpacks the layers that are not here yet, by chain id; on all processors where the driver allows it.
    func unpack(for images: [ArchivedImage]) throws -> [Digest: UnpackedLayer] {
        let work = LayerQueue()
        for image in images {
            var parent: Digest?
            for (chain, layer) in zip(ChainID.chain(of: image.diffIDs), image.layers) {
                // Of a layer that is there already a blob may still be new, and has to be what it says before it is
                // kept.
                let isKnown = content.size(of: layer.blob.digest) != nil
                if try !isKnown || snapshotter.information(chain.description) == nil {
                    work.add(LayerQueue.Job(chain: chain, parent: parent, layer: layer))
                }
                parent = chain
            }
        }
        guard snapshotter.stagesIndependently else { return try stageInOrder(work) }
        let threads = min(work.count, Processors.count)
        work.sortBySize()
        let helpers = try (1..<max(threads, 1)).map { index in
            try JoinableThread(name: "unpack-\(index)") { stageAll(work) }
        }
        stageAll(work)
        for helper in helpers { try helper.join() }
        return try work.results { layer in staged.discardIfStaged(layer) }
    }

    private func stageAll(_ work: LayerQueue) {
        while let job = work.next() {
            work.finish(job, Result { try stage(job) })
        }
    }

    /// For drivers that need a layer's parent before the layer: one at a time, each committed as soon as it is there.
    private func stageInOrder(_ work: LayerQueue) throws -> [Digest: UnpackedLayer] {
        var committed: [Digest] = []
        do {
            while let job = work.next() {
                let layer = try stage(job)
                do {
                    if try snapshotter.information(job.chain.description) != nil {
                        staged.discardIfStaged(layer)
                        continue
                    }
                    try snapshotter.commit(
                        layer.staged, as: job.chain.description, parent: job.parent?.description,
                        contents: layer.contents)
                } catch {
                    staged.discardIfStaged(layer)
                    throw error
                }
                committed.append(job.chain)
            }
        } catch {
            for chain in committed.reversed() { staged.discard(chain.description) }
            throw error
        }
        return [:]
    }

    private func stage(_ job: LayerQueue.Job) throws -> UnpackedLayer {
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
        let layer = try unpacking.layer(
            from: archive, upon: job.parent?.description, hashing: !isPlain)
        let found = isPlain ? job.layer.blob.digest : layer.diffID
        guard found == job.layer.diffID else {
            staged.discard(layer.staged)
            throw ImagesError(
                .invalid,
                "layer \(job.layer.name) has the digest \(found?.description ?? "") instead of \(job.layer.diffID)")
        }
        return layer
    }
}
