import Hashing
import Archive
import LinuxKernel
import OCISpec
import Snapshots
import Synchronization
import SystemPackage

/// A layer that lies in a staged snapshot.
struct UnpackedLayer: Sendable {
    /// The staged snapshot's name.
    let staged: String
    let contents: LayerApplier.Result
    /// The digest of the uncompressed archive, if it was asked for.
    let diffID: Digest?
}

extension Images {
    private static let serial = Atomic<UInt64>(0)

    /// Unpacks a layer into a new staged snapshot. If it fails, nothing is left of it.
    ///
    /// Reading, inflating and hashing are one thread's work, which is about as long as that of the other, which makes the files.
    ///
    /// - Parameters:
    ///   - parent: The snapshot below; needed where the driver does not stage independently.
    ///   - isComplete: Whether the archive must have its end marker, for want of a digest to check it by.
    ///   - hashing: Whether to compute the digest of the uncompressed bytes.
    ///   - stopReading: Ends a `read` of the source that waits; called when the archive turns out to be bad before its end.
    func unpack(
        _ source: any ByteSource, parent: String?, isComplete: Bool, hashing: Bool, _ cancellation: Cancellation,
        stopReading: () -> Void = {}
    ) throws -> UnpackedLayer {
        let name = "unpack-\(Self.serial.wrappingAdd(1, ordering: .relaxed).newValue)"
        let staged = try snapshotter.stage(name, parent: snapshotter.stagesIndependently ? nil : parent)
        do {
            let pipe = ChunkPipe()
            let reader = pipe.reader()
            let reading = try Self.read(source, into: pipe, hashing: hashing)
            let filling = Result {
                let archive = TarReader(reader, needsEndMarker: isComplete)
                let contents = try fill(staged, from: archive, cancellation)
                try archive.drain()
                return contents
            }
            let wasCancelled = cancellation.isCancelled
            if case .failure = filling {
                reader.abandon()
                stopReading()
            }
            let diffID = try Self.digest(of: reading, filling, wasCancelled: wasCancelled)
            let contents = try filling.get()
            try snapshotter.finish(name, contents: contents)
            return UnpackedLayer(staged: name, contents: contents, diffID: diffID)
        } catch {
            discard(name)
            throw error
        }
    }

    /// Starts the thread that fills the pipe; it gives the digest if that is asked for.
    private static func read(
        _ source: any ByteSource, into pipe: ChunkPipe, hashing: Bool
    ) throws -> JoinableThread<Digest?> {
        // From here on the thread's alone.
        nonisolated(unsafe) let source = source
        return try JoinableThread(name: "unpack-read") {
            var hasher = ContentHasher()
            var writer = pipe.writer()
            while try writer.send({ buffer in
                let count = try source.read(into: buffer)
                if hashing { hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
                return count
            }) {}
            return hashing ? hasher.digest : nil
        }
    }

    /// Waits for the thread. What went wrong in reading is the cause of what went wrong in filling, unless the reading was only
    /// stopped because of that.
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
        _ layer: StagedLayer, from archive: TarReader, _ cancellation: Cancellation
    ) throws(ArchiveError) -> LayerApplier.Result {
        var applier = try LayerApplier(into: layer.root, whiteouts: layer.whiteouts)
        return try applier.apply(archive, isCancelled: { cancellation.isCancelled })
    }

    /// Removes a staged snapshot that is not wanted after all.
    func discard(_ staged: String) {
        do {
            try snapshotter.remove(staged)
        } catch {
            leftovers.withLock { _ = $0.insert(staged) }
        }
    }

    /// Runs a job that fills the disk perhaps, and removes afterwards what it could not remove itself: on a full disk the
    /// database takes no change before the job's own files are gone.
    func clearingUp<T>(_ job: () throws -> T) throws -> T {
        defer {
            for staged in leftovers.withLock({ names in
                let all = names; names = []; return all
            }) {
                do {
                    try snapshotter.remove(staged)
                } catch {
                    // The next start removes it.
                    logger.warning(
                        "cannot remove a layer", metadata: ["snapshot": "\(staged)", "error": "\(error)"])
                }
            }
        }
        return try job()
    }
}
