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
}
