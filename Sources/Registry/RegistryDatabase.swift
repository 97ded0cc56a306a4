import GRDB
import OCISpec

/// The tables of a registry: which blobs there are, which repository has which, manifests, tags and uploads.
enum RegistryDatabase {
    static func migrate(_ database: any DatabaseWriter) throws {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("registry-1") { database in
            try database.execute(
                sql: """
                    CREATE TABLE repository (
                        id INTEGER PRIMARY KEY,
                        name TEXT NOT NULL UNIQUE
                    );
                    -- What lies in the content store. unsettledBoot: the boot in which it was written, until it is on disk for sure.
                    CREATE TABLE blob (
                        digest TEXT PRIMARY KEY NOT NULL,
                        size INTEGER NOT NULL,
                        unsettledBoot TEXT
                    ) WITHOUT ROWID;
                    CREATE INDEX blobUnsettled ON blob (unsettledBoot) WHERE unsettledBoot IS NOT NULL;
                    CREATE TABLE repositoryBlob (
                        repository INTEGER NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
                        digest TEXT NOT NULL REFERENCES blob (digest) ON DELETE CASCADE,
                        addedAt INTEGER NOT NULL,
                        PRIMARY KEY (repository, digest)
                    ) WITHOUT ROWID;
                    CREATE INDEX repositoryBlobDigest ON repositoryBlob (digest);
                    CREATE TABLE manifest (
                        id INTEGER PRIMARY KEY,
                        repository INTEGER NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
                        digest TEXT NOT NULL REFERENCES blob (digest) ON DELETE CASCADE,
                        mediaType TEXT NOT NULL,
                        size INTEGER NOT NULL,
                        subject TEXT,
                        artifactType TEXT,
                        annotations TEXT,
                        UNIQUE (repository, digest)
                    );
                    CREATE INDEX manifestDigest ON manifest (digest);
                    CREATE INDEX manifestSubject ON manifest (repository, subject) WHERE subject IS NOT NULL;
                    -- Configuration, layers and child manifests of a manifest.
                    CREATE TABLE manifestContent (
                        manifest INTEGER NOT NULL REFERENCES manifest (id) ON DELETE CASCADE,
                        digest TEXT NOT NULL,
                        PRIMARY KEY (manifest, digest)
                    ) WITHOUT ROWID;
                    CREATE INDEX manifestContentDigest ON manifestContent (digest);
                    CREATE TABLE tag (
                        repository INTEGER NOT NULL,
                        name TEXT NOT NULL,
                        digest TEXT NOT NULL,
                        PRIMARY KEY (repository, name),
                        FOREIGN KEY (repository, digest) REFERENCES manifest (repository, digest) ON DELETE CASCADE
                    ) WITHOUT ROWID;
                    CREATE INDEX tagDigest ON tag (repository, digest);
                    CREATE TABLE upload (
                        id TEXT PRIMARY KEY NOT NULL,
                        repository INTEGER NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
                        algorithm TEXT NOT NULL,
                        startedAt INTEGER NOT NULL
                    ) WITHOUT ROWID;
                    CREATE TABLE secret (
                        name TEXT PRIMARY KEY NOT NULL,
                        value TEXT NOT NULL
                    ) WITHOUT ROWID;
                    """)
        }
        try migrator.migrate(database)
    }

    /// The number of a repository, or `nil` if nothing has been pushed to it.
    static func identifier(of name: RepositoryName, in database: Database) throws -> Int64? {
        try Int64.fetchOne(database, sql: "SELECT id FROM repository WHERE name = ?", arguments: [name.description])
    }

    /// The number of a repository, which is made where it is not there.
    static func identifier(making name: RepositoryName, in database: Database) throws -> Int64 {
        if let identifier = try identifier(of: name, in: database) { return identifier }
        try database.execute(sql: "INSERT INTO repository (name) VALUES (?)", arguments: [name.description])
        return database.lastInsertedRowID
    }

    /// Whether a repository has a blob; its size if it does.
    static func size(of digest: Digest, in repository: Int64, _ database: Database) throws -> Int64? {
        try Int64.fetchOne(
            database,
            sql: """
                SELECT size FROM blob JOIN repositoryBlob USING (digest)
                WHERE repository = ? AND digest = ?
                """,
            arguments: [repository, digest.description])
    }

    /// Notes that a blob is in the store and belongs to a repository.
    static func link(
        _ digest: Digest, size: Int64, boot: String?, to repository: Int64, at time: Int64, in database: Database
    ) throws {
        try add(digest, size: size, boot: boot, in: database)
        try database.execute(
            sql: """
                INSERT INTO repositoryBlob (repository, digest, addedAt) VALUES (?, ?, ?)
                ON CONFLICT DO UPDATE SET addedAt = excluded.addedAt
                """,
            arguments: [repository, digest.description, time])
    }

    /// Notes that a blob is in the store. `boot` is nil for one that was there already.
    static func add(_ digest: Digest, size: Int64, boot: String?, in database: Database) throws {
        try database.execute(
            sql: "INSERT INTO blob (digest, size, unsettledBoot) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            arguments: [digest.description, size, boot])
    }
}
