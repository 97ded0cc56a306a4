import Hashing
import Archive
import LinuxKernel
import OCISpec
import Snapshots
import SystemPackage

/// Turns archives of layers into staged snapshots, for one operation, which can be cancelled.
struct Unpacking: Sendable {
    let snapshotter: any Snapshotter
    let staged: StagedLayers
    let cancellation: Cancellation

    init(_ images: Images, _ cancellation: Cancellation) {
        snapshotter = images.snapshotter
        staged = images.staged
        self.cancellation = cancellation
    }

    /// Unpacks a layer into a new staged snapshot. If it fails, nothing is left of it.
    ///
    /// Reading, inflating and hashing are one thread's work, which is about as long as that of the other, which makes
    /// the files.
    ///
    /// - Parameters:
    ///   - parent: The snapshot below; needed where the driver does not stage independently.
    ///   - hashing: Whether to compute the digest of the uncompressed bytes.
    /// - stopReading: Ends a `read` of the source that waits; called when the archive turns out to be bad before its
    ///     end.
    func layer(
        from source: sending any ByteSource, upon parent: String?, hashing: Bool,
        stopReading: () -> Void = {}
    ) throws -> UnpackedLayer {
        let name = staged.nextName()
        let directory = try snapshotter.stage(name, parent: snapshotter.stagesIndependently ? nil : parent)
        do {
            let pipe = ChunkPipe()
            let reading = try Self.read(source, into: pipe, hashing: hashing)
            let filling = Result {
                let archive = TarReader(pipe.reader())
                let contents = try fill(directory, from: archive)
                try archive.drain()
                return contents
            }
            let wasCancelled = cancellation.isCancelled
            if case .failure = filling {
                pipe.abandon()
                stopReading()
            }
            let diffID = try Self.digest(of: reading, filling, wasCancelled: wasCancelled)
            let contents = try filling.get()
            try snapshotter.finish(name, contents: contents)
            return UnpackedLayer(staged: name, contents: contents, diffID: diffID)
        } catch {
            staged.discard(name)
            throw error
        }
    }

    /// Starts the thread that fills the pipe; it gives the digest if that is asked for.
    private static func read(
        _ source: sending any ByteSource, into pipe: ChunkPipe, hashing: Bool
    ) throws -> JoinableThread<Digest?> {
        try JoinableThread(name: "unpack-read") {
            var hasher = ContentHasher()
            let writer = pipe.writer()
            while try writer.send({ buffer in
                let count = try source.read(into: buffer)
                if hashing { hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
                return count
            }) {}
            return hashing ? hasher.digest : nil
        }
    }

    /// Waits for the thread. What went wrong in reading is the cause of what went wrong in filling, unless the reading
    /// was only stopped because of that.
    private static func digest(
        of reading: JoinableThread<Digest?>, _ filling: Result<LayerApplier.Result, any Error>, wasCancelled: Bool
    ) throws -> Digest? {
        do {
            return try reading.join()
        } catch ArchiveError.cancelled where !wasCancelled {
            _ = try filling.get()
            throw ArchiveError.cancelled
        }
    }

    /// Has nothing of the directory open when it returns, as `Snapshotter.finish` needs it.
    private func fill(
        _ layer: StagedLayer, from archive: TarReader
    ) throws(ArchiveError) -> LayerApplier.Result {
        var applier = try LayerApplier(into: layer.root, whiteouts: layer.whiteouts)
        return try applier.apply(archive, isCancelled: { cancellation.isCancelled })
    }
}
