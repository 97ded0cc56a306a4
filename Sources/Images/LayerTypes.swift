import OCISpec

extension Descriptor {
    /// Refuses what cannot be unpacked, with its name: an encrypted layer, an artifact, a layer that lies outside of
    /// registries.
    func requireLayer(of image: String) throws(ImagesError) {
        guard MediaType.isLayer(mediaType) else {
            throw ImagesError(
                .invalid,
                "\(image): layer \(digest) has the media type \(mediaType), which is not that of an archive of files")
        }
        if MediaType.isForeignLayer(mediaType), let url = urls?.first {
            throw ImagesError(
                .notImplemented,
                "\(image): layer \(digest) is foreign (\(mediaType)): it lies at \(url) and not in the registry, and "
                    + "this version does not fetch such layers"
            )
        }
    }
}
