import Distribution

extension Images {
    /// Takes over what can change while the daemon runs: how registries are reached, and how many blobs are fetched and
    /// sent at once. What goes on already is not touched.
    package func reload(registries settings: RegistrySettings, concurrentDownloads: Int, concurrentUploads: Int) {
        registries.reload(settings)
        slots.resize(to: concurrentDownloads)
        uploadSlots.resize(to: concurrentUploads)
    }
}
