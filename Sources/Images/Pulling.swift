import Hashing
import ContentStore
import Distribution
import JSON
import LinuxKernel
import OCISpec
import SystemPackage

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

extension Images {
    /// Pulls an image, or with `allTags` all of a repository. What is here already is not fetched again, and what an earlier try has left is taken up.
    ///
    /// Cancelling the task stops it; what has been downloaded by then stays for the next try, for a week.
    ///
    /// - Parameters:
    ///   - reference: a tag, a digest, or nothing: `latest`.
    ///   - platform: of an image for several platforms, which one; `nil` this machine's.
    ///   - progress: told in the words of Docker's daemon.
    /// - Throws: `ImagesError`, with the texts of Docker.
    @discardableResult
    package func pull(
        _ reference: ImageReference, platform: Platform? = nil, allTags: Bool = false,
        credentials: RegistryCredentials = .anonymous,
        progress: @escaping @Sendable (ImageProgress) -> Void = { _ in }
    ) async throws -> [PulledImage] {
        do {
            let pulled = try await registries.with(reference, .pull, credentials: credentials) { repository in
                guard allTags else {
                    let wanted = reference.withDefaultTag
                    return [try await self.pull(wanted, platform, from: repository, progress)]
                }
                var pulled: [PulledImage] = []
                for tag in try await repository.tags() {
                    pulled.append(
                        try await self.pull(try reference.tagged(tag), platform, from: repository, progress))
                }
                return pulled
            }
            let name = allTags ? reference.familiarName : reference.withDefaultTag.familiar
            let verb = pulled.contains(where: \.isNew) ? "Downloaded newer image" : "Image is up to date"
            progress(ImageProgress(id: nil, status: "Status: \(verb) for \(name)", current: nil, total: nil))
            return pulled
        } catch {
            throw Self.explained(error, reference)
        }
    }

    /// Removes what unfinished pulls have left for being resumed, but for those that are under way. Returns how many bytes that were.
    @discardableResult
    package func removeUnfinishedDownloads() async throws -> Int64 {
        let files: [FilePath]
        do {
            files = try await downloads.setUnfinishedAside()
        } catch {
            throw ImagesError(translating: error)
        }
        return try await pool.run {
            try ImagesError.translating {
                var bytes: Int64 = 0
                for file in files {
                    // Another prune may have had the same idea.
                    guard let size = try? FileStatus.of(file).size else { continue }
                    try Files.remove(file)
                    bytes += size
                }
                return bytes
            }
        }
    }

    /// The words that Docker has for what registries say.
    static func explained(_ error: any Error, _ reference: ImageReference) -> any Error {
        if Task.isCancelled { return CancellationError() }
        guard let error = error as? DistributionError else { return ImagesError(translating: error) }
        switch error.reason {
        case .denied, .unauthorized: return accessDenied(error, reference)
        case .notFound where error.message.hasPrefix("name unknown"): return accessDenied(error, reference)
        case .notFound where error.message.hasPrefix("blob unknown"):
            return ImagesError(
                .notFound,
                "\(reference.withDefaultTag.familiar): a part of the image is missing in the registry: \(error.message)"
            )
        case .notFound where error.message.hasPrefix("manifest unknown") || error.status == 404:
            return ImagesError(
                .notFound, "manifest for \(reference.withDefaultTag.familiar) not found: \(error.message)")
        default: return ImagesError(translating: error)
        }
    }

    /// Registries do not tell what is not there from what is not for everybody.
    private static func accessDenied(_ error: DistributionError, _ reference: ImageReference) -> ImagesError {
        ImagesError(
            .notFound,
            "pull access denied for \(reference.familiarName), repository does not exist or may require "
                + "'docker login': \(error.message)")
    }

    private func pull(
        _ reference: ImageReference, _ platform: Platform?, from repository: Repository,
        _ progress: @escaping @Sendable (ImageProgress) -> Void
    ) async throws -> PulledImage {
        let found = try await RemoteImage(reference, platform: platform, from: repository)
        let tag = reference.digest?.description ?? reference.tag ?? ""
        progress(ImageProgress(id: tag, status: "Pulling from \(reference.path)", current: nil, total: nil))
        let names = reference.digest == nil ? [reference, reference.pinned(to: found.digest)] : [reference]
        let (id, isNew) = try await bring(found, names: names, platform, from: repository, progress)
        progress(ImageProgress(id: nil, status: "Digest: \(found.digest)", current: nil, total: nil))
        return PulledImage(id: id, reference: reference, digest: found.digest, isNew: isNew)
    }

    private func bring(
        _ found: RemoteImage, names: [ImageReference], _ platform: Platform?, from repository: Repository,
        _ progress: @escaping @Sendable (ImageProgress) -> Void
    ) async throws -> (Digest, isNew: Bool) {
        let id = found.manifest.config.digest
        if let known = try await record(id), known.damage == nil {
            try Self.check(known.configuration, is: platform, names[0])
            let isNamed = names.allSatisfy { known.references.contains($0) }
            // It may have come by another way, with other blobs for the same layers: then those stay.
            if !isNamed { try await pool.run { try self.name(id, names) } }
            let layers = PullProgress(found.manifest.layers, progress)
            if !isNamed { for index in found.manifest.layers.indices { layers.exists(index) } }
            return (id, !isNamed)
        }
        let configuration = try await document(found.manifest.config, from: repository)
        let image = try found.newImage(configuration, names: names)
        try Self.check(try JSON.decode(ImageConfiguration.self, from: configuration), is: platform, names[0])
        do {
            try await pullLayers(of: image, found.manifest.layers, from: repository, progress)
        } catch is StaleDownload {
            // Now there is nothing of the earlier try any more that could be wrong.
            try await pullLayers(of: image, found.manifest.layers, from: repository, progress)
        }
        return (id, true)
    }

