import Archive
import ContentStore
import GRDB
import Hashing
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

/// How the files of a container get into the layer that is made of them.
package enum ContainerLayer: Sendable {
    /// It changed nothing.
    case unchanged
    /// They are in a snapshot of this name already, which the container goes on upon.
    case captured(String)
    /// They are read from the container; of one that runs, its root as it sees it, which stays the caller's.
    case copied(live: FileDescriptor?)

    /// Whether files have to be read from the container.
    package var isCopied: Bool { if case .copied = self { true } else { false } }
}

/// The layer of a commit when it is there, but for its name.
private enum FinishedLayer {
    case captured(snapshot: String, digest: Digest, size: Int64)
    case unpacked(UnpackedLayer, Ingest)

    var digest: Digest {
        switch self {
        case .captured(_, let digest, _): digest
        case .unpacked(_, let blob): blob.digest
        }
    }

    var size: Int64 {
        switch self {
        case .captured(_, _, let size): size
        case .unpacked(_, let blob): blob.size
        }
    }
}

extension Images {
    /// Takes what a container has changed from it without copying it, where the storage driver can do that. The
    /// container must not run nor begin to while this is going on; it may as soon as this returns.
    package func capture(key: String, mountPoints: Set<[UInt8]>) async throws -> ContainerLayer {
        // Somebody holds the container for this: what has changed is found out later, where it has to be copied anyway.
        guard snapshotter.captures else { return .copied(live: nil) }
        // Not on a thread that clients may keep waiting.
        return try await pool.run {
            try ImagesError.translating { () throws -> ContainerLayer in
                let changes = try self.readChanges(key: key, mountPoints: mountPoints, live: nil) { changes, _ in
                    changes
                }
                guard !changes.all.isEmpty else { return .unchanged }
                let name = "commit-\(String(UInt64.random(in: .min ... .max), radix: 16))"
                switch try self.snapshotter.capture(key, as: name, changes) {
                case .captured: return .captured(name)
                case .needsCopy(let reason):
                    self.logger.debug("a commit copies files: \(reason)", metadata: ["container": "\(key)"])
                    return .copied(live: nil)
                }
            }
        }
    }

    /// Makes an image of a container: the image it was made from and a layer of what it changed, if it changed
    /// anything. Cancelling the task leaves nothing behind, like any error.
    ///
    /// - Parameters:
    ///   - mountPoints: as of `changes`.
    ///   - isCancelled: asked several times a second, for reasons beside the task's cancellation.
    package func commit(
        key: String, image: Digest, mountPoints: Set<[UInt8]>, layer: ContainerLayer,
        _ description: CommitDescription, isCancelled: @escaping @Sendable () -> Bool = { false }
    ) async throws -> Digest {
        let cancellation = Cancellation(or: isCancelled)
        let id = try await withTaskCancellationHandler {
            try await streams.run {
                try ImagesError.translating {
                    try self.staged.clearingUp {
                        guard let row = try self.database.read({ try ImageTable.row(image, in: $0) }) else {
                            throw ImagesError.noSuchImage(image.description)
                        }
                        let finished = try self.finish(
                            layer, key: key, mountPoints: mountPoints, upon: row, cancellation)
                        defer { if case .unpacked(let layer, _)? = finished { self.staged.discardIfStaged(layer) } }
                        return try self.register(finished, upon: row, description, cancellation)
                    }
                }
            }
        } onCancel: {
            cancellation.cancel()
        }
        completeBlobsSoon()
        return id
    }

    private func finish(
        _ layer: ContainerLayer, key: String, mountPoints: Set<[UInt8]>, upon row: ImageTable.Row,
        _ cancellation: Cancellation
    ) throws -> FinishedLayer? {
        switch layer {
        case .unchanged: return nil
        case .captured(let snapshot):
            let blob = BlobMeasure()
            try archiveLayer(snapshot, cancellation) { (bytes: UnsafeRawBufferPointer) throws(ArchiveError) in
                blob.add(bytes)
            }
            return .captured(snapshot: snapshot, digest: blob.digest, size: blob.size)
        case .copied(let live):
            return try copy(key: key, mountPoints: mountPoints, live: live, upon: row, cancellation)
        }
    }

