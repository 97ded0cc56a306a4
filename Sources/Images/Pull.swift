import Distribution
import JSON
import OCISpec

/// An image that a pull has brought, or found to be here.
package struct PulledImage: Hashable, Sendable {
    package let id: Digest
    /// What was asked for.
    package let reference: ImageReference
    /// The digest under which the registry has it; of an image for several platforms, that of the whole.
    package let digest: Digest
    /// Whether anything is here now that was not before.
    package let isNew: Bool
}

/// A pull: an image, or all of a repository. What is here already is not fetched again, and what an earlier try has
/// left is taken up.
struct Pull: Sendable {
    let images: Images
    /// A tag, a digest, or nothing: `latest`, or all of the repository.
    let reference: ImageReference
    /// Of an image for several platforms, which one; `nil` this machine's.
    let platform: Platform?
    let allTags: Bool
    let credentials: RegistryCredentials
    let progress: @Sendable (ImageProgress) -> Void

    func run() async throws -> [PulledImage] {
        let pulled = try await images.registries.with(reference, .pull, credentials: credentials) { repository in
            guard allTags else { return [try await image(reference.withDefaultTag, from: repository)] }
            var pulled: [PulledImage] = []
            for tag in try await repository.tags() {
                pulled.append(try await image(try reference.tagged(tag), from: repository))
            }
            return pulled
        }
        let name = allTags ? reference.familiarName : reference.withDefaultTag.familiar
        let verb = pulled.contains(where: \.isNew) ? "Downloaded newer image" : "Image is up to date"
        progress(ImageProgress(id: nil, status: "Status: \(verb) for \(name)", current: nil, total: nil))
        return pulled
    }

    private func image(_ reference: ImageReference, from repository: Repository) async throws -> PulledImage {
        let found = try await RemoteImage(reference, platform: platform, from: repository)
        let tag = reference.digest?.description ?? reference.tag ?? ""
        progress(ImageProgress(id: tag, status: "Pulling from \(reference.path)", current: nil, total: nil))
        let names = reference.digest == nil ? [reference, reference.pinned(to: found.digest)] : [reference]
        let (id, isNew) = try await bring(found, names: names, from: repository)
        progress(ImageProgress(id: nil, status: "Digest: \(found.digest)", current: nil, total: nil))
        return PulledImage(id: id, reference: reference, digest: found.digest, isNew: isNew)
    }

    private func bring(
        _ found: RemoteImage, names: [ImageReference], from repository: Repository
    ) async throws -> (Digest, isNew: Bool) {
        let id = found.manifest.config.digest
        if let known = try await images.record(id), known.damage == nil {
            try check(known.configuration, names[0])
            let isNamed = names.allSatisfy { known.references.contains($0) }
            // It may have come by another way, with other blobs for the same layers: then those stay.
            if !isNamed { try await images.pool.run { try name(id, names) } }
            let layers = PullProgress(found.manifest.layers, progress)
            if !isNamed { for index in found.manifest.layers.indices { layers.exists(index) } }
            return (id, !isNamed)
        }
        let configuration = try await repository.document(found.manifest.config)
        let image = try found.newImage(configuration, names: names)
        try check(try JSON.decode(ImageConfiguration.self, from: configuration), names[0])
        let layers = LayerPull(images, image, found.manifest.layers, from: repository)
        do {
            try await layers.run(progress)
        } catch is StaleDownload {
            // Now there is nothing of the earlier try any more that could be wrong.
            try await layers.run(progress)
        }
        return (id, true)
    }

    private func name(_ id: Digest, _ names: [ImageReference]) throws {
        try images.changes.withLock { _ in
            try images.database.write { database in
                guard try ImageTable.row(id, in: database) != nil else { throw ImagesError.noSuchImage(id.description) }
                for name in names { try ImageTable.setReference(name, to: id, at: .now(), in: database) }
            }
            images.updateIndex()
        }
    }

    private func check(_ configuration: ImageConfiguration, _ reference: ImageReference) throws(ImagesError) {
        guard let platform, !configuration.platform.satisfies(platform) else { return }
        throw ImagesError(
            .notFound,
            "image with reference \(reference.familiar) was found but does not match the specified platform: wanted "
                + "\(platform), actual: \(configuration.platform)")
    }
}
