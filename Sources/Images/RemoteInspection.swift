import Hashing
import ContentStore
import Distribution
import JSON
import OCISpec

/// What a registry has under a name, without any of it being fetched but the manifest.
package struct RemoteDescription: Sendable {
    /// The manifest or index.
    package let descriptor: Descriptor
    /// The manifest's or index's bytes.
    package let document: [UInt8]
    /// For which platforms there is an image.
    package let platforms: [Platform]
}

extension Images {
    /// Asks a registry what it has under a name; throws as `pull` does.
    package func inspectRemote(
        _ reference: ImageReference, credentials: RegistryCredentials = .anonymous
    ) async throws -> RemoteDescription {
        let wanted = reference.withDefaultTag
        let selector: ManifestSelector =
            if let digest = wanted.digest { .digest(digest) } else { .tag(wanted.tag ?? "latest") }
        do {
            return try await registries.with(wanted, .pull, credentials: credentials) { repository in
                let remote = try await repository.manifest(selector) { ContentHasher.digest(of: $0, $1) }
                let descriptor = Descriptor(
                    mediaType: remote.mediaType, digest: remote.digest, size: Int64(remote.bytes.count))
                return RemoteDescription(
                    descriptor: descriptor, document: remote.bytes,
                    platforms: try await Self.platforms(of: remote, in: repository))
            }
        } catch {
            throw ImagesError.explained(error, wanted)
        }
    }

    private static func platforms(of remote: RemoteManifest, in repository: Repository) async throws -> [Platform] {
        if MediaType.isIndex(remote.mediaType) {
            return try JSON.decode(ImageIndex.self, from: remote.bytes).manifests.compactMap(\.platform)
        }
        guard MediaType.isManifest(remote.mediaType) else { return [] }
        let manifest = try JSON.decode(ImageManifest.self, from: remote.bytes)
        let type = manifest.config.mediaType
        guard type == MediaType.ociConfiguration || type == MediaType.dockerConfiguration else { return [] }
        let configuration = try await repository.document(manifest.config)
        return [try JSON.decode(ImageConfiguration.self, from: configuration).platform]
    }
}
