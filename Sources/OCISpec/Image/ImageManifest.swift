/// An image manifest: one configuration and its layers, lowest first (image-spec, manifest.md; also Docker's
/// schema 2, which has the same fields).
package struct ImageManifest: Hashable, Sendable, Codable {
    /// Always 2.
    package var schemaVersion: Int
    /// The type of this document.
    package var mediaType: String?
    /// The kind of artifact, if it is not an image.
    package var artifactType: String?
    /// The configuration.
    package var config: Descriptor
    /// The layers, lowest first.
    package var layers: [Descriptor]
    /// Notes by name.
    package var annotations: [String: String]?

    enum CodingKeys: String, CodingKey { case schemaVersion, mediaType, artifactType, config, layers, annotations }

    /// The OCI manifest of a configuration and its layers.
    package init(config: Descriptor, layers: [Descriptor], annotations: [String: String]? = nil) {
        schemaVersion = 2
        mediaType = MediaType.ociManifest
        self.config = config
        self.layers = layers
        self.annotations = annotations
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(schemaVersion, forKey: .schemaVersion)
        try container.encodeIfPresent(mediaType, forKey: .mediaType)
        try container.encodeIfPresent(artifactType, forKey: .artifactType)
        try container.encode(config, forKey: .config)
        try container.encode(layers, forKey: .layers)
        try container.encodeSorted(annotations, forKey: .annotations)
    }
}

/// An image index: manifests for several platforms, or the entries of an image layout (image-spec, image-index.md).
package struct ImageIndex: Hashable, Sendable, Codable {
    /// Always 2.
    package var schemaVersion: Int
    /// The type of this document.
    package var mediaType: String?
    /// The manifests.
    package var manifests: [Descriptor]
    /// Notes by name.
    package var annotations: [String: String]?

    enum CodingKeys: String, CodingKey { case schemaVersion, mediaType, manifests, annotations }

    /// An OCI index of manifests.
    package init(manifests: [Descriptor], annotations: [String: String]? = nil) {
        schemaVersion = 2
        mediaType = MediaType.ociIndex
        self.manifests = manifests
        self.annotations = annotations
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(schemaVersion, forKey: .schemaVersion)
        try container.encodeIfPresent(mediaType, forKey: .mediaType)
        try container.encode(manifests, forKey: .manifests)
        try container.encodeSorted(annotations, forKey: .annotations)
    }
}

/// The `oci-layout` file of an image layout (image-spec, image-layout.md).
package struct ImageLayout: Hashable, Sendable, Codable {
    /// The version of the layout.
    package var imageLayoutVersion: String

    /// The version that this program writes.
    package init() { imageLayoutVersion = "1.0.0" }
}
