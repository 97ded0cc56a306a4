import BlockingCalls
import ContentStore
import GRDB
import Glibc
import LinuxKernel
import Logging
import OCISpec
import SystemPackage

/// What a registry holds: repositories with blobs, manifests and tags.
///
/// Bytes are in a `ContentStore`, each blob once. One SQLite file says which repositories have which blobs. A blob
/// comes into being inside a write transaction, and goes inside one, so that neither a push nor a collection that
/// runs at the same time, also in another process, sees a row without its file.
package struct RegistryStore: Sendable {
    let content: ContentStore
    let database: any DatabaseWriter
    let logger: Logger
    /// The boot in which the process runs: what was written in another one has to be looked at (see `Settling`).
    let boot: String
    /// For writing, hashing and flushing.
    let pool = BlockingPool(threads: 8, name: "registry")

    /// Opens or makes a registry in a directory.
    package init(root: FilePath, logger: Logger) throws {
        self.logger = logger
        content = try ContentStore(opening: root.appending("content"))
        var configuration = Configuration()
        configuration.busyMode = .timeout(30)
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA synchronous = NORMAL") }
        let pool = try DatabasePool(path: root.appending("registry.db").string, configuration: configuration)
        try RegistryDatabase.migrate(pool)
        database = pool
        boot = BootIdentifier.current
        try dropDamaged()
    }

    static func now() -> Int64 { Int64(time(nil)) }

    // MARK: Blobs

    /// The size of a blob that a repository has.
    ///
    /// - Throws: `RegistryError` (BLOB_UNKNOWN).
    package func size(of digest: Digest, in repository: RepositoryName) async throws -> Int64 {
        let size = try await database.read { database -> Int64? in
            guard let identifier = try RegistryDatabase.identifier(of: repository, in: database) else { return nil }
            return try RegistryDatabase.size(of: digest, in: identifier, database)
        }
        guard let size else { throw RegistryError.blobUnknown(digest) }
        return size
    }

    /// Opens a blob that a repository has; the descriptor is the caller's.
    ///
    /// - Throws: `RegistryError` (BLOB_UNKNOWN).
    package func open(
        _ digest: Digest, in repository: RepositoryName
    ) async throws -> (file: FileDescriptor, size: Int64) {
        let size = try await size(of: digest, in: repository)
        do {
            return (try content.open(digest), size)
        } catch ContentError.notFound {
            // It has been collected in this moment.
            throw RegistryError.blobUnknown(digest)
        }
    }

    /// Gives a repository a blob that another one has.
    ///
    /// - Parameter source: the repository that has it; nil for any.
    /// - Returns: whether it was there.
    package func mount(
        _ digest: Digest, from source: RepositoryName?, into repository: RepositoryName
    ) async throws -> Bool {
        try await database.write { database in
            let size: Int64?
            if let source {
                size = try RegistryDatabase.identifier(of: source, in: database).flatMap {
                    try RegistryDatabase.size(of: digest, in: $0, database)
                }
            } else {
                size = try Int64.fetchOne(
                    database, sql: "SELECT size FROM blob JOIN repositoryBlob USING (digest) WHERE digest = ?",
                    arguments: [digest.description])
            }
            guard let size else { return false }
            let identifier = try RegistryDatabase.identifier(making: repository, in: database)
            try RegistryDatabase.link(digest, size: size, boot: nil, to: identifier, at: Self.now(), in: database)
            return true
        }
    }

    /// Makes an ingest a blob of a repository.
    ///
    /// - Throws: `ContentError.mismatch` for other bytes than those of `digest`.
    func adopt(_ ingest: Ingest, as digest: Digest, in repository: RepositoryName) async throws {
        // Computed before the transaction, which others wait for.
        let found = try await pool.run { try ingest.digest(digest.algorithm) }
        guard found == digest else { throw ContentError.mismatch(expected: digest, found: found) }
        try await database.write { database in
            let identifier = try RegistryDatabase.identifier(making: repository, in: database)
            let isNew = try ingest.commit(expecting: digest).isNew
            try RegistryDatabase.link(
                digest, size: ingest.size, boot: isNew ? boot : nil, to: identifier, at: Self.now(), in: database)
        }
        ingest.discard()
    }

    /// Takes a blob from a repository. Its bytes go with the next collection, if nobody else has it.
    ///
    /// - Throws: `RegistryError` (BLOB_UNKNOWN).
    package func removeBlob(_ digest: Digest, from repository: RepositoryName) async throws {
        let isRemoved = try await database.write { database in
            guard let identifier = try RegistryDatabase.identifier(of: repository, in: database) else { return false }
            try database.execute(
                sql: "DELETE FROM repositoryBlob WHERE repository = ? AND digest = ?",
                arguments: [identifier, digest.description])
            return database.changesCount > 0
        }
        guard isRemoved else { throw RegistryError.blobUnknown(digest) }
    }

    // MARK: Tags and repositories

    /// One page of a repository's tags, in the order of their bytes.
    ///
    /// - Parameters:
    ///   - last: the tag before the page's first one.
    ///   - limit: how many at most; nil for all.
    /// - Returns: the tags, and whether there are more.
    /// - Throws: `RegistryError` (NAME_UNKNOWN).
    package func tags(
        of repository: RepositoryName, after last: String?, limit: Int?
    ) async throws -> (names: [String], hasMore: Bool) {
        let names = try await database.read { database -> [String]? in
            guard let identifier = try RegistryDatabase.identifier(of: repository, in: database) else { return nil }
            return try String.fetchAll(
                database, sql: "SELECT name FROM tag WHERE repository = ? AND name > ? ORDER BY name LIMIT ?",
                arguments: [identifier, last ?? "", limit.map { $0 + 1 } ?? -1])
        }
        guard let names else { throw RegistryError.nameUnknown(repository) }
        return Self.page(names, limit)
    }

    /// One page of the repositories that hold anything, in the order of their bytes; parameters as in `tags`.
    package func repositories(after last: String?, limit: Int?) async throws -> (names: [String], hasMore: Bool) {
        let names = try await database.read { database in
            try String.fetchAll(
                database,
                sql: """
                    SELECT name FROM repository
                    WHERE name > ? AND EXISTS (SELECT 1 FROM manifest WHERE repository = repository.id)
                    ORDER BY name LIMIT ?
                    """,
                arguments: [last ?? "", limit.map { $0 + 1 } ?? -1])
        }
        return Self.page(names, limit)
    }

    private static func page(_ names: [String], _ limit: Int?) -> (names: [String], hasMore: Bool) {
        guard let limit, names.count > limit else { return (names, false) }
        return (Array(names.prefix(limit)), limit > 0)
    }

    // MARK: Secrets

    /// Random bytes in hexadecimal that stay the same for this registry, made at the first call.
    package func secret(_ name: String) async throws -> String {
        try await database.write { database in
            let known = try String.fetchOne(
                database, sql: "SELECT value FROM secret WHERE name = ?", arguments: [name])
            if let known { return known }
            let value = Hex.encode((0..<32).map { _ in UInt8.random(in: 0...255) })
            try database.execute(sql: "INSERT INTO secret (name, value) VALUES (?, ?)", arguments: [name, value])
            return value
        }
    }
}
