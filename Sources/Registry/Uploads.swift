import ContentStore
import GRDB
import NIOCore
import OCISpec

/// The blobs that clients are pushing: begun, not yet finished.
///
/// The bytes of an upload are a resumable ingest under the upload's id and its row is in the database, so a client goes
/// on where it was also after the registry was killed and started again.
package actor Uploads {
    private struct Upload {
        let repository: RepositoryName
        let ingest: Ingest
        /// Whether a request is writing to it; two at a time would mix their bytes.
        var isBusy: Bool
    }

    private let store: RegistryStore
    private var uploads: [String: Upload] = [:]
    /// Uploads that are being opened from disk.
    private var opening: Set<String> = []

    /// The uploads of a store.
    package init(of store: RegistryStore) {
        self.store = store
    }

    /// Begins an upload; returns its id.
    ///
    /// - Parameter algorithm: of the digest that the blob is going to have.
    package func begin(in repository: RepositoryName, _ algorithm: Digest.Algorithm) async throws -> String {
        let id = Hex.encode((0..<16).map { _ in UInt8.random(in: 0...255) })
        let content = store.content
        let ingest = try await store.pool.run { try content.ingest(resuming: id, algorithm) }
        do {
            try await store.database.write { database in
                let identifier = try RegistryDatabase.identifier(making: repository, in: database)
                try database.execute(
                    sql: "INSERT INTO upload (id, repository, algorithm, startedAt) VALUES (?, ?, ?, ?)",
                    arguments: [id, identifier, algorithm.rawValue, RegistryStore.now()])
            }
        } catch {
            ingest.discard()
            throw error
        }
        uploads[id] = Upload(repository: repository, ingest: ingest, isBusy: false)
        return id
    }

    /// How many bytes there are of an upload.
    ///
    /// - Throws: `RegistryError` (BLOB_UPLOAD_UNKNOWN, BLOB_UPLOAD_INVALID while another request writes).
    package func size(of id: String, in repository: RepositoryName) async throws -> Int64 {
        let ingest = try await take(id, repository)
        defer { release(id) }
        return ingest.size
    }

    /// Appends a chunk; returns how many bytes there are now.
    ///
    /// What came before the client went away stays.
    ///
    /// - Parameters:
    ///   - start: where the client believes to be; nil if it does not say.
    ///   - next: gives the chunk's pieces.
    /// - Throws: `RegistryError` (BLOB_UPLOAD_UNKNOWN; BLOB_UPLOAD_INVALID with status 416 for a chunk out of order).
    package func append(
        to id: String, in repository: RepositoryName, from start: Int64?,
        _ next: @escaping @Sendable () async throws -> ByteBuffer?
    ) async throws -> Int64 {
        let ingest = try await take(id, repository)
        defer { release(id) }
        try await Self.append(to: ingest, from: start, next, store)
        return ingest.size
    }

    private static func append(
        to ingest: Ingest, from start: Int64?, _ next: @Sendable () async throws -> ByteBuffer?, _ store: RegistryStore
    ) async throws {
        if let start, start != ingest.size {
            throw RegistryError(
                .invalid, .blobUploadInvalid,
                "the chunk begins at byte \(start), the upload has \(ingest.size) bytes",
                status: .rangeNotSatisfiable, headers: ["Range": Self.range(ingest.size)])
        }
        // Few large writes instead of one for each packet.
        var gathered = ByteBuffer()
        while let piece = try await next() {
            gathered.writeImmutableBuffer(piece)
            if gathered.readableBytes >= 1 << 20 {
                try await write(gathered, to: ingest, store)
                gathered.clear()
            }
        }
        if gathered.readableBytes > 0 { try await write(gathered, to: ingest, store) }
    }

    private static func write(_ bytes: ByteBuffer, to ingest: Ingest, _ store: RegistryStore) async throws {
        try await store.pool.run { try bytes.withUnsafeReadableBytes { try ingest.write($0) } }
    }

    /// What a client is told of how far an upload is: the positions of the first and the last byte.
    package static func range(_ size: Int64) -> String { "0-\(max(size - 1, 0))" }

    /// Appends the last chunk and makes the upload a blob of its repository.
    ///
    /// - Throws: as `append`; `RegistryError` (DIGEST_INVALID) for other bytes than announced, and the upload is over
    ///   then.
    package func finish(
        _ id: String, as digest: Digest, in repository: RepositoryName, from start: Int64?,
        _ next: @escaping @Sendable () async throws -> ByteBuffer?
    ) async throws {
        let ingest = try await take(id, repository)
        do {
            try await Self.append(to: ingest, from: start, next, store)
        } catch {
            release(id)
            throw error
        }
        let store = store
        do {
            let found = try await store.pool.run { try ingest.digest(digest.algorithm) }
            guard found == digest else {
                throw RegistryError.digestInvalid(
                    digest.description, "provided digest did not match uploaded content: it is \(found)")
            }
            try await store.database.write { database in
                let identifier = try RegistryDatabase.identifier(making: repository, in: database)
                let size = ingest.size
                let isNew = try ingest.commit(expecting: digest).isNew
                try RegistryDatabase.link(
                    digest, size: size, boot: isNew ? store.boot : nil, to: identifier, at: RegistryStore.now(),
                    in: database)
                try database.execute(sql: "DELETE FROM upload WHERE id = ?", arguments: [id])
            }
            ingest.discard()
            uploads[id] = nil
        } catch {
            await drop(id, ingest)
            throw error
        }
    }

    /// Gives up an upload.
    ///
    /// - Throws: `RegistryError` (BLOB_UPLOAD_UNKNOWN).
    package func cancel(_ id: String, in repository: RepositoryName) async throws {
        await drop(id, try await take(id, repository))
    }

    private func drop(_ id: String, _ ingest: Ingest) async {
        uploads[id] = nil
        ingest.discard()
        do {
            try await store.database.write {
                try $0.execute(sql: "DELETE FROM upload WHERE id = ?", arguments: [id])
            }
        } catch {
            // The next collection takes the row.
            store.logger.warning("cannot remove an upload", metadata: ["upload": "\(id)", "error": "\(error)"])
        }
    }

    /// Ends what nobody has written to for a time: called by the collection.
    package func expire(startedBefore time: Int64) async throws {
        let store = store
        let busy = Set(uploads.filter(\.value.isBusy).keys)
        let gone = try await store.database.write { database in
            let ids = try String.fetchAll(
                database, sql: "SELECT id FROM upload WHERE startedAt < ?", arguments: [time]
            ).filter { !busy.contains($0) }
            for id in ids { try database.execute(sql: "DELETE FROM upload WHERE id = ?", arguments: [id]) }
            return ids
        }
        for id in gone where uploads[id]?.isBusy != true {
            uploads[id]?.ingest.discard()
            uploads[id] = nil
        }
        let known = try await store.database.read { Set(try String.fetchAll($0, sql: "SELECT id FROM upload")) }
        try await store.pool.run { try store.content.sweepIngests(keeping: known, unusedSince: time) }
    }

    private func take(_ id: String, _ repository: RepositoryName) async throws -> Ingest {
        if uploads[id] == nil { try await reopen(id, repository) }
        guard var upload = uploads[id], upload.repository == repository else { throw RegistryError.uploadUnknown(id) }
        guard !upload.isBusy else {
            throw RegistryError(.conflict, .blobUploadInvalid, "another request is writing to upload \(id)")
        }
        upload.isBusy = true
        uploads[id] = upload
        return upload.ingest
    }

    private func release(_ id: String) {
        uploads[id]?.isBusy = false
        // Each holds a descriptor. What is dropped here is opened again when its client comes back.
        guard uploads.count > Self.openLimit,
            let idle = uploads.first(where: { !$0.value.isBusy && $0.key != id })?.key
        else { return }
        uploads[idle] = nil
    }

    private static let openLimit = 256

    /// Goes on with what an earlier process has begun.
    private func reopen(_ id: String, _ repository: RepositoryName) async throws {
        let store = store
        let algorithm = try await store.database.read { database in
            try String.fetchOne(
                database,
                sql: """
                    SELECT algorithm FROM upload JOIN repository ON repository.id = upload.repository
                    WHERE upload.id = ? AND repository.name = ?
                    """,
                arguments: [id, repository.description])
        }
        guard let algorithm = algorithm.flatMap(Digest.Algorithm.init) else { return }
        guard uploads[id] == nil else { return }
        guard opening.insert(id).inserted else {
            throw RegistryError(.conflict, .blobUploadInvalid, "another request is opening upload \(id)")
        }
        defer { opening.remove(id) }
        let ingest = try await store.pool.run { try store.content.ingest(resuming: id, algorithm) }
        uploads[id] = Upload(repository: repository, ingest: ingest, isBusy: false)
    }
}
