import Hashing
import Archive
import ContentStore
import Distribution
import GRDB
import Glibc
import JSON
import OCISpec
import Synchronization
import SystemPackage

/// What a push has put where.
package struct PushedTag: Hashable, Sendable {
    /// The pushed tag.
    package let tag: String
    /// Of the manifest.
    package let digest: Digest
    /// The manifest's bytes.
    package let size: Int64
}

extension Images {
    /// Pushes the image of a name, or with `allTags` all images that have a tag in its repository.
    ///
    /// An image that came by a pull goes as the very bytes it came as. One whose layers are not compressed goes with compressed ones.
    ///
    /// - Parameter progress: told in the words of Docker's daemon.
    /// - Throws: `ImagesError`, with the texts of Docker.
    @discardableResult
    package func push(
        _ reference: ImageReference, allTags: Bool = false, credentials: RegistryCredentials = .anonymous,
        progress: @escaping @Sendable (ImageProgress) -> Void = { _ in }
    ) async throws -> [PushedTag] {
        guard reference.digest == nil else { throw ImagesError(.invalid, "cannot push a digest reference") }
        let tags = try await pool.run { try self.tags(of: reference, allTags) }
        progress(
            ImageProgress(
                id: nil, status: "The push refers to repository [\(reference.name)]", current: nil, total: nil))
        do {
            var plans: [(tag: ImageReference, plan: PushPlan)] = []
            for tag in tags { plans.append((tag, try await pool.run { try self.plan(tag) })) }
            let sources = Array(Set(plans.flatMap { $0.plan.layers.flatMap(\.sources) })).sorted()
            let all = plans
            return try await registries.with(reference, .push, credentials: credentials, sources: sources) {
                repository in
                var pushed: [PushedTag] = []
                for (tag, plan) in all {
                    pushed.append(try await self.push(tag, plan, to: repository, progress))
                }
                return pushed
            }
        } catch {
            if Task.isCancelled { throw CancellationError() }
            throw ImagesError(translating: error)
        }
    }

    private func tags(of reference: ImageReference, _ allTags: Bool) throws -> [ImageReference] {
        let all = try database.read { database in
            try ImageTable.all(in: database).flatMap(\.references).filter { $0.name == reference.name && $0.tag != nil }
        }
        guard !all.isEmpty else {
            throw ImagesError(
                .notFound, "An image does not exist locally with the tag: \(reference.familiarName)")
        }
        if allTags { return all.sorted { $0.description < $1.description } }
        let wanted = reference.withDefaultTag
        guard all.contains(wanted) else { throw ImagesError(.notFound, "tag does not exist: \(wanted.familiar)") }
        return [wanted]
    }

    private func push(
        _ reference: ImageReference, _ plan: PushPlan, to repository: Repository,
        _ report: @escaping @Sendable (ImageProgress) -> Void
    ) async throws -> PushedTag {
        for layer in plan.layers {
            report(ImageProgress(id: layer.id, status: "Preparing", current: nil, total: nil))
        }
        for layer in plan.layers.dropFirst(uploadSlots.count) {
            report(ImageProgress(id: layer.id, status: "Waiting", current: nil, total: nil))
        }
        let sent = try await withThrowingTaskGroup(of: (Digest, Descriptor).self) { group in
            var seen: Set<Digest> = []
            for layer in plan.layers where seen.insert(layer.blob.digest).inserted {
                group.addTask {
                    try await self.uploadSlots.run {
                        (layer.blob.digest, try await self.push(layer, to: repository, report))
                    }
                }
            }
            var sent: [Digest: Descriptor] = [:]
            for try await (digest, descriptor) in group { sent[digest] = descriptor }
            return sent
        }
        let config = plan.manifest.config
        _ = try await repository.upload(config) { offset in
            try await self.pieces(of: self.content.open(config.digest), from: offset)
        }
        let remote = try plan.pushed(sent)
        try await repository.put(remote, as: .tag(reference.tag ?? "latest"))
        let tag = PushedTag(tag: reference.tag ?? "latest", digest: remote.digest, size: Int64(remote.bytes.count))
        try await pool.run {
            try self.changes.withLock { _ in
                try self.database.write { database in
                    // It may have been removed meanwhile.
                    guard try ImageTable.row(config.digest, in: database) != nil else { return }
                    try ImageTable.setDigest(reference.pinned(to: remote.digest), to: config.digest, in: database)
                }
            }
        }
        report(
            ImageProgress(
                id: nil, status: "\(tag.tag): digest: \(tag.digest) size: \(tag.size)", current: nil, total: nil))
        var result = ImageProgress(id: nil, status: "", current: nil, total: nil)
        result.pushed = tag
        report(result)
        return tag
    }

    /// Sees to it that a layer is in the repository, compressed; returns what it is there.
    private func push(
        _ layer: PushPlan.Layer, to repository: Repository, _ report: @escaping @Sendable (ImageProgress) -> Void
    ) async throws -> Descriptor {
        @Sendable func say(_ status: String) {
            report(ImageProgress(id: layer.id, status: status, current: nil, total: nil))
        }
        var descriptor = layer.blob
        var made: Ingest?
        if layer.needsCompression {
            if let known = try await pool.run({ try self.compressed(layer.blob) }),
                try await repository.hasBlob(known.digest)
            {
                say("Layer already exists")
                return known
            }
            let ingest = try await compress(layer.blob)
            descriptor = layer.blob.compressed(digest: ingest.digest, size: ingest.size)
            let result = descriptor
            try await pool.run { try self.remember(result, for: layer.blob) }
            made = ingest
        }
        let (blob, ingest) = (descriptor, made)
        let pace = Pace()
        let outcome = try await repository.upload(blob, mountingFrom: layer.sources) { sent in
            guard pace.isDue(sent == blob.size) else { return }
            report(ImageProgress(id: layer.id, status: "Pushing", current: sent, total: blob.size))
        } content: { offset in
            try await self.pieces(of: ingest.map { try $0.reading() } ?? self.content.open(blob.digest), from: offset)
        }
        switch outcome {
        case .wasThere: say("Layer already exists")
        case .mounted(let source): say("Mounted from \(source)")
        case .uploaded: say("Pushed")
        }
        withExtendedLifetime(ingest) {}
        return blob
    }

