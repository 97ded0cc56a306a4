import JSON
import OCISpec

extension Images {
    /// The descriptor of the manifest under which an image lies here, with the image's platform; nil if the image is not here.
    package func manifestDescriptor(ofImage id: Digest) async throws -> Descriptor? {
        try await pool.run {
            try ImagesError.translating {
                guard let row = try self.database.read({ try ImageTable.row(id, in: $0) }) else { return nil }
                let bytes = try self.content.read(row.manifest)
                let manifest = try JSON.decode(ImageManifest.self, from: bytes)
                return Descriptor(
                    mediaType: manifest.mediaType ?? MediaType.ociManifest, digest: row.manifest,
                    size: Int64(bytes.count), platform: try self.record(of: row).configuration.platform)
            }
        }
    }
}
