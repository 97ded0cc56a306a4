import Archive
import Distribution
import Failure
import LinuxKernel
import OCISpec
import SystemPackage

// How images come and go. Each of these is a value of its own (`Pull`, `Push`, `Import`, `Load`, `Save`) that is run
// here, where it can be cancelled.
extension Images {
    /// Pulls an image, or with `allTags` all of a repository. What is here already is not fetched again, and what an
    /// earlier try has left is taken up.
    ///
    /// Cancelling the task stops it; what has been downloaded by then stays for the next try, for a week.
    ///
    /// - Parameters:
    ///   - reference: a tag, a digest, or nothing: `latest`.
    ///   - platform: of an image for several platforms, which one; `nil` this machine's.
    ///   - progress: told in the words of Docker's daemon.
    /// - Throws: `ImagesError`, with the texts of Docker.
    @discardableResult
    package func pull(
        _ reference: ImageReference, platform: Platform? = nil, allTags: Bool = false,
        credentials: RegistryCredentials = .anonymous,
        progress: @escaping @Sendable (ImageProgress) -> Void = { _ in }
    ) async throws -> [PulledImage] {
        do {
            return try await Pull(
                images: self, reference: reference, platform: platform, allTags: allTags, credentials: credentials,
                progress: progress
            ).run()
        } catch {
            throw ImagesError.explained(error, reference)
        }
    }

    /// Pushes the image of a name, or with `allTags` all images that have a tag in its repository.
    ///
    /// An image that came by a pull goes as the very bytes it came as. One whose layers are not compressed goes with
    /// compressed ones.
    ///
    /// - Parameter progress: told in the words of Docker's daemon.
    /// - Throws: `ImagesError`, with the texts of Docker.
    @discardableResult
    package func push(
        _ reference: ImageReference, allTags: Bool = false, credentials: RegistryCredentials = .anonymous,
        progress: @escaping @Sendable (ImageProgress) -> Void = { _ in }
    ) async throws -> [PushedTag] {
        guard reference.digest == nil else { throw ImagesError(.invalid, "cannot push a digest reference") }
        return try await Push(
            images: self, reference: reference, allTags: allTags, credentials: credentials, progress: progress
        ).run()
    }

    /// Makes an image of one layer from a tar archive, which may be compressed with gzip, zstd, xz or bzip2.
    ///
    /// `stream` (a pipe, socket or file) is read to its end and stays the caller's. `changes` are Dockerfile
    /// instructions as `docker import --change` takes them. Cancelling the task stops it and leaves nothing behind,
    /// like any error.
    package func importImage(
        from stream: FileDescriptor, reference: ImageReference?, changes: [String] = [], message: String = "",
        platform: Platform? = nil, progress: @escaping @Sendable (ImageProgress) -> Void = { _ in }
    ) async throws -> Digest {
        var process = ImageProcess()
        try process.apply(changes)
        if reference?.digest != nil { throw ImagesError(.invalid, "cannot import digest reference") }
        let job = Import(
            images: self, reference: reference, process: process,
            comment: message.isEmpty ? "Imported from -" : message, platform: platform ?? .host, progress: progress)
        return try await running(job.cancellation) { try job.run(from: stream) }
    }

    /// Loads the images of an archive made by `docker save` or of an OCI image layout, in any compression.
    ///
    /// `stream` is read to its end and stays the caller's. Either all of its images come to be, or none.
    ///
    /// - Parameter platforms: Which images to take of several for different machines (this machine's without it); an
    ///   archive that has none for one of them is refused.
    package func load(
        from stream: FileDescriptor, platforms: [Platform] = [],
        progress: @escaping @Sendable (ImageProgress) -> Void = { _ in }
    ) async throws -> [LoadedImage] {
        let job = Load(images: self, platforms: platforms, progress: progress)
        return try await running(job.cancellation) { try job.run(from: stream) }
    }

    /// Writes images as an archive: that of `docker save`, which is at the same time an OCI image layout. Blobs are
    /// written as they are stored, so that digests stay what they are; each once, however many images have it.
    ///
    /// - Parameters:
    ///   - names: A name without a tag stands for all tags of its repository, as with Docker.
    ///   - platforms: An image for none of them is an error; empty: any.
    ///   - stream: Stays the caller's. Nothing is written before everything is known to be there.
    /// - Returns: the ids of the images saved.
    @discardableResult
    package func save(
        _ names: [String], platforms: [Platform] = [], to stream: FileDescriptor
    ) async throws -> [Digest] {
        let job = Save(images: self, names: names, platforms: platforms)
        let cancellation = Cancellation()
        return try await running(cancellation) {
            try self.completeBlobs(job.layers())
            let archive = try job.archive()
            try archive.write(to: DescriptorSink(stream, isCancelled: { cancellation.isCancelled }))
            return archive.images.map(\.id)
        }
    }

    /// Runs what blocks at the speed of a client, and clears up after it; cancelling the task sets `cancellation`.
    private func running<T: Sendable>(
        _ cancellation: Cancellation, _ body: @escaping @Sendable () throws -> T
    ) async throws -> T {
        try await withTaskCancellationHandler {
            try await streams.run { try ImagesError.translating { try self.staged.clearingUp(body) } }
        } onCancel: {
            cancellation.cancel()
        }
    }
}
