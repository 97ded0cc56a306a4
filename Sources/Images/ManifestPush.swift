import ContentStore
import Distribution
import Hashing
import JSON
import OCISpec

extension Images {
    /// Puts a manifest or an index into a registry as it is, under the tag or the digest of `reference`.
    ///
    /// - Returns: its descriptor.
    /// - Throws: `ImagesError`: `invalid` where `document` has another digest than `reference`.
    package func pushManifest(
        _ document: [UInt8], mediaType: String, as reference: ImageReference,
        credentials: RegistryCredentials = .anonymous
    ) async throws -> Descriptor {
        let wanted = reference.withDefaultTag
        guard MediaType.isIndex(mediaType) || MediaType.isManifest(mediaType) else {
            throw ImagesError(.invalid, "\(wanted.familiar): unsupported manifest media type \(mediaType)")
        }
        let digest = ContentHasher.digest(of: document, wanted.digest?.algorithm ?? .sha256)
        if let name = wanted.digest, name != digest {
            throw ImagesError(.invalid, "\(wanted.familiar): the manifest has the digest \(digest)")
        }
        let manifest = RemoteManifest(mediaType: mediaType, digest: digest, bytes: document)
        do {
            return try await registries.with(wanted, .push, credentials: credentials) { repository in
                try await repository.put(manifest, as: wanted.selector)
                return manifest.descriptor
            }
        } catch {
            throw ImagesError.explained(error, wanted)
        }
    }

    /// Copies an image's manifest, and what it refers to, into another repository of the same registry. The registry
    /// has all of it, and no content goes over the network.
    ///
    /// - Parameter name: of the repository; a tag or a digest of it does not matter.
    /// - Returns: the manifest's descriptor.
    /// - Throws: `ImagesError`: `invalid` where the registries are different, or `source` is an index; `conflict` where
    ///   the registry does not lend content from one repository to the other.
    package func copyManifest(
        _ source: ImageReference, to name: ImageReference, credentials: RegistryCredentials = .anonymous
    ) async throws -> Descriptor {
        let wanted = source.withDefaultTag
        guard wanted.domain == name.domain else {
            throw ImagesError(
                .invalid,
                "cannot use source images from a different registry than the target image: "
                    + "\(wanted.domain) != \(name.domain)")
        }
        do {
            let remote = try await registries.with(wanted, .pull, credentials: credentials) { repository in
                try await repository.manifest(wanted.selector) { ContentHasher.digest(of: $0, $1) }
            }
            guard MediaType.isManifest(remote.mediaType) else {
                throw ImagesError(.invalid, "\(wanted.familiar) is not the manifest of an image: \(remote.mediaType)")
            }
            let manifest = try JSON.decode(ImageManifest.self, from: remote.bytes)
            try await registries.with(name, .push, credentials: credentials, sources: [wanted.path]) { repository in
                for blob in manifest.layers + [manifest.config] {
                    _ = try await repository.upload(blob, mountingFrom: [wanted.path]) { _ in
                        throw ImagesError(
                            .conflict,
                            "failed to mount blob \(wanted.name)@\(blob.digest) to \(name.name): the registry does not "
                                + "lend it from one repository to the other")
                    }
                }
                try await repository.put(remote, as: .digest(remote.digest))
            }
            return remote.descriptor
        } catch {
            throw ImagesError.explained(error, wanted)
        }
    }
}

extension ImageReference {
    fileprivate var selector: ManifestSelector { digest.map { .digest($0) } ?? .tag(tag ?? "latest") }
}

extension RemoteManifest {
    fileprivate var descriptor: Descriptor {
        Descriptor(mediaType: mediaType, digest: digest, size: Int64(bytes.count))
    }
}
