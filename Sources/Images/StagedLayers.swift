import Archive
import Logging
import OCISpec
import Snapshots
import Synchronization
import SystemPackage
import Tar

/// A layer that lies in a staged snapshot.
struct UnpackedLayer: Sendable {
    /// The staged snapshot's name.
    let staged: String
    let contents: LayerApplier.Result
    /// The digest of the uncompressed archive, if it was asked for.
    let diffID: Digest?
}

/// The staged snapshots of all operations: gives them names, and takes away those that became no layer.
final class StagedLayers: Sendable {
    private let snapshotter: any Snapshotter
    private let logger: Logger
    private let serial = Atomic<UInt64>(0)
    /// Those that could not be removed yet.
    private let leftovers = Mutex<Set<String>>([])

    init(_ snapshotter: any Snapshotter, _ logger: Logger) {
        self.snapshotter = snapshotter
        self.logger = logger
    }

    /// A name that no other staged snapshot has.
    func nextName() -> String { "unpack-\(serial.wrappingAdd(1, ordering: .relaxed).newValue)" }

    /// Removes a snapshot that is not wanted after all.
    func discard(_ name: String) {
        do {
            try snapshotter.remove(name)
        } catch {
            leftovers.withLock { _ = $0.insert(name) }
        }
    }

    /// Removes a layer's staged snapshot if it was not committed.
    func discardIfStaged(_ layer: UnpackedLayer) {
        // Not to be asked is as good as not to be there: the next start looks again.
        if (try? snapshotter.information(layer.staged)) != nil { discard(layer.staged) }
    }

    /// Runs a job that fills the disk perhaps, and removes afterwards what it could not remove itself: on a full disk
    /// the database takes no change before the job's own files are gone.
    func clearingUp<T>(_ job: () throws -> T) throws -> T {
        defer { removeLeftovers() }
        return try job()
    }

    func removeLeftovers() {
        let names = leftovers.withLock { names in
            defer { names = [] }
            return names
        }
        for name in names {
            do {
                try snapshotter.remove(name)
            } catch {
                // The next start removes it.
                logger.warning(
                    "cannot remove a layer", metadata: ["snapshot": "\(name)", "error": "\(error)"])
            }
        }
    }
}