    /// Reads a file piece by piece on threads that may wait for the disk. The descriptor is closed when it is let go.
    private func pieces(
        of file: FileDescriptor, from offset: Int64
    ) async throws -> @Sendable () async throws -> TransferPiece? {
        let reading = PiecewiseFile(owning: file, offset: offset)
        let pool = pool
        return { try await pool.run { try reading.next() } }
    }

    private func compress(_ blob: Descriptor) async throws -> Ingest {
        let cancellation = Cancellation()
        return try await withTaskCancellationHandler {
            try await unpackers.run {
                let file = try self.content.open(blob.digest)
                defer { try? file.close() }  // only read from
                let ingest = try self.content.ingest()
                try GzipEncoder().encode(DescriptorSource(file, isCancelled: { cancellation.isCancelled })) {
                    try ingest.write($0)
                }
                return ingest
            }
        } onCancel: {
            cancellation.cancel()
        }
    }

    // MARK: What layers have become

    /// What a layer was when it was compressed before: the same again, as long as the compression does not change.
    private func compressed(_ blob: Descriptor) throws -> Descriptor? {
        try database.read { database in
            guard
                let row = try Row.fetchOne(
                    database, sql: "SELECT digest, size FROM imageCompressedLayer WHERE layer = ?",
                    arguments: [blob.digest.description])
            else { return nil }
            return blob.compressed(digest: try Digest(parsing: row["digest"] as String), size: row["size"])
        }
    }

    private func remember(_ compressed: Descriptor, for blob: Descriptor) throws {
        try database.write { database in
            try database.execute(
                sql: "INSERT OR REPLACE INTO imageCompressedLayer (layer, digest, size) VALUES (?, ?, ?)",
                arguments: [blob.digest.description, compressed.digest.description, compressed.size])
        }
    }

    private func plan(_ reference: ImageReference) throws -> PushPlan {
        let record = try resolved(reference.description)
        let document = try content.read(record.manifest)
        let manifest = try JSON.decode(ImageManifest.self, from: document)
        let diffIDs = record.configuration.rootfs.diffIDs
        guard diffIDs.count == manifest.layers.count else {
            throw ImagesError(.system, "the manifest of \(reference.familiar) does not fit its configuration")
        }
        let layers = try database.read { database in
            try zip(manifest.layers, diffIDs).map { blob, diffID in
                PushPlan.Layer(
                    id: diffID.short, blob: blob,
                    sources: try ImageTable.repositories(having: blob.digest, on: reference, in: database))
            }
        }
        return PushPlan(document: document, manifest: manifest, layers: layers)
    }
}

/// What a push of one image has to do.
struct PushPlan: Sendable {
    struct Layer: Sendable {
        /// As Docker names layers in a push: by what they are uncompressed.
        let id: String
        let blob: Descriptor
        /// Other repositories of the registry that should have it.
        let sources: [String]

        /// Registries and their users expect compressed layers.
        var needsCompression: Bool { blob.mediaType == MediaType.ociLayer || blob.mediaType == MediaType.dockerLayer }
    }

    let document: [UInt8]
    let manifest: ImageManifest
    let layers: [Layer]

    /// The manifest that goes to the registry: the one that is here, as long as its layers went as they are.
    func pushed(_ sent: [Digest: Descriptor]) throws -> RemoteManifest {
        var changed = manifest
        changed.layers = manifest.layers.map { sent[$0.digest] ?? $0 }
        let bytes = changed.layers == manifest.layers ? document : try JSON.encode(changed)
        return RemoteManifest(
            mediaType: manifest.mediaType ?? MediaType.ociManifest, digest: ContentHasher.digest(of: bytes),
            bytes: bytes)
    }
}

extension Descriptor {
    fileprivate func compressed(digest: Digest, size: Int64) -> Descriptor {
        var result = self
        result.mediaType = mediaType == MediaType.dockerLayer ? MediaType.dockerLayerGzip : MediaType.ociLayerGzip
        result.digest = digest
        result.size = size
        return result
    }
}

/// A file that is read from one place on.
private final class PiecewiseFile: Sendable {
    private let file: FileDescriptor
    private let offset: Mutex<Int64>

    init(owning file: FileDescriptor, offset: Int64) {
        self.file = file
        self.offset = Mutex(offset)
    }

    deinit { try? file.close() }  // only read from

    func next() throws -> TransferPiece? {
        try offset.withLock { offset in
            let piece = try TransferPiece(capacity: 512 << 10) { buffer in
                try file.read(fromAbsoluteOffset: offset, into: buffer)
            }
            offset += Int64(piece.count)
            return piece.count > 0 ? piece : nil
        }
    }
}

/// Lets something happen ten times a second at most.
private final class Pace: Sendable {
    private let last = Mutex<ContinuousClock.Instant?>(nil)

    func isDue(_ always: Bool) -> Bool {
        last.withLock { last in
            let now = ContinuousClock.now
            if !always, let last, now - last < .milliseconds(100) { return false }
            last = now
            return true
        }
    }
}
