import GRDB
import OCISpec
import Snapshots

extension Images {
    /// Makes the writable snapshot of a container on top of an image.
    ///
    /// - Parameter limit: How many bytes it may take; see `refusal`.
    package func prepareContainerSnapshot(key: String, image: Digest, limit: Int64? = nil) async throws {
        try await prepareContainerSnapshot(key: key, image: try await resolve(image.description), limit: limit)
    }

    /// The same for an image that has been resolved.
    package func prepareContainerSnapshot(key: String, image: ImageRecord, limit: Int64? = nil) async throws {
        try await pool.run {
            try ImagesError.translating {
                let top = image.topSnapshot
                if try self.prepare(key, upon: top, limit: limit) { return }
                guard let row = try self.database.read({ try ImageTable.row(image.id, in: $0) }) else {
                    throw ImagesError.noSuchImage(image.id.description)
                }
                try self.staged.clearingUp { try self.unpackAgain(row) }
                try self.snapshotter.prepare(key, parent: top, limit: limit)
            }
        }
    }

    /// Why a container's snapshot cannot be limited to so many bytes, in Docker's words; `nil` if it can.
    package func refusal(ofLimit bytes: Int64) async throws -> String? {
        try await pool.run { self.snapshotter.refusal(ofLimit: bytes) }
    }

    /// False if there is no snapshot `parent`.
    private func prepare(_ key: String, upon parent: String?, limit: Int64?) throws(SnapshotError) -> Bool {
        do throws(SnapshotError) {
            try snapshotter.prepare(key, parent: parent, limit: limit)
            return true
        } catch {
            if case .notFound(let missing) = error, missing == parent { return false }
            throw error
        }
    }

    /// Unpacks an image from its blobs, when it came in by way of another storage driver.
    private func unpackAgain(_ row: ImageTable.Row) throws {
        logger.info("unpacking an image for this storage driver", metadata: ["image": "\(row.id)"])
        let (document, manifest) = try documents.manifest(row.manifest)
        let descriptors = document.layers
        let configuration = try documents.configuration(row.id)
        guard descriptors.count == configuration.rootfs.diffIDs.count else {
            throw ImagesError(.system, "the manifest of image \(row.id) does not fit its configuration")
        }
        let layers = zip(descriptors, configuration.rootfs.diffIDs).map { descriptor, diffID in
            ArchivedImage.Layer(
                name: descriptor.digest.description, blob: .stored(descriptor.digest, size: descriptor.size, content),
                diffID: diffID)
        }
        let image = ArchivedImage(
            configuration: try content.read(row.id), manifest: manifest, layers: layers, references: [])
        let unpacked = try MissingLayers(self, Cancellation()).unpack(for: [image])
        defer { for layer in unpacked.values { staged.discardIfStaged(layer) } }
        try register([try image.newImage()], blobs: [:], layers: unpacked)
    }

    /// How to mount a container's snapshot; `isDisposable` as in `Snapshotter.mounts`.
    package func mounts(key: String, isDisposable: Bool = false) async throws -> [SnapshotMount] {
        try await pool.run {
            try ImagesError.translating { try self.snapshotter.mounts(key, isDisposable: isDisposable) }
        }
    }

    /// How to mount a container's snapshot, and the same opened for reading.
    package func root(key: String, isDisposable: Bool) async throws -> (mounts: [SnapshotMount], view: SnapshotView) {
        try await pool.run {
            try ImagesError.translating {
                (try self.snapshotter.mounts(key, isDisposable: isDisposable), try self.snapshotter.view(key))
            }
        }
    }

    /// Opens a container's snapshot for reading.
    package func view(key: String) async throws -> SnapshotView {
        try await pool.run { try ImagesError.translating { try self.snapshotter.view(key) } }
    }

    /// What is shown of a container's snapshot as the storage driver's.
    package func snapshotDetails(key: String) async throws -> [String: String] {
        try await pool.run { try ImagesError.translating { try self.snapshotter.details(key) } }
    }

    /// Removes a container's snapshot, and layers that only it still kept. One that does not exist is no error.
    package func removeSnapshot(key: String) async throws {
        try await pool.run {
            try ImagesError.translating {
                guard let information = try self.snapshotter.information(key) else { return }
                try self.snapshotter.remove(key)
                guard let parent = information.parent else { return }
                // Almost always the image is still there; only else is there anything to do.
                let isKept = try self.database.read { try ImageTable.isReferenced(snapshot: parent, in: $0) }
                if !isKept { try self.changes.withLock { _ = try self.pruneLayers(from: parent, $0) } }
            }
        }
    }

    /// What a container itself wrote.
    package func snapshotUsage(key: String) async throws -> SnapshotUsage {
        try await pool.run { try ImagesError.translating { try self.snapshotter.usage(key) } }
    }

    /// Removes a layer and those below it, up to the first that an image, a container or another layer needs. Returns
    /// the names of those that went; their files are deleted behind the answer.
    func pruneLayers(from top: String, _ holds: Holds) throws -> [String] {
        var removed: [String] = []
        var next: String? = top
        while let name = next, let information = try snapshotter.information(name) {
            if holds.contains(name) { break }
            if try database.read({ try ImageTable.isReferenced(snapshot: name, in: $0) }) { break }
            do throws(SnapshotError) {
                let bytes = try snapshotter.usage(name).bytes
                disposal.add(try snapshotter.detach(name), bytes: bytes)
            } catch .inUse {
                break
            } catch .retained {
                break
            }
            removed.append(name)
            next = information.parent
        }
        return removed
    }
}
