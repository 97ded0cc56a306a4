import GRDB
import OCISpec

/// The rows of images: what there is, what it is made of, and what it is called.
enum ImageTable {
    struct Row: Sendable {
        let id: Digest
        let manifest: Digest
        let size: Int64
        let storedAt: Timestamp
        let lastTaggedAt: Timestamp?
        /// The image of the container that it was committed of.
        let parent: Digest?
        let references: [ImageReference]
    }

    /// A new image with all that belongs to it.
    struct Entry: Sendable {
        let id: Digest
        let manifest: Digest
        let size: Int64
        let storedAt: Timestamp
        /// The image of the container that it was committed of.
        let parent: Digest?
        /// Configuration, manifest and layers.
        let blobs: Set<Digest>
        /// Snapshots, lowest first.
        let chain: [Digest]
        /// The boot in which it was written; see `Settling`.
        let boot: String
    }

    static func registerMigrations(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("images-1") { database in
            try database.execute(
                sql: """
                    CREATE TABLE image (
                        id TEXT PRIMARY KEY NOT NULL,
                        manifest TEXT NOT NULL,
                        size INTEGER NOT NULL,
                        storedAt TEXT NOT NULL,
                        lastTaggedAt TEXT,
                        unsettledBoot TEXT
                    ) WITHOUT ROWID;
                    CREATE TABLE imageBlob (
                        image TEXT NOT NULL REFERENCES image (id) ON DELETE CASCADE,
                        digest TEXT NOT NULL,
                        PRIMARY KEY (image, digest)
                    ) WITHOUT ROWID;
                    CREATE INDEX imageBlobDigest ON imageBlob (digest);
                    CREATE TABLE imageLayer (
                        image TEXT NOT NULL REFERENCES image (id) ON DELETE CASCADE,
                        position INTEGER NOT NULL,
                        snapshot TEXT NOT NULL,
                        PRIMARY KEY (image, position)
                    ) WITHOUT ROWID;
                    CREATE INDEX imageLayerSnapshot ON imageLayer (snapshot);
                    CREATE TABLE imageReference (
                        name TEXT PRIMARY KEY NOT NULL,
                        image TEXT NOT NULL REFERENCES image (id) ON DELETE CASCADE
                    ) WITHOUT ROWID;
                    CREATE INDEX imageReferenceImage ON imageReference (image);
                    """)
        }
    }

    /// What images were committed of.
    static func registerParents(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("images-parents-1") { database in
            try database.execute(sql: "ALTER TABLE image ADD COLUMN parent TEXT")
        }
    }

    /// Layers whose blobs are still to be written, and the snapshots that have their files; see `LateBlobs`.
    static func registerLateBlobs(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("images-late-blobs-1") { database in
            try database.execute(
                sql: """
                    CREATE TABLE imageLateBlob (layer TEXT PRIMARY KEY NOT NULL, snapshot TEXT NOT NULL) WITHOUT ROWID
                    """)
        }
    }

    /// What layers became when they were compressed for a push.
    static func registerCompressedLayers(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("images-compressed-layers-1") { database in
            try database.execute(
                sql: """
                    CREATE TABLE imageCompressedLayer (
                        layer TEXT PRIMARY KEY NOT NULL,
                        digest TEXT NOT NULL,
                        size INTEGER NOT NULL
                    ) WITHOUT ROWID
                    """)
        }
    }

    /// Other repositories of a registry in which an image with a blob has a name with a digest: it was pulled from
    /// there or pushed to it. Few are enough.
    static func repositories(
        having blob: Digest, on reference: ImageReference, in database: Database
    ) throws -> [String] {
        let names = try String.fetchAll(
            database,
            sql: """
                SELECT DISTINCT name FROM imageReference JOIN imageBlob ON imageBlob.image = imageReference.image
                WHERE imageBlob.digest = ? AND name LIKE '%@%' ORDER BY name LIMIT 64
                """, arguments: [blob.description])
        let paths = try names.map { try ImageReference(parsing: $0) }
            .filter { $0.domain == reference.domain && $0.path != reference.path }.map(\.path)
        return Array(Set(paths).sorted().prefix(4))
    }

    /// Notes the digest that a registry has for an image. It is not a tag: the time of the last one stays.
    static func setDigest(_ reference: ImageReference, to id: Digest, in database: Database) throws {
        try database.execute(
            sql:
                """
                INSERT INTO imageReference (name, image) VALUES (?, ?)
                ON CONFLICT (name) DO UPDATE SET image = excluded.image
                """,
            arguments: [reference.description, id.description])
    }

    static func row(_ id: Digest, in database: Database) throws -> Row? {
        try GRDB.Row.fetchOne(
            database.cachedStatement(sql: "SELECT * FROM image WHERE id = ?"), arguments: [id.description]
        ).map { try row($0, in: database) }
    }

    static func all(in database: Database) throws -> [Row] {
        try GRDB.Row.fetchAll(database, sql: "SELECT * FROM image").map { try row($0, in: database) }
    }

    private static func row(_ row: GRDB.Row, in database: Database) throws -> Row {
        let id: String = row["id"]
        let names = try String.fetchAll(
            database.cachedStatement(sql: "SELECT name FROM imageReference WHERE image = ? ORDER BY name"),
            arguments: [id])
        return Row(
            id: try Digest(parsing: id), manifest: try Digest(parsing: row["manifest"] as String), size: row["size"],
            storedAt: Timestamp(row["storedAt"] as String) ?? .zero,
            lastTaggedAt: (row["lastTaggedAt"] as String?).flatMap { Timestamp($0) },
            parent: (row["parent"] as String?).flatMap { Digest($0) },
            references: try names.map { try ImageReference(parsing: $0) })
    }

