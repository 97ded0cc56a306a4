import ContentStore
import Hashing
import JSON
import OCISpec
import Synchronization

/// Manifests and configurations of the images that are here. What was read once is kept: none ever changes, and every
/// list needs them all.
final class ImageDocuments: Sendable {
    private let content: ContentStore
    private let configurations = Mutex<[Digest: ImageConfiguration]>([:])
    private let descriptors = Mutex<[Digest: Descriptor]>([:])

    init(_ content: ContentStore) { self.content = content }

    /// The configuration of an image.
    ///
    /// - Throws: `ImagesError`, which names the blob and says what is wrong with it.
    func configuration(_ id: Digest) throws(ImagesError) -> ImageConfiguration {
        if let known = configurations.withLock({ $0[id] }) { return known }
        let configuration = try read(ImageConfiguration.self, id, "configuration").document
        configurations.withLock { $0[id] = configuration }
        return configuration
    }

    /// A manifest, and the bytes that it was read from.
    func manifest(_ digest: Digest) throws(ImagesError) -> (document: ImageManifest, bytes: [UInt8]) {
        try read(ImageManifest.self, digest, "manifest")
    }

    /// The descriptor of a manifest.
    func descriptor(ofManifest digest: Digest) throws(ImagesError) -> Descriptor {
        if let known = descriptors.withLock({ $0[digest] }) { return known }
        let (manifest, bytes) = try manifest(digest)
        let descriptor = Descriptor(
            mediaType: manifest.mediaType ?? MediaType.ociManifest, digest: digest, size: Int64(bytes.count))
        descriptors.withLock { $0[digest] = descriptor }
        return descriptor
    }

    /// Lets go of an image's documents: it is gone, or they are to be read again.
    func forget(_ id: Digest, manifest: Digest) {
        _ = configurations.withLock { $0.removeValue(forKey: id) }
        _ = descriptors.withLock { $0.removeValue(forKey: manifest) }
    }

    private func read<T: Decodable>(
        _ type: T.Type, _ digest: Digest, _ word: String
    ) throws(ImagesError) -> (document: T, bytes: [UInt8]) {
        do {
            let bytes = try content.read(digest)
            guard ContentHasher.digest(of: bytes, digest.algorithm) == digest else {
                throw ImagesError(.system, "the bytes of \(content.path(of: digest)) have another digest")
            }
            return (try JSON.decode(type, from: bytes), bytes)
        } catch {
            throw ImagesError(.system, "cannot read its \(word) \(digest): \(error)")
        }
    }
}
