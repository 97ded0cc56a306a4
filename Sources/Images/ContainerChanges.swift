import Hashing
import Archive
import ContentStore
import GRDB
import Glibc
import JSON
import LinuxKernel
import OCISpec
import Snapshots
import Synchronization
import SystemPackage

/// What an image made of a container says beyond the container's files.
package struct CommitDescription: Sendable {
    /// The name of the new image.
    package var reference: ImageReference?
    /// The author, for the history.
    package var author = ""
    /// The message, for the history.
    package var comment = ""
    /// How containers of the image run.
    package var process: ImageProcess
    /// What the container ran, for the history.
    package var createdBy = ""

    /// A commit with the configuration of the new image.
    package init(process: ImageProcess) { self.process = process }
}

extension Images {
    private static let serial = Atomic<UInt64>(0)

    /// What a container changed in its root file system, in the order of the paths.
    ///
    /// - Parameters:
    ///   - mountPoints: paths that the runtime makes, which are no changes as long as they are empty.
    ///   - live: the root of the container as it sees it, if it runs; stays the caller's.
    package func changes(
        key: String, mountPoints: Set<[UInt8]>, live: FileDescriptor?
    ) async throws -> [TreeChange] {
        try await streams.run {
            try ImagesError.translating {
                try self.readChanges(key: key, mountPoints: mountPoints, live: live) { changes, _ in changes }
            }
        }
    }

    /// Makes an image of a container: the image it was made from and a layer of what it changed, if it changed anything.
    /// Parameters as of `changes`; cancelling the task leaves nothing behind, like any error.
    package func commit(
        key: String, image: Digest, mountPoints: Set<[UInt8]>, live: FileDescriptor?,
        _ description: CommitDescription
    ) async throws -> Digest {
        let cancellation = Cancellation()
        return try await withTaskCancellationHandler {
            try await streams.run {
                try ImagesError.translating {
                    try self.staged.clearingUp {
                        guard let row = try self.database.read({ try ImageTable.row(image, in: $0) }) else {
                            throw ImagesError.noSuchImage(image.description)
                        }
                        let layer = try self.writeLayer(
                            key: key, mountPoints: mountPoints, live: live, cancellation)
                        return try self.commit(layer, upon: row, description, cancellation)
                    }
                }
            }
        } onCancel: {
            cancellation.cancel()
        }
    }

    /// The layer of a container's changes as a blob; `nil` if there are none.
    private func writeLayer(
        key: String, mountPoints: Set<[UInt8]>, live: FileDescriptor?, _ cancellation: Cancellation
    ) throws -> Ingest? {
        let content = content
        return try readChanges(key: key, mountPoints: mountPoints, live: live) { changes, root in
            guard !changes.isEmpty else { return nil }
            let ingest = try content.ingest()
            let archiver = TreeArchiver(isCancelled: { cancellation.isCancelled }) {
                (bytes: UnsafeRawBufferPointer) throws(ArchiveError) in
                do throws(ContentError) {
                    try ingest.write(bytes)
                } catch {
                    if case .system(let operation, let path, let errno) = error {
                        throw .system(operation, path.string, errno)
                    }
                    throw .malformed(error.description)
                }
            }
            try archiver.add(changes, in: root)
            try archiver.finish()
            _ = ingest.digest  // closes it
            return ingest
        }
    }

