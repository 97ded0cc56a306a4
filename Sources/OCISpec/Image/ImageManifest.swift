/// An image manifest: one configuration and its layers, lowest first (image-spec, manifest.md; also Docker's
/// schema 2, which has the same fields).
package struct ImageManifest: Hashable, Sendable, Codable {
    package var schemaVersion: Int
    package var mediaType: String?
    package var artifactType: String?
    package var config: Descriptor
    package var layers: [Descriptor]
    package var annotations: [String: String]?

    enum CodingKeys: String, CodingKey { case schemaVersion, mediaType, artifactType, config, layers, annotations }

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
    package var schemaVersion: Int
    package var mediaType: String?
    package var manifests: [Descriptor]
    package var annotations: [String: String]?

    enum CodingKeys: String, CodingKey { case schemaVersion, mediaType, manifests, annotations }

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
    package var imageLayoutVersion: String

    package init() { imageLayoutVersion = "1.0.0" }
}
