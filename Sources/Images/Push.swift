import Hashing
import Distribution
import GRDB
import JSON
import OCISpec

/// What a push has put where.
package struct PushedTag: Hashable, Sendable {
    /// The pushed tag.
    package let tag: String
    /// Of the manifest.
    package let digest: Digest
    /// The manifest's bytes.
    package let size: Int64
}

/// A push: the image of a name, or all images that have a tag in its repository.
///
/// An image that came by a pull goes as the very bytes it came as. One whose layers are not compressed goes with
/// compressed ones.
struct Push: Sendable {
    let images: Images
    let reference: ImageReference
    let allTags: Bool
    let credentials: RegistryCredentials
    let progress: @Sendable (ImageProgress) -> Void

    func run() async throws -> [PushedTag] {
        let tags = try await images.pool.run { try self.tags() }
        progress(
            ImageProgress(
                id: nil, status: "The push refers to repository [\(reference.name)]", current: nil, total: nil))
        do {
            var plans: [(tag: ImageReference, plan: PushPlan)] = []
            for tag in tags { plans.append((tag, try await images.pool.run { try self.plan(tag) })) }
            let layers = Set(plans.flatMap { $0.plan.layers.map(\.blob.digest) })
            try await images.streams.run { try images.completeBlobs(layers) }
            let sources = Array(Set(plans.flatMap { $0.plan.layers.flatMap(\.sources) })).sorted()
            let all = plans
            return try await images.registries.with(reference, .push, credentials: credentials, sources: sources) {
                repository in
                var pushed: [PushedTag] = []
                for (tag, plan) in all { pushed.append(try await push(tag, plan, to: repository)) }
                return pushed
            }
        } catch {
            if Task.isCancelled { throw CancellationError() }
            throw ImagesError(translating: error)
        }
    }

    /// What is to be pushed.
    private func tags() throws -> [ImageReference] {
        let all = try images.database.read { database in
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

    private func plan(_ reference: ImageReference) throws -> PushPlan {
        let record = try images.resolved(reference.description)
        let (manifest, document) = try images.documents.manifest(record.manifest)
        let diffIDs = record.configuration.rootfs.diffIDs
        guard diffIDs.count == manifest.layers.count else {
            throw ImagesError(.system, "the manifest of \(reference.familiar) does not fit its configuration")
        }
        let layers = try images.database.read { database in
            try zip(manifest.layers, diffIDs).map { blob, diffID in
                PushPlan.Layer(
                    id: diffID.short, blob: blob,
                    sources: try ImageTable.repositories(having: blob.digest, on: reference, in: database))
            }
        }
        return PushPlan(document: document, manifest: manifest, layers: layers)
    }

    private func push(
        _ reference: ImageReference, _ plan: PushPlan, to repository: Repository
    ) async throws -> PushedTag {
        for layer in plan.layers {
            progress(ImageProgress(id: layer.id, status: "Preparing", current: nil, total: nil))
        }
        for layer in plan.layers.dropFirst(images.uploadSlots.count) {
            progress(ImageProgress(id: layer.id, status: "Waiting", current: nil, total: nil))
        }
        let layers = LayerPush(images, repository)
        let sent = try await withThrowingTaskGroup(of: (Digest, Descriptor).self) { group in
            var seen: Set<Digest> = []
            for layer in plan.layers where seen.insert(layer.blob.digest).inserted {
                group.addTask {
                    try await images.uploadSlots.run {
                        (layer.blob.digest, try await layers.send(layer, progress))
                    }
                }
            }
            var sent: [Digest: Descriptor] = [:]
            for try await (digest, descriptor) in group { sent[digest] = descriptor }
            return sent
        }
        let config = plan.manifest.config
        _ = try await repository.upload(config) { offset in
            PiecewiseFile(owning: try images.content.open(config.digest), offset: offset).pieces(on: images.pool)
        }
        let remote = try plan.pushed(sent)
        try await repository.put(remote, as: .tag(reference.tag ?? "latest"))
        let tag = PushedTag(tag: reference.tag ?? "latest", digest: remote.digest, size: Int64(remote.bytes.count))
        try await images.pool.run {
            try images.changes.withLock { _ in
                try images.database.write { database in
                    // It may have been removed meanwhile.
                    guard try ImageTable.row(config.digest, in: database) != nil else { return }
                    try ImageTable.setDigest(reference.pinned(to: remote.digest), to: config.digest, in: database)
                }
            }
        }
        progress(
            ImageProgress(
                id: nil, status: "\(tag.tag): digest: \(tag.digest) size: \(tag.size)", current: nil, total: nil))
        var result = ImageProgress(id: nil, status: "", current: nil, total: nil)
        result.pushed = tag
        progress(result)
        return tag
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
