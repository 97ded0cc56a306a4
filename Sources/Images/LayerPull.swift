import Archive
import ContentStore
import Distribution
import GRDB
import OCISpec
import Snapshots
import Synchronization
import SystemPackage

/// One layer of a pull.
private struct PullLayer: Sendable {
    let index: Int
    let blob: Descriptor
    let diffID: Digest
    let chain: Digest
    let parent: Digest?
    /// Whether the blob is in the store.
    let isStored: Bool
    /// Whether it is unpacked, upon the same layers.
    let isUnpacked: Bool
}

/// What a pull has unpacked so far, to be undone if it fails.
private final class PulledLayers: Sendable {
    struct State {
        var unpacked: [Digest: UnpackedLayer] = [:]
        /// For drivers that need each parent first: chain ids, lowest first.
        var committed: [Digest] = []
        var next = 0
    }

    let state = Mutex(State())

    /// The next of `count` jobs.
    func next(of count: Int) -> Int? {
        state.withLock { state in
            guard state.next < count else { return nil }
            defer { state.next += 1 }
            return state.next
        }
    }
}

/// The layers of one image on their way here: those that are missing are fetched and unpacked, all at once, then the
/// image is made.
struct LayerPull: Sendable {
    private let images: Images
    private let image: NewImage
    private let blobs: [Descriptor]
    private let repository: Repository

    init(_ images: Images, _ image: NewImage, _ blobs: [Descriptor], from repository: Repository) {
        self.images = images
        self.image = image
        self.blobs = blobs
        self.repository = repository
    }

    /// Fetches and unpacks the layers that are missing, all at once, and makes the image.
    func run(_ report: @escaping @Sendable (ImageProgress) -> Void) async throws {
        let chains = ChainID.chain(of: image.diffIDs)
        let held = Set(chains.map(\.description) + image.layers.map(\.description))
        let layers = try await images.pool.run {
            images.changes.withLock { $0.take(held) }
            do {
                return try plan(chains)
            } catch {
                images.changes.withLock { $0.release(held) }
                throw error
            }
        }
        let progress = PullProgress(blobs, report)
        for layer in layers {
            if layer.isUnpacked && layer.isStored { progress.exists(layer.index) } else { progress.begins(layer.index) }
        }
        var arrivals: [Digest: BlobArrival] = [:]
        var missing = 0
        for layer in layers where !layer.isStored {
            if arrivals[layer.blob.digest] == nil {
                arrivals[layer.blob.digest] = await images.downloads.join(layer.blob, from: repository)
                missing += 1
                if missing > images.slots.count { progress.waits(layer.index) }
            }
            if let arrival = arrivals[layer.blob.digest] { progress.arrives(layer.index, arrival) }
        }
        let result: Result<Void, any Error>
        do {
            result = .success(try await work(on: layers, arrivals, progress))
        } catch {
            result = .failure(error)
        }
        for digest in arrivals.keys { await images.downloads.leave(digest) }
        // On a pool, as it may wait for the lock; it cannot fail.
        try? await images.pool.run {
            images.changes.withLock { $0.release(held) }
            images.staged.removeLeftovers()
        }
        try result.get()
    }

    private func plan(_ chains: [Digest]) throws -> [PullLayer] {
        var parent: Digest?
        return try blobs.indices.map { index in
            defer { parent = chains[index] }
            return PullLayer(
                index: index, blob: blobs[index], diffID: image.diffIDs[index], chain: chains[index], parent: parent,
                isStored: images.content.size(of: blobs[index].digest) == blobs[index].size,
                isUnpacked: try images.snapshotter.information(chains[index].description) != nil)
        }
    }

