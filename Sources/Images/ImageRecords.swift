import ContentStore
import GRDB
import OCISpec
import Snapshots

// What is in the database about images, and what their documents say; on threads that may block.
extension Images {
    /// `resolve`, on a thread that may block.
    func resolved(_ nameOrID: String) throws -> ImageRecord {
        let record = try known(nameOrID)
        guard let damage = record.damage else { return record }
        throw ImagesError(
            .system,
            "image \(record.shownName) (\(record.id.short)) is damaged: \(damage). Remove it, then pull or load it "
                + "again"
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
            lastTaggedAt: row.lastTaggedAt, parent: row.parent)
    }

    func layerSize(_ snapshot: String) throws -> Int64 {
        // A layer of an image that was unpacked by another driver is not here.
        try snapshotter.information(snapshot) == nil ? 0 : snapshotter.usage(snapshot).bytes
    }

    func driverData(of record: ImageRecord) throws -> [String: String] {
        // A layer of an image that was unpacked by another driver is not here.
        guard let top = record.topSnapshot, try snapshotter.information(top) != nil else { return [:] }
        return try snapshotter.details(top)
    }

    func historyEntries(of record: ImageRecord) throws -> [ImageHistoryEntry] {
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
}