    /// The image that has this name, exactly.
    static func image(named reference: ImageReference, in database: Database) throws -> Digest? {
        try String.fetchOne(
            database.cachedStatement(sql: "SELECT image FROM imageReference WHERE name = ?"),
            arguments: [reference.description]
        ).map { try Digest(parsing: $0) }
    }

    /// The names with a tag in a repository (`docker.io/library/debian`), in alphabetical order.
    static func references(inRepository name: String, in database: Database) throws -> [ImageReference] {
        try String.fetchAll(
            database, sql: "SELECT name FROM imageReference WHERE name > ? AND name < ? ORDER BY name",
            arguments: [name + ":", name + ";"]
        ).map { try ImageReference(parsing: $0) }.filter { $0.digest == nil }
    }

    /// The image whose manifest is `manifest` and that has a name in the same repository.
    static func image(
        withManifest manifest: Digest, in repository: String, in database: Database
    ) throws -> Digest? {
        let candidates = try String.fetchAll(
            database, sql: "SELECT id FROM image WHERE manifest = ?", arguments: [manifest.description])
        for candidate in candidates {
            let id = try Digest(parsing: candidate)
            if try row(id, in: database)?.references.contains(where: { $0.name == repository }) == true { return id }
        }
        return nil
    }

    /// The ids that begin with these hex digits; at most two, which is enough to know it is not one.
    static func images(idPrefix prefix: String, in database: Database) throws -> [Digest] {
        guard prefix.utf8.allSatisfy(Hex.isLowerCase) else { return [] }
        return try String.fetchAll(
            database, sql: "SELECT id FROM image WHERE id >= ? AND id < ? LIMIT 2",
            arguments: ["sha256:" + prefix, "sha256:" + prefix + "g"]
        ).map { try Digest(parsing: $0) }
    }

    static func insert(_ entry: Entry, in database: Database) throws {
        try database.execute(
            sql: "INSERT INTO image (id, manifest, size, storedAt, unsettledBoot, parent) VALUES (?, ?, ?, ?, ?, ?)",
            arguments: [
                entry.id.description, entry.manifest.description, entry.size, entry.storedAt.fixedWidthDescription,
                entry.boot, entry.parent?.description,
            ])
        for blob in entry.blobs {
            try database.execute(
                sql: "INSERT INTO imageBlob (image, digest) VALUES (?, ?)",
                arguments: [entry.id.description, blob.description])
        }
        for (position, snapshot) in entry.chain.enumerated() {
            try database.execute(
                sql: "INSERT INTO imageLayer (image, position, snapshot) VALUES (?, ?, ?)",
                arguments: [entry.id.description, position, snapshot.description])
        }
    }

    /// Points a name at an image. Returns the image that had it before, if it is another.
    @discardableResult
    static func setReference(
        _ reference: ImageReference, to id: Digest, at now: Timestamp, in database: Database
    ) throws -> Digest? {
        let previous = try image(named: reference, in: database)
        try database.execute(
            sql:
                """
                INSERT INTO imageReference (name, image) VALUES (?, ?)
                ON CONFLICT (name) DO UPDATE SET image = excluded.image
                """,
            arguments: [reference.description, id.description])
        try database.execute(
            sql: "UPDATE image SET lastTaggedAt = ? WHERE id = ?",
            arguments: [now.fixedWidthDescription, id.description])
        return previous == id ? nil : previous
    }

    static func removeReference(_ reference: ImageReference, in database: Database) throws {
        try database.execute(sql: "DELETE FROM imageReference WHERE name = ?", arguments: [reference.description])
    }

    static func delete(_ id: Digest, in database: Database) throws {
        try database.execute(sql: "DELETE FROM image WHERE id = ?", arguments: [id.description])
    }

    static func blobs(of id: Digest, in database: Database) throws -> [Digest] {
        try String.fetchAll(
            database, sql: "SELECT digest FROM imageBlob WHERE image = ?", arguments: [id.description]
        ).map { try Digest(parsing: $0) }
    }

    /// Whether any image needs a blob.
    static func isReferenced(blob: Digest, in database: Database) throws -> Bool {
        try Bool.fetchOne(
            database, sql: "SELECT EXISTS (SELECT 1 FROM imageBlob WHERE digest = ?)", arguments: [blob.description])
            ?? false
    }

    /// Whether an image other than `image` needs a blob.
    static func isReferenced(blob: Digest, besidesBy image: Digest, in database: Database) throws -> Bool {
        try Bool.fetchOne(
            database, sql: "SELECT EXISTS (SELECT 1 FROM imageBlob WHERE digest = ? AND image <> ?)",
            arguments: [blob.description, image.description]) ?? false
    }

    /// The snapshots of an image, lowest first.
    static func layers(of image: Digest, in database: Database) throws -> [String] {
        try String.fetchAll(
            database, sql: "SELECT snapshot FROM imageLayer WHERE image = ? ORDER BY position",
            arguments: [image.description])
    }

    static func isReferenced(snapshot: String, in database: Database) throws -> Bool {
        try Bool.fetchOne(
            database.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM imageLayer WHERE snapshot = ?)"),
            arguments: [snapshot]) ?? false
    }
}