    /// One thread archives what has changed and stores that; this one unpacks what it hands over.
    private func copy(
        key: String, mountPoints: Set<[UInt8]>, live: FileDescriptor?, upon row: ImageTable.Row,
        _ cancellation: Cancellation
    ) throws -> FinishedLayer? {
        let parent = ChainID.chain(of: try documents.configuration(row.id).rootfs.diffIDs).last?.description
        let ingest = try content.ingest()
        let pipe = ChunkPipe()
        let archiving = try JoinableThread(name: "commit-archive") {
            let sink = ChunkPipe.Sink(pipe.writer())
            defer { sink.end() }
            return try self.readChanges(key: key, mountPoints: mountPoints, live: live) { changes, root in
                guard !changes.all.isEmpty else { return false }
                try Self.archive(changes, in: root, cancellation) {
                    (bytes: UnsafeRawBufferPointer) throws(ArchiveError) in
                    try ingest.take(bytes)
                    try sink.write(bytes)
                }
                return true
            }
        }
        let unpacking = Result {
            try Unpacking(self, cancellation).layer(from: pipe.reader(), upon: parent, hashing: false)
        }
        pipe.abandon()
        // What went wrong in reading is the cause of what went wrong in unpacking.
        let archived = Result { try archiving.join() }
        do {
            let hasChanges = try archived.get()
            let layer = try unpacking.get()
            guard hasChanges else {
                staged.discard(layer.staged)
                return nil
            }
            _ = ingest.digest  // closes it
            return .unpacked(layer, ingest)
        } catch {
            if case .success(let layer) = unpacking { staged.discard(layer.staged) }
            if case .failure(let cause) = unpacking, case ArchiveError.cancelled = error, !cancellation.isCancelled {
                throw cause
            }
            throw error
        }
    }

    /// Writes the archive of a captured layer, always the same bytes.
    func archiveLayer(
        _ snapshot: String, _ cancellation: Cancellation,
        _ sink: @escaping @Sendable (UnsafeRawBufferPointer) throws(ArchiveError) -> Void
    ) throws {
        // Holes may come and go while the bytes stay the same, and with them sparse entries.
        try readLayer(snapshot) { changes, root in
            try Self.archive(changes, in: root, sparseFiles: .filled, cancellation, sink)
        }
    }

    private static func archive(
        _ changes: TreeChanges, in root: FileDescriptor, sparseFiles: TreeArchiver.SparseFiles = .sparseWhereLarge,
        _ cancellation: Cancellation, _ sink: @escaping (UnsafeRawBufferPointer) throws(ArchiveError) -> Void
    ) throws(ArchiveError) {
        let archiver = TreeArchiver(
            sparseFiles: sparseFiles, isCancelled: { cancellation.isCancelled }, sink)
        try archiver.add(changes.all, in: root)
        try archiver.finish()
    }

    private func register(
        _ layer: FinishedLayer?, upon row: ImageTable.Row, _ description: CommitDescription,
        _ cancellation: Cancellation
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
        var layers = try documents.manifest(row.manifest).document.layers.map(\.asOCI)
        guard layers.count == configuration.rootfs.diffIDs.count else {
            throw ImagesError(.system, "the manifest of image \(row.id) does not fit its configuration")
        }
        if let layer {
            // What is written is not compressed: its digest is that of the layer.
            configuration.rootfs.diffIDs.append(layer.digest)
            layers.append(Descriptor(mediaType: MediaType.ociLayer, digest: layer.digest, size: layer.size))
        }
        let document = try JSON.encode(configuration)
        var image = NewImage(
            configuration: document, manifest: try Self.manifest(configuration: document, layers: layers),
            layers: layers.map(\.digest), diffIDs: configuration.rootfs.diffIDs,
            references: description.reference.map { [$0] } ?? [], parent: row.id)
        let chain = ChainID.chain(of: image.diffIDs)
        changes.withLock { $0.take(chain.map(\.description)) }
        defer { changes.withLock { $0.release(chain.map(\.description)) } }
        if cancellation.isCancelled { throw ArchiveError.cancelled }
        switch (layer, chain.last) {
        case (.captured(let snapshot, let digest, _)?, let top?):
            image.lateLayers = [digest: top.description]
            try register([image], blobs: [:], layers: [:], captured: [top: snapshot])
        case (.unpacked(let unpacked, let blob)?, let top?):
            try register([image], blobs: [blob.digest: blob], layers: [top: unpacked])
        default: try register([image], blobs: [:], layers: [:])
        }
        return image.id
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

/// Digest and size of bytes that are kept nowhere.
private final class BlobMeasure: Sendable {
    private let state = Mutex((hasher: ContentHasher(), size: Int64(0)))

    func add(_ bytes: UnsafeRawBufferPointer) {
        state.withLock { state in
            state.hasher.update(bytes)
            state.size += Int64(bytes.count)
        }
    }

    var digest: Digest { state.withLock { $0.hasher.digest } }
    var size: Int64 { state.withLock { $0.size } }
}

extension Ingest {
    /// Appends what an archiver writes.
    func take(_ bytes: UnsafeRawBufferPointer) throws(ArchiveError) {
        do throws(ContentError) {
            try write(bytes)
        } catch {
            if case .system(let operation, let path, let errno) = error { throw .system(operation, path.string, errno) }
            throw .malformed(error.description)
        }
    }
}
