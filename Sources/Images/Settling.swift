import BlockingCalls
import GRDB
import Glibc
import LinuxKernel
import Logging
import OCISpec

/// Writes images out to the disk in the background, some seconds after they were registered.
///
/// Until that is done an image's row says in which boot it was written. If the machine stops before, files of it may be
/// empty although their names are there; so images written in another boot and never settled are dropped at the start.
final class Settling: Sendable {
    private let database: any DatabaseWriter
    private let pool: BlockingPool
    /// How long new images wait, so that several are flushed together.
    private let delay: Duration
    private let logger: Logger
    /// Tells this start of the machine from every other.
    let boot = BootIdentifier.current

    init(_ database: any DatabaseWriter, _ pool: BlockingPool, delay: Duration, _ logger: Logger) {
        self.database = database
        self.pool = pool
        self.delay = delay
        self.logger = logger
    }

    /// Has what was written so far flushed to the disk, without anyone waiting for it.
    func soon() {
        let delay = delay
        Task.detached(priority: .background) { [weak self] in
            // Only cancellation ends the sleep early, and nobody cancels this.
            try? await Task.sleep(for: delay)
            guard let self else { return }
            do {
                try await self.pool.run { try self.settle() }
            } catch {
                self.logger.warning("cannot flush images to the disk", metadata: ["error": "\(error)"])
            }
        }
    }

    private func settle() throws {
        let ids = try database.read { database in
            try String.fetchAll(database, sql: "SELECT id FROM image WHERE unsettledBoot IS NOT NULL")
        }
        guard !ids.isEmpty else { return }
        sync()
        try database.write { database in
            for id in ids {
                try database.execute(sql: "UPDATE image SET unsettledBoot = NULL WHERE id = ?", arguments: [id])
            }
        }
    }

    /// Drops the images that a failure of the machine may have damaged.
    func dropUnsettled() throws {
        let ids = try database.read { database in
            try String.fetchAll(
                database, sql: "SELECT id FROM image WHERE unsettledBoot IS NOT NULL AND unsettledBoot <> ?",
                arguments: [boot])
        }
        for id in ids {
            logger.warning(
                "removing an image whose files were not complete when the machine stopped", metadata: ["image": "\(id)"]
            )
            try database.write { try ImageTable.delete(Digest(parsing: id), in: $0) }
        }
    }
}