    private func commit(
        _ layer: Ingest?, upon row: ImageTable.Row, _ description: CommitDescription, _ cancellation: Cancellation
    ) throws -> Digest {
        let now = Timestamp.now()
        var configuration = try documents.configuration(row.id)
        configuration.created = now
        configuration.author = description.author.isEmpty ? nil : description.author
        configuration.comment = description.comment.isEmpty ? nil : description.comment
        configuration.dockerVersion = nil
        configuration.config = description.process
        configuration.history =
            (configuration.history ?? []) + [
                ImageConfiguration.History(
                    created: now, author: configuration.author, createdBy: description.createdBy,
                    comment: configuration.comment, emptyLayer: layer == nil ? true : nil)
            ]
        let below = try documents.manifest(row.manifest).document.layers
        var layers = zip(below, configuration.rootfs.diffIDs).map { descriptor, diffID in
            ArchivedImage.Layer(
                name: descriptor.digest.description, blob: .stored(descriptor.digest, size: descriptor.size, content),
                diffID: diffID)
        }
        guard layers.count == configuration.rootfs.diffIDs.count, layers.count == below.count else {
            throw ImagesError(.system, "the manifest of image \(row.id) does not fit its configuration")
        }
        var descriptors = below.map(\.asOCI)
        if let layer {
            // What is written is not compressed: its digest is that of the layer.
            configuration.rootfs.diffIDs.append(layer.digest)
            layers.append(ArchivedImage.Layer(name: "layer", blob: .ingest(layer), diffID: layer.digest))
            descriptors.append(Descriptor(mediaType: MediaType.ociLayer, digest: layer.digest, size: layer.size))
        }
        let document = try JSON.encode(configuration)
        let image = ArchivedImage(
            configuration: document, manifest: try Self.manifest(configuration: document, layers: descriptors),
            layers: layers, references: description.reference.map { [$0] } ?? [])
        let chains = Set(ChainID.chain(of: image.diffIDs).map(\.description))
        changes.withLock { $0.take(chains) }
        defer { changes.withLock { $0.release(chains) } }
        let unpacked = try MissingLayers(self, cancellation).unpack(for: [image])
        defer { for layer in unpacked.values { staged.discardIfStaged(layer) } }
        if cancellation.isCancelled { throw ArchiveError.cancelled }
        try register([try image.newImage()], blobs: layer.map { [$0.digest: $0] } ?? [:], layers: unpacked)
        return ContentHasher.digest(of: document)
    }

    /// Runs `body` with a container's changes and with a directory in which what was added and modified is found.
    private func readChanges<R: Sendable>(
        key: String, mountPoints: Set<[UInt8]>, live: FileDescriptor?,
        _ body: @escaping @Sendable ([TreeChange], FileDescriptor) throws -> R
    ) throws -> R {
        let mounts = try snapshotter.mounts(key)
        let parent = try snapshotter.information(key)?.parent
        let snapshotter = snapshotter
        return try PrivateMounts.run("changes") { trees in
            if let upperPath = mounts.last?.upperDirectory, let old = try trees.mountParents(of: mounts) {
                let upper = try FileDescriptor.open(
                    FilePath(upperPath), .readOnly, options: [.directory, .closeOnExec])
                defer { upper.discard() }
                if let found = try TreeChanges(ofUpper: upper, over: old, mountPoints: mountPoints) {
                    return try body(found.all, upper)
                }
                let new = try live ?? trees.mount(mounts)
                return try body(TreeChanges(from: old, to: new, mountPoints: mountPoints).all, new)
            }
            let new = try live ?? trees.mount(mounts)
            guard let parent else {
                let old = try trees.emptyDirectory()
                return try body(TreeChanges(from: old, to: new, mountPoints: mountPoints).all, new)
            }
            // Where a snapshot is a whole tree, the parent is one too.
            let view = try snapshotter.view(parent)
            defer { withExtendedLifetime(view) {} }
            guard let root = view.layers.first else { return try body([], new) }
            let old = try FileDescriptor.open(root, .readOnly, options: [.directory, .closeOnExec])
            defer { old.discard() }
            return try body(TreeChanges(from: old, to: new, mountPoints: mountPoints).all, new)
        }
    }
}

extension Descriptor {
    /// The same layer under the image specification's own name for its form.
    fileprivate var asOCI: Descriptor {
        var descriptor = self
        switch mediaType {
        case MediaType.dockerLayer: descriptor.mediaType = MediaType.ociLayer
        case MediaType.dockerLayerGzip: descriptor.mediaType = MediaType.ociLayerGzip
        default: break
        }
        return descriptor
    }
}
