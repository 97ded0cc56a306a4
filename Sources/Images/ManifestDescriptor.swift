import OCISpec

extension Images {
    /// The descriptor of the manifest under which an image lies here, with the image's platform; nil if the image is
    /// not here, or is damaged.
    package func manifestDescriptor(ofImage id: Digest) async throws -> Descriptor? {
        guard let record = try await record(id), record.damage == nil else { return nil }
        var descriptor = record.manifestDescriptor
        descriptor?.platform = record.configuration.platform
        return descriptor
    }

    /// Bytes of an image's manifest, configuration and layers as registries have them, which is how they lie here; 0
    /// for a damaged image.
    package func contentSize(of record: ImageRecord) async throws -> Int64 {
        guard record.damage == nil else { return 0 }
        return try await pool.run {
            let (manifest, bytes) = try self.documents.manifest(record.manifest)
            return manifest.layers.reduce(manifest.config.size + Int64(bytes.count)) { $0 + $1.size }
        }
    }
}
