import GRDB
import OCISpec

/// A removal of a name, and of the image with its last name, by Docker's rules.
struct ImageRemoval {
    let images: Images
    /// Only what the image has for these; as an image is for one platform here, that is all or nothing.
    var platforms: [Platform] = []
    /// Overrides stopped containers and several names; running containers always keep an image.
    let force: Bool
    /// Which containers were made from an image.
    let users: @Sendable (Digest) throws -> [ImageUser]

    /// Removes what a text means; called with the lock on changes held, whose value is `holds`.
    func run(_ nameOrID: String, _ holds: Holds) throws -> [ImageDeletion] {
        let record = try images.known(nameOrID)
        try checkPlatforms(of: record, nameOrID)
        let containers = try users(record.id)
        let isByID = record.id.description.hasPrefix(nameOrID) || record.id.encoded.hasPrefix(nameOrID)
        var names = record.references
        var untagged: [ImageReference] = []
        if isByID {
            if Self.isSingle(names) {
                try Self.check(record.id, names: [], containers: containers, force: force)
                untagged = names
                names = []
            } else {
                try Self.check(record.id, names: names, containers: containers, force: force)
                untagged = names
                names = []
            }
        } else {
            let reference = try ImageReference(parsing: nameOrID)
            let named =
                record.references.first { $0 == reference.withDefaultTag }
                ?? record.references.first { $0.name == reference.name && $0.digest == reference.digest }
                ?? record.references.first { $0.name == reference.name }
            guard let named else { throw ImagesError.noSuchImage(reference.withDefaultTag.familiar) }
            if !force, Self.isSingle(names), let user = containers.first {
                throw ImagesError(
                    .conflict,
                    "conflict: unable to remove repository reference \"\(nameOrID)\" (must force) - container "
                        + "\(user.containerID.prefix(12)) is using its referenced image \(record.id.short)")
            }
            untagged = [named]
            names.removeAll { $0 == named }
            // With the last tag of a repository its digests go too.
            if named.digest == nil, !names.contains(where: { $0.name == named.name && $0.digest == nil }) {
                untagged += names.filter { $0.name == named.name }
                names.removeAll { $0.name == named.name }
            }
        }
        // An image in use stays, without a name, when the last name was taken away by force.
        let stays = !names.isEmpty || (!isByID && Self.isInUse(containers, force: force))
        return try carryOut(record, untagged: untagged, deletes: !stays, holds)
    }

    private func checkPlatforms(of record: ImageRecord, _ name: String) throws(ImagesError) {
        let own = record.configuration.platform
        for platform in platforms where !own.satisfies(platform) {
            throw ImagesError(
                .notFound,
                "image with reference \(name) was found but its platform (\(own)) does not match the specified "
                    + "platform (\(platform))"
            )
        }
    }

    private func carryOut(
        _ record: ImageRecord, untagged: [ImageReference], deletes: Bool, _ holds: Holds
    ) throws -> [ImageDeletion] {
        let (blobs, layers) = try images.database.read { database in
            (
                try ImageTable.blobs(of: record.id, in: database).filter {
                    try !ImageTable.isReferenced(blob: $0, besidesBy: record.id, in: database)
                }.filter { !holds.contains($0.description) },
                try ImageTable.layers(of: record.id, in: database)
            )
        }
        func forget(in database: Database) throws {
            for name in untagged { try ImageTable.removeReference(name, in: database) }
            if deletes {
                try ImageTable.delete(record.id, in: database)
                // The layers' files go with the image: nothing is left to make blobs of.
                try database.execute(
                    sql: "DELETE FROM imageLateBlob WHERE layer NOT IN (SELECT digest FROM imageBlob)")
            }
        }
        do {
            try images.database.write(forget)
        } catch let error as DatabaseError where deletes && error.resultCode == .SQLITE_FULL {
            // The disk is full, also for the few bytes that would say so: the image's own blobs go first.
            for digest in blobs { try images.content.remove(digest) }
            try images.database.write(forget)
        }
        var done = untagged.map { ImageDeletion.untagged($0.familiar) }
        if deletes {
            done.append(.deleted(record.id.description))
            images.documents.forget(record.id, manifest: record.manifest)
            for digest in blobs { try images.content.remove(digest) }
            if let top = layers.last { done += try images.pruneLayers(from: top, holds).map(ImageDeletion.deleted) }
        }
        images.updateIndex()
        return done
    }

    /// Whether the names amount to one: a single one, or one tag and digests of the same repository.
    private static func isSingle(_ names: [ImageReference]) -> Bool {
        guard names.count > 1 else { return true }
        let tags = names.filter { $0.digest == nil }
        let pinned = Set(names.filter { $0.digest != nil }.map(\.name))
        guard tags.count <= 1, pinned.count == 1 else { return false }
        return tags.allSatisfy { pinned.contains($0.name) }
    }

    private static func isInUse(_ containers: [ImageUser], force: Bool) -> Bool {
        force ? containers.contains(where: \.isRunning) : !containers.isEmpty
    }

    private static func check(
        _ id: Digest, names: [ImageReference], containers: [ImageUser], force: Bool
    ) throws(ImagesError) {
        func conflict(_ force: String, _ why: String) -> ImagesError {
            ImagesError(.conflict, "conflict: unable to delete \(id.short) (\(force)) - \(why)")
        }
        if let running = containers.first(where: \.isRunning) {
            throw conflict(
                "cannot be forced", "image is being used by running container \(running.containerID.prefix(12))")
        }
        guard !force else { return }
        if !names.isEmpty { throw conflict("must be forced", "image is referenced in multiple repositories") }
        if let stopped = containers.first {
            throw conflict(
                "must be forced", "image is being used by stopped container \(stopped.containerID.prefix(12))")
        }
    }
}
