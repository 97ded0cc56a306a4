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
    /// How long new images wait for being flushed to the disk, so that several are flushed together.
    let settlingDelay: Duration
    let logger: Logger
    /// For short work: queries, mkdir, rename.
    let pool = BlockingPool(threads: 8, name: "images")
    /// For archives that come in at the speed of a client.
    let streams = BlockingPool(threads: 16, name: "images-stream")
    /// Held while images come and go, so that nothing is swept away that is about to be used. Only threads of the pools
    /// wait for it.
    let changes = Mutex(Holds())
    /// Staged snapshots that could not be removed yet.
    let leftovers = Mutex<Set<String>>([])
    /// Tells this start of the machine from every other.
    let boot = BootIdentifier.current
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
        self.settlingDelay = settlingDelay
        self.database = database
        self.snapshotter = snapshotter
        self.logger = logger
        let root = directory.appending("content")
        try StoreIdentity.check(root, database, setAsideIn: directory, logger)
        content = try ContentStore(opening: root)
        documents = ImageDocuments(content)
        disposal = LayerDisposal(snapshotter, logger)
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
    }

    /// The image that a user means: a name with or without tag (`latest`), a name with a digest, an id or the
    /// beginning of one. Throws `notFound`, "No such image: …", `invalid` for what is neither name nor id, and `system` for
    /// an image that is damaged.
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

    /// Waits until the files of all layers that have been removed are deleted. They are gone for everybody before; this is for those
    /// who look at the disk.
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

// MARK: Blocking parts

extension Images {
    /// `resolve`, on a thread that may block.
    func resolved(_ nameOrID: String) throws -> ImageRecord {
        let record = try known(nameOrID)
        guard let damage = record.damage else { return record }
        throw ImagesError(
            .system,
            "image \(record.shownName) (\(record.id.short)) is damaged: \(damage). Remove it, then pull or load it again"
        )
    }

    /// The same for what has no need of the image's documents: a damaged one, too.
    func known(_ nameOrID: String) throws -> ImageRecord {
        let row = try database.read { database in
            try find(nameOrID, in: database).flatMap { try ImageTable.row($0, in: database) }
        }
        guard let row else {
            let name = (try? ImageReference(parsing: nameOrID))?.withDefaultTag.familiar  // else it was meant as an id
            throw ImagesError.noSuchImage(name ?? nameOrID)
        }
        return record(of: row)
    }

    private func find(_ nameOrID: String, in database: Database) throws -> Digest? {
        if let id = Digest(nameOrID) { return try ImageTable.row(id, in: database)?.id }
        // 64 digits are an id, and no name; anything else is a name, or the beginning of an id, which looks like one.
        let reference: ImageReference?
        do throws(ImageReferenceError) {
            reference = try ImageReference(parsing: nameOrID)
        } catch {
            guard case .identifier = error else { throw ImagesError(.invalid, error.description) }
            reference = nil
        }
        if let reference {
            if let id = try ImageTable.image(named: reference.withDefaultTag, in: database) { return id }
            if let digest = reference.digest {
                return try ImageTable.image(named: reference.pinned(to: digest), in: database)
                    ?? ImageTable.image(withManifest: digest, in: reference.name, in: database)
            }
        }
        let prefix = nameOrID.hasPrefix("sha256:") ? String(nameOrID.dropFirst(7)) : nameOrID
        guard !prefix.isEmpty else { return nil }
        let found = try ImageTable.images(idPrefix: prefix, in: database)
        return found.count == 1 ? found[0] : nil
    }

    func record(of row: ImageTable.Row) -> ImageRecord {
        var configuration = ImageConfiguration(platform: .host, diffIDs: [])
        var manifest: Descriptor?
        var damage: String?
        do {
            manifest = try documents.descriptor(ofManifest: row.manifest)
            configuration = try documents.configuration(row.id)
        } catch {
            damage = error.message
        }
        return ImageRecord(
            id: row.id, manifest: row.manifest, manifestDescriptor: manifest, configuration: configuration,
            damage: damage, size: row.size, storedAt: row.storedAt, references: row.references,
            lastTaggedAt: row.lastTaggedAt)
    }