    private func work(
        on layers: [PullLayer], _ arrivals: [Digest: BlobArrival], _ progress: PullProgress
    ) async throws {
        let made = PulledLayers()
        let missing = layers.filter { !$0.isUnpacked }
        // The largest first where the order is free, so that no processor is left alone with it at the end.
        let jobs = images.snapshotter.stagesIndependently ? missing.sorted { $0.blob.size > $1.blob.size } : missing
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    while true {
                        try await Task.sleep(for: .milliseconds(100))
                        progress.update()
                    }
                }
                let others = layers.filter { $0.isUnpacked && !$0.isStored }
                let workers = images.snapshotter.stagesIndependently ? max(2, Processors.count) : 1
                var running = 0
                for _ in 0..<min(workers, jobs.count) {
                    running += 1
                    group.addTask {
                        while let index = made.next(of: jobs.count) {
                            try await unpack(
                                jobs[index], arrivals[jobs[index].blob.digest], into: made, progress)
                            progress.done(jobs[index].index)
                        }
                    }
                }
                for layer in others {
                    guard let arrival = arrivals[layer.blob.digest] else { continue }
                    running += 1
                    group.addTask {
                        try await arrival.completed()
                        progress.done(layer.index)
                    }
                }
                // The one that only tells how far it is never ends by itself.
                for _ in 0..<running { try await group.next() }
                group.cancelAll()
            }
            let ingests = arrivals.compactMapValues(\.ingest)
            let unpacked = made.state.withLock { $0.unpacked }
            try await images.pool.run {
                try images.register([image], blobs: ingests, layers: unpacked)
                for layer in unpacked.values { images.staged.discardIfStaged(layer) }
            }
        } catch {
            // On a full disk what could be resumed is in the way of everybody.
            if Self.isDiskFull(error) { for arrival in arrivals.values { arrival.discard() } }
            let (unpacked, committed) = made.state.withLock { ($0.unpacked, $0.committed) }
            // What cannot be removed now is noted and removed later.
            try? await images.pool.run {
                for layer in unpacked.values { images.staged.discardIfStaged(layer) }
                for chain in committed.reversed() { images.staged.discard(chain.description) }
            }
            throw error
        }
    }

    /// Unpacks a layer while its blob arrives, and waits until the blob is found to be right.
    private func unpack(
        _ layer: PullLayer, _ arrival: BlobArrival?, into made: PulledLayers, _ progress: PullProgress
    ) async throws {
        // Waiting for bytes occupies a thread; before the first byte that is not necessary.
        try await arrival?.begun()
        let cancellation = Cancellation()
        do {
            try await withTaskCancellationHandler {
                try await images.unpackers.run {
                    try stage(layer, reading: arrival, into: made, progress, cancellation)
                }
            } onCancel: {
                cancellation.cancel()
            }
        } catch {
            // Bytes that make no sense are the fault of where they come from, which knows better what is wrong with
            // them.
            if !Self.isOurFault(error) {
                try await arrival?.completed()
                // They are as they should be, and still make no sense. Nobody will want them again.
                arrival?.discard()
            }
            throw error
        }
        try await arrival?.completed()
    }

    private static func isDiskFull(_ error: any Error) -> Bool {
        switch error {
        case ArchiveError.system(_, _, .noSpace), ContentError.system(_, _, .noSpace),
            SnapshotError.system(_, _, .noSpace),
            SnapshotError.contents(.system(_, _, .noSpace)):
            true
        default: false
        }
    }

    private static func isOurFault(_ error: any Error) -> Bool {
        switch error {
        case ArchiveError.system, ArchiveError.cancelled: true
        // A download that failed at once has removed its file before this one could open it.
        case ContentError.notFound: false
        default: error is SnapshotError || error is ContentError || error is Errno || error is DatabaseError
        }
    }

    /// The blocking part of `unpack`.
    private func stage(
        _ layer: PullLayer, reading arrival: BlobArrival?, into made: PulledLayers, _ progress: PullProgress,
        _ cancellation: Cancellation
    ) throws {
        let source: any ByteSource
        if let arrival {
            source = ArrivingSource(
                arrival, owning: try reading(layer.blob.digest, arrival), isCancelled: { cancellation.isCancelled },
                progress: { progress.extracted(layer.index, $0) })
        } else {
            source = OwnedSource(try images.content.open(layer.blob.digest))
        }
        let unpacked = try Unpacking(images, cancellation).layer(
            from: try Compression.decompressing(source).source, upon: layer.parent?.description,
            hashing: true, stopReading: { cancellation.cancel() })
        guard unpacked.diffID == layer.diffID else {
            images.staged.discard(unpacked.staged)
            arrival?.discard()
            throw ImagesError(
                .invalid,
                "layer \(layer.blob.digest) unpacks to \(unpacked.diffID?.description ?? ""), but the image's "
                    + "configuration "
                    + "says \(layer.diffID)")
        }
        guard !images.snapshotter.stagesIndependently else {
            // The same layer may stand in an image twice, but not upon the same others.
            made.state.withLock { $0.unpacked[layer.chain] = unpacked }
            return
        }
        do {
            guard try images.snapshotter.information(layer.chain.description) == nil else {
                return images.staged.discardIfStaged(unpacked)
            }
            try images.snapshotter.commit(
                unpacked.staged, as: layer.chain.description, parent: layer.parent?.description,
                contents: unpacked.contents)
            made.state.withLock { $0.committed.append(layer.chain) }
        } catch {
            images.staged.discardIfStaged(unpacked)
            throw error
        }
    }

    /// A blob that is arriving, or that another pull has just put into the store.
    private func reading(_ digest: Digest, _ arrival: BlobArrival) throws -> FileDescriptor {
        guard let ingest = arrival.ingest else { return try images.content.open(digest) }
        do throws(ContentError) {
            return try ingest.reading()
        } catch {
            return try images.content.open(digest)
        }
    }
}

/// A file that is closed when it has been read.
private final class OwnedSource: ByteSource {
    private let file: FileDescriptor
    private let source: DescriptorSource

    init(_ file: FileDescriptor) {
        self.file = file
        source = DescriptorSource(file)
    }

    deinit { try? file.close() }  // only read from

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int { try source.read(into: buffer) }
}
