/// The media types of images that this product reads and writes, OCI's and Docker's.
package enum MediaType {
    /// An OCI index.
    package static let ociIndex = "application/vnd.oci.image.index.v1+json"
    /// An OCI image manifest.
    package static let ociManifest = "application/vnd.oci.image.manifest.v1+json"
    /// An OCI image configuration.
    package static let ociConfiguration = "application/vnd.oci.image.config.v1+json"
    /// A layer as it is.
    package static let ociLayer = "application/vnd.oci.image.layer.v1.tar"
    /// A layer, compressed with gzip.
    package static let ociLayerGzip = "application/vnd.oci.image.layer.v1.tar+gzip"
    /// A layer, compressed with zstd.
    package static let ociLayerZstd = "application/vnd.oci.image.layer.v1.tar+zstd"
    /// Docker's list of manifests.
    package static let dockerManifestList = "application/vnd.docker.distribution.manifest.list.v2+json"
    /// Docker's image manifest, version 2, schema 2.
    package static let dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
    /// Docker's image configuration.
    package static let dockerConfiguration = "application/vnd.docker.container.image.v1+json"
    /// Docker's layer as it is.
    package static let dockerLayer = "application/vnd.docker.image.rootfs.diff.tar"
    /// Docker's layer, compressed with gzip.
    package static let dockerLayerGzip = "application/vnd.docker.image.rootfs.diff.tar.gzip"

    package static let dockerForeignLayer = "application/vnd.docker.image.rootfs.foreign.diff.tar"
    package static let ociForeignLayer = "application/vnd.oci.image.layer.nondistributable.v1.tar"

    /// Whether the type is that of a layer as an archive, in whatever compression.
    package static func isLayer(_ type: String) -> Bool {
        let kinds = [ociLayer, dockerLayer, dockerForeignLayer, ociForeignLayer]
        return kinds.contains { kind in
            ["", "+gzip", "+zstd", ".gzip", ".zstd"].contains { type == kind + $0 }
        }
    }

    /// Whether the type is that of a layer that registries need not have.
    package static func isForeignLayer(_ type: String) -> Bool {
        isLayer(type) && (type.hasPrefix(dockerForeignLayer) || type.hasPrefix(ociForeignLayer))
    }

    /// Whether the type is that of a list of manifests.
    package static func isIndex(_ type: String?) -> Bool { type == ociIndex || type == dockerManifestList }

    /// Whether the type is that of one image's manifest.
    package static func isManifest(_ type: String?) -> Bool { type == ociManifest || type == dockerManifest }
}

/// Annotation keys that tools agree upon.
package enum Annotation {
    /// The tag (or, with some tools, the full reference) of an entry of an image layout's `index.json`.
    package static let referenceName = "org.opencontainers.image.ref.name"
    /// The full reference, as containerd and Docker write it beside `referenceName`.
    package static let containerdImageName = "io.containerd.image.name"
    /// Set to `attestation-manifest` on entries that are no images.
    package static let dockerReferenceType = "vnd.docker.reference.type"
}

/// A pointer to a blob: its type, digest and size (image-spec, descriptor.md).
package struct Descriptor: Hashable, Sendable, Codable {
    /// The type of the content, such as ``MediaType/ociManifest``.
    package var mediaType: String
    /// The digest of the content.
    package var digest: Digest
    /// In bytes.
    package var size: Int64
    /// Other places to get the content from.
    package var urls: [String]?
    /// Notes by name.
    package var annotations: [String: String]?
    /// The platform that the content is for, in an index.
    package var platform: Platform?
    /// The kind of artifact that the content is.
    package var artifactType: String?

    /// A descriptor of content.
    package init(
        mediaType: String, digest: Digest, size: Int64, annotations: [String: String]? = nil,
        platform: Platform? = nil
    ) {
        self.mediaType = mediaType
        self.digest = digest
        self.size = size
        self.annotations = annotations
        self.platform = platform
    }

    enum CodingKeys: String, CodingKey {
        case mediaType, digest, size, urls, annotations, platform, artifactType
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        mediaType = try container.decode(String.self, forKey: .mediaType)
        digest = try container.decode(Digest.self, forKey: .digest)
        size = try container.decode(Int64.self, forKey: .size)
        guard size >= 0 else {
            throw DecodingError.dataCorruptedError(
                forKey: .size, in: container, debugDescription: "a size must not be negative")
        }
        urls = try container.decodeIfPresent([String].self, forKey: .urls)
        annotations = try container.decodeIfPresent([String: String].self, forKey: .annotations)
        platform = try container.decodeIfPresent(Platform.self, forKey: .platform)
        artifactType = try container.decodeIfPresent(String.self, forKey: .artifactType)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(mediaType, forKey: .mediaType)
        try container.encode(digest, forKey: .digest)
        try container.encode(size, forKey: .size)
        try container.encodeIfPresent(urls, forKey: .urls)
        try container.encodeSorted(annotations, forKey: .annotations)
        try container.encodeIfPresent(platform, forKey: .platform)
        try container.encodeIfPresent(artifactType, forKey: .artifactType)
    }
}
