import Hashing
import ContentStore
import Distribution
import JSON
import OCISpec

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
                    "\(reference.familiar) is stored as a Docker Image manifest version 2, schema 1, which is not "
                        + "supported: "
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