    func layerSize(_ snapshot: String) throws -> Int64 {
        // A layer of an image that was unpacked by another driver is not here.
        try snapshotter.information(snapshot) == nil ? 0 : snapshotter.usage(snapshot).bytes
    }

    private func driverData(of record: ImageRecord) throws -> [String: String] {
        // A layer of an image that was unpacked by another driver is not here.
        guard let top = record.topSnapshot, try snapshotter.information(top) != nil else { return [:] }
        return try snapshotter.details(top)
    }

    private func historyEntries(of record: ImageRecord) throws -> [ImageHistoryEntry] {
        var layers = ChainID.chain(of: record.configuration.rootfs.diffIDs)[...]
        var entries: [ImageHistoryEntry] = []
        for step in record.configuration.history ?? [] {
            var size: Int64 = 0
            if step.emptyLayer != true, let layer = layers.popFirst() { size = try layerSize(layer.description) }
            entries.append(
                ImageHistoryEntry(
                    id: "<missing>", created: step.created, createdBy: step.createdBy ?? "",
                    comment: step.comment ?? "", tags: [], size: size))
        }
        entries.reverse()
        if let first = entries.first {
            entries[0] = ImageHistoryEntry(
                id: record.id.description, created: first.created, createdBy: first.createdBy, comment: first.comment,
                tags: record.repositoryTags, size: first.size)
        }
        return entries
    }

    /// Rewrites the layout's `index.json` from the database, for other tools. Called with the lock on changes held, after what has
    /// changed is in the database. A failure is no failure of the change: the next one, or the next start, writes it again.
    func updateIndex() {
        do {
            try content.setIndex(ImageIndex(manifests: try database.read { try self.indexEntries(in: $0) }))
        } catch {
            logger.warning("index.json cannot be written", metadata: ["error": "\(error)"])
        }
    }

    private func indexEntries(in database: Database) throws -> [Descriptor] {
        var manifests: [Descriptor] = []
        for row in try ImageTable.all(in: database) {
            let record = record(of: row)
            guard var plain = record.manifestDescriptor, record.damage == nil else { continue }
            plain.platform = record.configuration.platform
            if row.references.isEmpty { manifests.append(plain) }
            for reference in row.references where reference.tag != nil {
                var named = plain
                named.annotations = [
                    Annotation.containerdImageName: reference.description,
                    Annotation.referenceName: reference.tag ?? "",
                ]
                manifests.append(named)
            }
        }
        return manifests
    }

    /// Removes what a crash left: blobs and layers that belong to no image. Names the images that cannot be read.
    private func recover() throws {
        try dropUnsettled()
        let (rows, blobs, layers) = try database.read { database in
            (
                try ImageTable.all(in: database),
                Set(try String.fetchAll(database, sql: "SELECT digest FROM imageBlob")),
                Set(try String.fetchAll(database, sql: "SELECT snapshot FROM imageLayer"))
            )
        }
        for digest in try content.list() where !blobs.contains(digest.description) { try content.remove(digest) }
        // Children first, as parents cannot go before them.
        for snapshot in try snapshotter.list().reversed() where snapshot.state == .committed {
            guard !layers.contains(snapshot.name) else { continue }
            do throws(SnapshotError) {
                disposal.add(try snapshotter.detach(snapshot.name), bytes: 0)
            } catch .inUse {
                continue  // a container whose image was removed by force still stands on it
            }
        }
        // What was downloaded of an image that nobody has pulled to its end for a week.
        try content.sweepIngests(keeping: [], unusedSince: Int64(time(nil)) - 7 * 86400)
        try database.write { database in
            try database.execute(
                sql: "DELETE FROM imageCompressedLayer WHERE layer NOT IN (SELECT digest FROM imageBlob)")
        }
        for row in rows {
            let record = record(of: row)
            guard let damage = record.damage else { continue }
            logger.error(
                "an image is damaged",
                metadata: ["image": "\(record.shownName)", "id": "\(row.id)", "why": "\(damage)"])
        }
        updateIndex()
        settleSoon()
    }
}
