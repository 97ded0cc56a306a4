import Archive
import BlockingCalls
import ContentStore
import Distribution
import GRDB
import OCISpec
import Synchronization
import SystemPackage

/// Puts layers into a repository.
struct LayerPush: Sendable {
    private let images: Images
    private let repository: Repository

    init(_ images: Images, _ repository: Repository) {
        self.images = images
        self.repository = repository
    }

    /// Sees to it that a layer is in the repository, compressed; returns what it is there.
    func send(
        _ layer: PushPlan.Layer, _ report: @escaping @Sendable (ImageProgress) -> Void
    ) async throws -> Descriptor {
        @Sendable func say(_ status: String) {
            report(ImageProgress(id: layer.id, status: status, current: nil, total: nil))
        }
        var descriptor = layer.blob
        var made: Ingest?
        if layer.needsCompression {
            if let known = try await images.pool.run({ try compressed(layer.blob) }),
                try await repository.hasBlob(known.digest)
            {
                say("Layer already exists")
                return known
            }
            let ingest = try await compress(layer.blob)
            descriptor = layer.blob.compressed(digest: ingest.digest, size: ingest.size)
            let result = descriptor
            try await images.pool.run { try remember(result, for: layer.blob) }
            made = ingest
        }
        let (blob, ingest) = (descriptor, made)
        let pace = Pace()
        let outcome = try await repository.upload(blob, mountingFrom: layer.sources) { sent in
            guard pace.isDue(sent == blob.size) else { return }
            report(ImageProgress(id: layer.id, status: "Pushing", current: sent, total: blob.size))
        } content: { offset in
            let file = try ingest.map { try $0.reading() } ?? images.content.open(blob.digest)
            return PiecewiseFile(owning: file, offset: offset).pieces(on: images.pool)
        }
        switch outcome {
        case .wasThere: say("Layer already exists")
        case .mounted(let source): say("Mounted from \(source)")
        case .uploaded: say("Pushed")
        }
        withExtendedLifetime(ingest) {}
        return blob
    }

    private func compress(_ blob: Descriptor) async throws -> Ingest {
        let cancellation = Cancellation()
        return try await withTaskCancellationHandler {
            try await images.unpackers.run {
                let file = try images.content.open(blob.digest)
                defer { try? file.close() }  // only read from
                let ingest = try images.content.ingest()
                try GzipEncoder().encode(DescriptorSource(file, isCancelled: { cancellation.isCancelled })) {
                    try ingest.write($0)
                }
                return ingest
            }
        } onCancel: {
            cancellation.cancel()
        }
    }

    // MARK: What layers have become

    /// What a layer was when it was compressed before: the same again, as long as the compression does not change.
    private func compressed(_ blob: Descriptor) throws -> Descriptor? {
        try images.database.read { database in
            guard
                let row = try Row.fetchOne(
                    database, sql: "SELECT digest, size FROM imageCompressedLayer WHERE layer = ?",
                    arguments: [blob.digest.description])
            else { return nil }
            return blob.compressed(digest: try Digest(parsing: row["digest"] as String), size: row["size"])
        }
    }

    private func remember(_ compressed: Descriptor, for blob: Descriptor) throws {
        try images.database.write { database in
            try database.execute(
                sql: "INSERT OR REPLACE INTO imageCompressedLayer (layer, digest, size) VALUES (?, ?, ?)",
                arguments: [blob.digest.description, compressed.digest.description, compressed.size])
        }
    }
}

extension Descriptor {
    fileprivate func compressed(digest: Digest, size: Int64) -> Descriptor {
        var result = self
        result.mediaType = mediaType == MediaType.dockerLayer ? MediaType.dockerLayerGzip : MediaType.ociLayerGzip
        result.digest = digest
        result.size = size
        return result
    }
}

/// A file that is read from one place on, and closed when it is let go.
final class PiecewiseFile: Sendable {
    private let file: FileDescriptor
    private let offset: Mutex<Int64>

    init(owning file: FileDescriptor, offset: Int64) {
        self.file = file
        self.offset = Mutex(offset)
    }

    deinit { try? file.close() }  // only read from

    /// Its pieces, read on threads that may wait for the disk.
    func pieces(on pool: BlockingPool) -> @Sendable () async throws -> TransferPiece? {
        { try await pool.run { try self.next() } }
    }

    private func next() throws -> TransferPiece? {
        try offset.withLock { offset in
            let piece = try TransferPiece(capacity: 512 << 10) { buffer in
                try file.read(fromAbsoluteOffset: offset, into: buffer)
            }
            offset += Int64(piece.count)
            return piece.count > 0 ? piece : nil
        }
    }
}

/// Lets something happen ten times a second at most.
private final class Pace: Sendable {
    private let last = Mutex<ContinuousClock.Instant?>(nil)

    func isDue(_ always: Bool) -> Bool {
        last.withLock { last in
            let now = ContinuousClock.now
            if !always, let last, now - last < .milliseconds(100) { return false }
            last = now
            return true
        }
    }
}
