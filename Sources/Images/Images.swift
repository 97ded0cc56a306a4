import BlockingCalls
import ContentStore
import Distribution
import Glibc
import GRDB
import JSON
import LinuxKernel
import Logging
import OCISpec
import Snapshots
import Synchronization
import SystemPackage

/// The images of this machine: their blobs, their unpacked layers, their names.
///
/// All state is in the database, the content store and the snapshotter; opening is recovery. Errors are `ImagesError`,
/// with the texts of Docker. Methods may be called from anywhere at the same time; blocking work runs on threads of
/// its own.
package final class Images: Sendable {
    let database: any DatabaseWriter
    /// The storage driver.
    package let snapshotter: any Snapshotter
    /// The store of blobs.
    package let content: ContentStore
    let logger: Logger
    /// For short work: queries, mkdir, rename.
    let pool = BlockingPool(threads: 8, name: "images")
    /// For archives that come in at the speed of a client.
    let streams = BlockingPool(threads: 16, name: "images-stream")
    /// Held while images come and go, so that nothing is swept away that is about to be used. Only threads of the pools
    /// wait for it.
    let changes = Mutex(Holds())
    let settling: Settling
    let staged: StagedLayers
    /// Who writes which blob of a captured layer.
    let blobCompletion = OneByOne<Digest>()
    let documents: ImageDocuments
    /// Deletes the files of layers that have been removed.
    let disposal: LayerDisposal

    /// Where images come from and go to.
    package let registries: Registries
    /// How many blobs are fetched, and sent, at once by all pulls and pushes together.
    let slots: TransferSlots
    let uploadSlots: TransferSlots
    let downloads: Downloads
    /// For unpacking what arrives: such a thread waits for the registry, and must not keep others from their work.
    let unpackers = BlockingPool(threads: 32, name: "images-unpack")

    /// Opens the images below `directory` (the data root). `database` must be migrated (`registerMigrations`).
    package init(
        directory: FilePath, database: any DatabaseWriter, snapshotter: any Snapshotter, logger: Logger,
        settlingDelay: Duration = .seconds(3), registries: Registries = Registries(), concurrentDownloads: Int = 3,
        concurrentUploads: Int = 5
    ) throws {
        self.registries = registries
        self.database = database
        self.snapshotter = snapshotter
        self.logger = logger
        let root = directory.appending("content")
        try StoreIdentity.check(root, database, setAsideIn: directory, logger)
        content = try ContentStore(opening: root)
        documents = ImageDocuments(content)
        disposal = LayerDisposal(snapshotter, logger)
        staged = StagedLayers(snapshotter, logger)
        settling = Settling(database, pool, delay: settlingDelay, logger)
        slots = TransferSlots(concurrentDownloads)
        uploadSlots = TransferSlots(concurrentUploads)
        downloads = Downloads(content: content, slots: slots)
        try recover()
        let aside = SetAside.folder(in: directory)
        if Files.exists(aside) {
            logger.error(
                "the database does not know what lies in the data root; it was set aside and not deleted",
                metadata: ["path": "\(aside)"])
        }
    }

    /// Adds this module's migrations; their names begin with `images-`.
    package static func registerMigrations(in migrator: inout DatabaseMigrator) {
        ImageTable.registerMigrations(in: &migrator)
        ImageTable.registerCompressedLayers(in: &migrator)
        StoreIdentity.registerMigrations(in: &migrator)
        ImageTable.registerParents(in: &migrator)
        ImageTable.registerLateBlobs(in: &migrator)
    }

    /// The image that a user means: a name with or without tag (`latest`), a name with a digest, an id or the beginning
    /// of one. Throws `notFound`, "No such image: …", `invalid` for what is neither name nor id, and `system` for an
    /// image that is damaged.
    package func resolve(_ nameOrID: String) async throws -> ImageRecord {
        try await pool.run { try self.resolved(nameOrID) }
    }

    /// The same for what needs none of the image's documents: one that is damaged is found, too.
    package func find(_ nameOrID: String) async throws -> ImageRecord {
        try await pool.run { try self.known(nameOrID) }
    }

    /// The image with this id, or `nil`; it may be damaged.
    package func record(_ id: Digest) async throws -> ImageRecord? {
        try await pool.run {
            try self.database.read { try ImageTable.row(id, in: $0) }.map { self.record(of: $0) }
        }
    }

    /// Waits until the files of all layers that have been removed are deleted. They are gone for everybody before; this
    /// is for those who look at the disk.
    package func finishDisposal() async { await disposal.finished() }

    /// All that `docker image inspect` shows.
    package func inspect(_ nameOrID: String) async throws -> ImageDetails {
        try await pool.run {
            let record = try self.resolved(nameOrID)
            return ImageDetails(
                record: record, driver: self.snapshotter.driver, driverData: try self.driverData(of: record))
        }
    }

    /// How the image was made, newest step first.
    package func history(_ nameOrID: String) async throws -> [ImageHistoryEntry] {
        try await pool.run { try self.historyEntries(of: self.resolved(nameOrID)) }
    }

    /// Gives an image a name; a name that another image had moves, and leaves that one dangling. Returns the image.
    @discardableResult
    package func tag(_ nameOrID: String, as reference: ImageReference) async throws -> ImageRecord {
        guard reference.digest == nil else {
            throw ImagesError(.invalid, "refusing to create a tag with a digest reference")
        }
        return try await pool.run {
            try self.changes.withLock { _ in
                let record = try self.resolved(nameOrID)
                _ = try self.database.write { database in
                    try ImageTable.setReference(reference.withDefaultTag, to: record.id, at: .now(), in: database)
                }
                self.updateIndex()
                return try self.resolved(record.id.description)
            }
        }
    }

    /// The images that pass the filters, newest first. With a `reference` filter an image has only the names that pass
    /// it.
    package func list(_ filters: ImageFilters = ImageFilters(), sharedSize: Bool = false) async throws -> [ImageSummary]
    {
        try await pool.run { try ImageListing(images: self, filters: filters, sharedSize: sharedSize).run() }
    }

    /// Counts and bytes for `docker info` and `docker system df`.
    package func usage() async throws -> ImagesUsage {
        try await pool.run {
            let (count, layers) = try self.database.read { database in
                (
                    try Int.fetchOne(database, sql: "SELECT COUNT(*) FROM image") ?? 0,
                    try String.fetchAll(database, sql: "SELECT DISTINCT snapshot FROM imageLayer")
                )
            }
            let size = try layers.reduce(0) { try $0 + self.layerSize($1) }
            return ImagesUsage(imageCount: count, layersSize: size + self.disposal.pendingBytes)
        }
    }
}
