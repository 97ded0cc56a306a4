import LinuxKernel
import OCISpec
import SystemPackage

extension Images {
    /// Removes a name, and the image with its last name, by Docker's rules: `force` overrides stopped containers and
    /// several names; running containers always keep an image. `users` says which containers were made from an image.
    ///
    /// Returns when the image is gone; the files of its layers are deleted behind the answer.
    ///
    /// - Parameter platforms: remove only what the image has for these; as an image is for one platform here, that is
    ///   all or nothing.
    package func remove(
        _ nameOrID: String, platforms: [Platform] = [], force: Bool = false, noPrune: Bool = false,
        users: @escaping @Sendable (Digest) throws -> [ImageUser]
    ) async throws -> [ImageDeletion] {
        try await pool.run {
            try ImagesError.translating {
                let removal = ImageRemoval(images: self, platforms: platforms, force: force, users: users)
                return try self.changes.withLock { try removal.run(nameOrID, $0) }
            }
        }
    }

    /// Removes the images that no container was made from and, as long as `filters.dangling` says so, that have no tag;
    /// without other filters also what unfinished pulls have left. `users` as of `remove`.
    package func prune(
        _ filters: PruneFilters, users: @escaping @Sendable (Digest) throws -> [ImageUser]
    ) async throws -> PrunedImages {
        let pruning = Pruning(images: self, filters: filters, users: users)
        var pruned = try await pool.run { try ImagesError.translating { try pruning.run() } }
        // Room is what a prune is for: its answer comes when there is some.
        await disposal.finished()
        var others = filters
        others.dangling = true
        if others == PruneFilters() { pruned.reclaimed += try await removeUnfinishedDownloads() }
        return pruned
    }

    /// Removes what unfinished pulls have left for being resumed, but for those that are under way. Returns how many
    /// bytes that were.
    @discardableResult
    package func removeUnfinishedDownloads() async throws -> Int64 {
        let files: [FilePath]
        do {
            files = try await downloads.setUnfinishedAside()
        } catch {
            throw ImagesError(translating: error)
        }
        return try await pool.run {
            try ImagesError.translating {
                var bytes: Int64 = 0
                for file in files {
                    // Another prune may have had the same idea.
                    guard let size = try? FileStatus.of(file).size else { continue }
                    try Files.remove(file)
                    bytes += size
                }
                return bytes
            }
        }
    }
}
