import Archive
import ContentStore
import GRDB
import Glibc
import OCISpec
import Snapshots

// A captured layer is there before its blob is: whoever commits waits for the digest only. The blob is written in the
// background, or as soon as somebody needs it. Which ones are missing is in the database, so that the next start goes
// on with it. The files of a layer never change, hence the archive of them has the same bytes each time.
extension Images {
    /// A layer whose blob has not been written yet.
    struct LateBlob {
        let layer: Digest
        let snapshot: String
    }

    /// Writes the blobs that are missing, without anyone waiting for it.
    func completeBlobsSoon() {
        Task.detached(priority: .background) { [weak self] in
            guard let self else { return }
            do {
                try await self.streams.run { try self.completeBlobs() }
            } catch {
                self.logger.warning("a layer could not be stored as a blob yet", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Writes those of the `wanted` blobs that are missing (all: nil); blocks. One that cannot be written is logged and
    /// keeps none of the others from being written: a caller that needs that very blob learns that it is not there.
    func completeBlobs(_ wanted: Set<Digest>? = nil) throws {
        let late = try lateBlobs().filter { wanted?.contains($0.layer) ?? true }
        guard !late.isEmpty else { return }
        for late in late {
            blobCompletion.run(late.layer) {
                do {
                    // Another thread may have written it while this one waited for that.
                    guard try isLate(late.layer) else { return }
                    try complete(late)
                } catch {
                    logger.warning(
                        "a layer could not be stored as a blob yet",
                        metadata: ["layer": "\(late.layer)", "error": "\(error)"])
                }
            }
        }
        settling.soon()
    }

    private func isLate(_ layer: Digest) throws -> Bool {
        try database.read { database in
            try Bool.fetchOne(
                database, sql: "SELECT EXISTS (SELECT 1 FROM imageLateBlob WHERE layer = ?)",
                arguments: [layer.description]) ?? false
        }
    }

    func lateBlobs() throws -> [LateBlob] { try database.read { try lateBlobs(in: $0) } }

    func lateBlobs(in database: Database) throws -> [LateBlob] {
        try Row.fetchAll(database, sql: "SELECT layer, snapshot FROM imageLateBlob").map { row in
            LateBlob(layer: try Digest(parsing: row["layer"] as String), snapshot: row["snapshot"])
        }
    }

    /// Removes blobs that an earlier daemon may not have written to their end.
    func dropLateBlobs() throws {
        for late in try lateBlobs() { try content.remove(late.layer) }
    }

    /// What nobody waits for must not fill the disk: as much as a blob takes has to be free beside it, up to the
    /// reserve.
    private func checkRoom(for late: LateBlob) throws {
        var status = statvfs()
        guard content.root.withPlatformString({ statvfs($0, &status) }) == 0 else { return }
        let free = Int64(status.f_bavail) * Int64(status.f_frsize)
        let needed = try snapshotter.usage(late.snapshot).bytes
        guard free - needed > min(Self.reserve, needed) else {
            throw ImagesError(
                .system,
                "no space for the blob of layer \(late.layer): it takes \(needed) bytes, and of \(free) free ones some "
                    + "must stay; remove images or containers"
            )
        }
    }

    private static let reserve: Int64 = 256 << 20

    private func complete(_ late: LateBlob) throws {
        func isNeeded() throws -> Bool {
            try content.size(of: late.layer) == nil
                && database.read { try ImageTable.isReferenced(blob: late.layer, in: $0) }
        }
        if try isNeeded() {
            try checkRoom(for: late)
            let ingest = try content.ingest()
            let gone = Cancellation(or: { [database] in
                // The image may be removed at any time; what cannot be asked is asked once more in the end.
                (try? database.read { try ImageTable.isReferenced(blob: late.layer, in: $0) }) == false
            })
            do {
                try archiveLayer(late.snapshot, gone) { bytes throws(ArchiveError) in try ingest.take(bytes) }
            } catch  where gone.isCancelled {
                // Its files went with the image.
            }
            try changes.withLock { _ in
                guard try isNeeded() else { return }
                guard ingest.digest == late.layer else {
                    throw ImagesError(
                        .system,
                        "the files of layer \(late.layer) in snapshot \(late.snapshot) are not those that were "
                            + "committed"
                    )
                }
                try ingest.commit()
            }
            // Only then the row may go: after a failure of the machine the blob is written once more.
            try content.flush(late.layer)
        }
        try changes.withLock { _ in
            // Another image may have come to need the layer since it was looked for; the next round writes it.
            guard try !isNeeded() else { return }
            try database.write { database in
                try database.execute(
                    sql: "DELETE FROM imageLateBlob WHERE layer = ?", arguments: [late.layer.description])
            }
        }
    }
}
