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
    /// Configurations never change, and every list needs all of them.
    private let configurations = Mutex<[Digest: ImageConfiguration]>([:])

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
        content = try ContentStore(opening: directory.appending("content"))
        slots = TransferSlots(concurrentDownloads)
        uploadSlots = TransferSlots(concurrentUploads)
        downloads = Downloads(content: content, slots: slots)
        try recover()
    }

    /// Adds this module's migrations; their names begin with `images-`.
    package static func registerMigrations(in migrator: inout DatabaseMigrator) {
        ImageTable.registerMigrations(in: &migrator)
        ImageTable.registerCompressedLayers(in: &migrator)
    }

    /// The image that a user means: a name with or without tag (`latest`), a name with a digest, an id or the
    /// beginning of one. Throws `notFound`, "No such image: …".
    package func resolve(_ nameOrID: String) async throws -> ImageRecord {
        try await pool.run { try self.resolved(nameOrID) }
    }

    /// The image with this id, or `nil`.
    package func record(_ id: Digest) async throws -> ImageRecord? {
        try await pool.run {
            try self.database.read { try ImageTable.row(id, in: $0) }.map { try self.record(of: $0) }
        }
    }

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
                try self.database.write { database in
                    try ImageTable.setReference(reference.withDefaultTag, to: record.id, at: .now(), in: database)
                    try self.writeIndex(in: database)
                }
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
            return ImagesUsage(imageCount: count, layersSize: try layers.reduce(0) { try $0 + self.layerSize($1) })
        }
    }
}

// MARK: Blocking parts

extension Images {
    /// `resolve`, on a thread that may block.
    func resolved(_ nameOrID: String) throws -> ImageRecord {
        let row = try database.read { database in
            try find(nameOrID, in: database).flatMap { try ImageTable.row($0, in: database) }
        }
        guard let row else {
            let name = (try? ImageReference(parsing: nameOrID))?.withDefaultTag.familiar  // else it was meant as an id
            throw ImagesError.noSuchImage(name ?? nameOrID)
        }
        return try record(of: row)
    }

    private func find(_ nameOrID: String, in database: Database) throws -> Digest? {
        if let id = Digest(nameOrID) { return try ImageTable.row(id, in: database)?.id }
        // A text that is no name may still be an id.
        if let reference = try? ImageReference(parsing: nameOrID) {
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

    func record(of row: ImageTable.Row) throws -> ImageRecord {
        ImageRecord(
            id: row.id, manifest: row.manifest, configuration: try configuration(row.id), size: row.size,
            storedAt: row.storedAt, references: row.references, lastTaggedAt: row.lastTaggedAt)
    }

    func configuration(_ id: Digest) throws -> ImageConfiguration {
        if let known = configurations.withLock({ $0[id] }) { return known }
        let configuration = try JSON.decode(ImageConfiguration.self, from: content.read(id))
        configurations.withLock { $0[id] = configuration }
        return configuration
    }

    func forgetConfiguration(_ id: Digest) { _ = configurations.withLock { $0.removeValue(forKey: id) } }

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

    /// Rewrites the layout's `index.json` from the database, for other tools. Called within the transaction that changed it.
    func writeIndex(in database: Database) throws {
        var manifests: [Descriptor] = []
        for row in try ImageTable.all(in: database) {
            guard let size = content.size(of: row.manifest) else { continue }
            let plain = Descriptor(
                mediaType: try mediaType(ofManifest: row.manifest), digest: row.manifest, size: size,
                platform: try configuration(row.id).platform)
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
        try content.setIndex(ImageIndex(manifests: manifests))
    }

    private func mediaType(ofManifest digest: Digest) throws -> String {
        try JSON.decode(ImageManifest.self, from: content.read(digest)).mediaType ?? MediaType.ociManifest
    }

    /// Removes what a crash left: blobs and layers that belong to no image.
    private func recover() throws {
        try dropUnsettled()
        let (blobs, layers) = try database.read { database in
            (
                Set(try String.fetchAll(database, sql: "SELECT digest FROM imageBlob")),
                Set(try String.fetchAll(database, sql: "SELECT snapshot FROM imageLayer"))
            )
        }
        for digest in try content.list() where !blobs.contains(digest.description) { try content.remove(digest) }
        // Children first, as parents cannot go before them.
        for snapshot in try snapshotter.list().reversed() where snapshot.state == .committed {
            guard !layers.contains(snapshot.name) else { continue }
            do throws(SnapshotError) {
                try snapshotter.remove(snapshot.name)
            } catch .inUse {
                continue  // a container whose image was removed by force still stands on it
            }
        }
        // What was downloaded of an image that nobody has pulled to its end for a week.
        try content.sweepIngests(keeping: [], unusedSince: Int64(time(nil)) - 7 * 86400)
        try database.write { database in
            try database.execute(
                sql: "DELETE FROM imageCompressedLayer WHERE layer NOT IN (SELECT digest FROM imageBlob)")
            try writeIndex(in: database)
        }
        settleSoon()
    }
}