    private func name(_ id: Digest, _ names: [ImageReference]) throws {
        try changes.withLock { _ in
            try database.write { database in
                guard try ImageTable.row(id, in: database) != nil else { throw ImagesError.noSuchImage(id.description) }
                for name in names { try ImageTable.setReference(name, to: id, at: .now(), in: database) }
            }
            updateIndex()
        }
    }

    private static func check(
        _ configuration: ImageConfiguration, is platform: Platform?, _ reference: ImageReference
    ) throws(ImagesError) {
        guard let platform, !configuration.platform.satisfies(platform) else { return }
        throw ImagesError(
            .notFound,
            "image with reference \(reference.familiar) was found but does not match the specified platform: wanted "
                + "\(platform), actual: \(configuration.platform)")
    }

    /// A small blob, whole and verified.
    func document(_ blob: Descriptor, from repository: Repository) async throws -> [UInt8] {
        let limit = Repository.manifestLimit
        guard blob.size <= limit else {
            throw ImagesError(.invalid, "configuration \(blob.digest) is larger than \(limit) bytes")
        }
        let collected = CollectedBytes()
        try await repository.fetch(blob) { await collected.append($0) }
        let bytes = await collected.bytes
        let found = ContentHasher.digest(of: bytes, blob.digest.algorithm)
        guard found == blob.digest else {
            throw ImagesError(
                .invalid, "image config verification failed for digest \(blob.digest): the registry sent \(found)")
        }
        return bytes
    }
}

private actor CollectedBytes {
    private(set) var bytes: [UInt8] = []

    func append(_ piece: TransferPiece) { piece.withUnsafeBytes { bytes += $0 } }
}

/// An image as a registry has it, for one platform.
struct RemoteImage: Sendable {
    /// Of what the tag names: the index, where there is one.
    let digest: Digest
    /// The manifest's bytes as they are: pushed again they keep their digest.
    let document: [UInt8]
    let manifest: ImageManifest

    init(_ reference: ImageReference, platform: Platform?, from repository: Repository) async throws {
        let selector: ManifestSelector =
            if let digest = reference.digest { .digest(digest) } else { .tag(reference.tag ?? "latest") }
        var remote = try await repository.manifest(selector, digest: Self.digest)
        digest = remote.digest
        var depth = 0
        while MediaType.isIndex(remote.mediaType) {
            guard depth < 4 else {
                throw ImagesError(.invalid, "\(reference.familiar): the indexes are nested too deeply")
            }
            depth += 1
            let index = try Self.decode(ImageIndex.self, remote)
            let entry = try Self.choose(platform, from: index)
            remote = try await repository.manifest(.digest(entry.digest), digest: Self.digest)
        }
        guard MediaType.isManifest(remote.mediaType) else {
            if remote.mediaType.contains("manifest.v1") {
                throw ImagesError(
                    .invalid,
                    "\(reference.familiar) is stored as a Docker Image manifest version 2, schema 1, which is not supported: "
                        + "push it again with a newer tool")
            }
            throw ImagesError(.invalid, "\(reference.familiar): unsupported manifest media type \(remote.mediaType)")
        }
        document = remote.bytes
        manifest = try Self.decode(ImageManifest.self, remote)
        let type = manifest.config.mediaType
        guard type == MediaType.ociConfiguration || type == MediaType.dockerConfiguration else {
            throw ImagesError(
                .invalid, "\(reference.familiar) is not an image: unsupported config media type \(type)")
        }
        for layer in manifest.layers { try layer.requireLayer(of: reference.familiar) }
    }

    private static func digest(_ bytes: [UInt8], _ algorithm: Digest.Algorithm) -> Digest {
        ContentHasher.digest(of: bytes, algorithm)
    }

    private static func decode<T: Decodable>(_ type: T.Type, _ remote: RemoteManifest) throws -> T {
        do {
            return try JSON.decode(type, from: remote.bytes)
        } catch {
            throw ImagesError(.invalid, "invalid manifest \(remote.digest): \(error)")
        }
    }

    /// The entry for a platform. What says it is for `unknown` are notes about the others.
    static func choose(_ platform: Platform?, from index: ImageIndex) throws(ImagesError) -> Descriptor {
        let wanted = platform ?? .host
        let images = index.manifests.filter { entry in
            entry.annotations?[Annotation.dockerReferenceType] == nil && entry.platform?.os != "unknown"
                && (MediaType.isManifest(entry.mediaType) || MediaType.isIndex(entry.mediaType))
        }
        if let fitting = images.first(where: { $0.platform?.satisfies(wanted) ?? false }) { return fitting }
        // An index of one image that does not say what it is for.
        if images.count == 1, images[0].platform == nil { return images[0] }
        throw ImagesError(.notFound, "no matching manifest for \(wanted) in the manifest list entries")
    }

    func newImage(_ configuration: [UInt8], names: [ImageReference]) throws -> NewImage {
        let diffIDs: [Digest]
        do {
            diffIDs = try JSON.decode(ImageConfiguration.self, from: configuration).rootfs.diffIDs
        } catch {
            throw ImagesError(.invalid, "invalid image configuration \(manifest.config.digest): \(error)")
        }
        guard diffIDs.count == manifest.layers.count else {
            throw ImagesError(
                .invalid,
                "invalid manifest, layers length mismatch: expected \(diffIDs.count), got \(manifest.layers.count)")
        }
        return NewImage(
            configuration: configuration, manifest: document, layers: manifest.layers.map(\.digest), diffIDs: diffIDs,
            references: names)
    }
}
