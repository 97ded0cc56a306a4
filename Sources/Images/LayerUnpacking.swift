import Archive
import struct Crypto.SHA256
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
    /// - Parameters:
    ///   - parent: The snapshot below; needed where the driver does not stage independently.
    ///   - isComplete: Whether the archive must have its end marker, for want of a digest to check it by.
    ///   - hashing: Whether to compute the digest of the uncompressed bytes.
    func unpack(
        _ source: any ByteSource, parent: String?, isComplete: Bool, hashing: Bool, _ cancellation: Cancellation
    ) throws -> UnpackedLayer {
        let name = "unpack-\(Self.serial.wrappingAdd(1, ordering: .relaxed).newValue)"
        let staged = try snapshotter.stage(name, parent: snapshotter.stagesIndependently ? nil : parent)
        do {
            var hasher = SHA256()
            let observed =
                hashing ? ObservedSource(source) { bytes in hasher.update(bufferPointer: bytes) } : source
            let archive = TarReader(observed, needsEndMarker: isComplete)
            let contents = try fill(staged, from: archive, cancellation)
            try archive.drain()
            try snapshotter.finish(name, contents: contents)
            return UnpackedLayer(
                staged: name, contents: contents, diffID: hashing ? Digest(hash: hasher.finalize()) : nil)
        } catch {
            discard(name)
            throw error
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
                        "a layer could not be cleaned up", metadata: ["snapshot": "\(staged)", "error": "\(error)"])
                }
            }
        }
        return try job()
    }
}
