import GRDB
import Glibc
import LinuxKernel
import SystemPackage

/// The rows of one driver's snapshots, and where their directories are.
///
/// A row comes into being together with its directory and goes before it, so that a directory without a row is what a
/// crash left, and a row always has its directory.
struct SnapshotTable: Sendable {
    struct Row: Sendable {
        let id: Int64
        let name: String
        let state: SnapshotInformation.State
        let parent: Int64?
        let usage: SnapshotUsage
        /// Whether the parent of an active snapshot was captured of it.
        var wasCaptured = false
        /// The project that limits its files, where that is how the driver does it.
        var project: UInt32?
        /// The bytes that it may take, where the driver has to know.
        var limit: Int64?
    }

    let database: any DatabaseWriter
    let driver: String
    /// The driver's directory: one directory per snapshot, named by the row's id.
    let root: FilePath
    /// Removes a snapshot's directory with all that the driver has there. One that does not exist is no error.
    var removeTree: @Sendable (FilePath) throws(Errno) -> Void = { path throws(Errno) in try TreeRemoval.remove(path) }
    /// What else the driver has in its directory.
    var otherNames: Set<String> = []
    /// Whether the files of a snapshot are in its directory, and move with it.
    var hasFilesInDirectories = true

    static func registerMigrations(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("snapshots-1") { database in
            // AUTOINCREMENT: an id, and with it a directory, is never used a second time.
            try database.execute(
                sql: """
                    CREATE TABLE snapshot (
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        driver TEXT NOT NULL,
                        name TEXT NOT NULL,
                        state TEXT NOT NULL CHECK (state IN ('staged', 'committed', 'active')),
                        parent INTEGER REFERENCES snapshot (id),
                        bytes INTEGER NOT NULL DEFAULT 0,
                        inodes INTEGER NOT NULL DEFAULT 0,
                        UNIQUE (driver, name)
                    );
                    CREATE INDEX snapshot_parent ON snapshot (parent);
                    """)
        }
        migrator.registerMigration("snapshots-2") { database in
            try database.execute(
                sql: """
                    ALTER TABLE snapshot ADD COLUMN wasCaptured BOOLEAN NOT NULL DEFAULT 0;
                    CREATE TABLE snapshotRetention (
                        snapshot INTEGER NOT NULL REFERENCES snapshot (id),
                        holder TEXT NOT NULL,
                        PRIMARY KEY (snapshot, holder)
                    ) WITHOUT ROWID;
                    CREATE INDEX snapshotRetentionHolder ON snapshotRetention (holder);
                    """)
        }
        migrator.registerMigration("snapshots-3") { database in
            try database.execute(
                sql: """
                    ALTER TABLE snapshot ADD COLUMN project INTEGER;
                    ALTER TABLE snapshot ADD COLUMN byteLimit INTEGER;
                    """)
        }
    }

    func directory(of id: Int64) -> FilePath { root.appending(String(id)) }
    func files(of id: Int64) -> FilePath { directory(of: id).appending("fs") }
    func work(of id: Int64) -> FilePath { directory(of: id).appending("work") }

    /// Removes the directory of a row that a transaction has replaced by another.
    ///
    /// The transaction has to be on the disk before: a power failure undoes the last ones of a log that was not written
    /// through (`synchronous = NORMAL`), and then the row is back without its directory. What cannot be removed belongs
    /// to no row, and the next start removes it.
    func removeReplaced(_ row: Row) {
        let log = FilePath(database.path + "-wal")
        // Without a log the transaction is in the database itself, written through.
        if let file = try? Files.open(log, [.readOnly]) {
            defer { file.discard() }
            guard fsync(file.rawValue) == 0 else { return }
        }
        try? removeDirectory(directory(of: row.id))  // The row is not there any more: nothing depends on it.
    }

    /// Runs `body` in one transaction, which an error undoes.
    func write<T>(_ body: (Database) throws -> T) throws(SnapshotError) -> T {
        do {
            return try database.write(body)
        } catch {
            throw Self.translated(error)
        }
    }

    func read<T>(_ body: (Database) throws -> T) throws(SnapshotError) -> T {
        do {
            return try database.read(body)
        } catch {
            throw Self.translated(error)
        }
    }

    private static func translated(_ error: any Error) -> SnapshotError {
        switch error {
        case let error as SnapshotError: error
        case let error as DatabaseError: .database(error.description)
        default: .database("\(error)")
        }
    }

    /// Adds a row. Throws `exists`, and `notFound` or `wrongState` for the parent.
    func insert(
        _ name: String, _ state: SnapshotInformation.State, parent: String?, in database: Database
    ) throws -> Row {
        if try find(name, in: database) != nil { throw SnapshotError.exists(name) }
        let parentRow = try parent.map { try committed($0, in: database) }
        try database.cachedStatement(sql: "INSERT INTO snapshot (driver, name, state, parent) VALUES (?, ?, ?, ?)")
            .execute(arguments: [driver, name, state.rawValue, parentRow?.id])
        return Row(
            id: database.lastInsertedRowID, name: name, state: state, parent: parentRow?.id, usage: SnapshotUsage())
    }

    /// Adds a row, with what `body` makes for it, in one transaction. After an error nothing is left of either: the
    /// next snapshot gets the same number.
    func add<T>(
        _ name: String, _ state: SnapshotInformation.State, parent: String?, _ body: (Row, Database) throws -> T
    ) throws(SnapshotError) -> T {
        var made: Int64?
        do throws(SnapshotError) {
            return try write { database in
                let row = try insert(name, state, parent: parent, in: database)
                made = row.id
                return try body(row, database)
            }
        } catch {
            // Only the row is undone with the transaction. The first error is the one to tell.
            if let made { try? removeDirectory(directory(of: made)) }
            throw error
        }
    }

    func find(_ name: String, in database: Database) throws -> Row? {
        try SQLRow.fetchOne(
            database.cachedStatement(sql: "SELECT * FROM snapshot WHERE driver = ? AND name = ?"),
            arguments: [driver, name]
        ).map(Self.row)
    }

    func require(_ name: String, in database: Database) throws -> Row {
        guard let row = try find(name, in: database) else { throw SnapshotError.notFound(name) }
        return row
    }

    func committed(_ name: String, in database: Database) throws -> Row {
        let row = try require(name, in: database)
        guard row.state == .committed else { throw SnapshotError.wrongState(name, row.state) }
        return row
    }

    /// The row of a snapshot that can be read: one that is not just being filled.
    func readable(_ name: String, in database: Database) throws -> Row {
        let row = try require(name, in: database)
        guard row.state != .staged else { throw SnapshotError.wrongState(name, row.state) }
        return row
    }

    /// The ids of a snapshot's parents, nearest first.
    func parents(of row: Row, in database: Database) throws -> [Int64] {
        try Int64.fetchAll(
            database.cachedStatement(
                sql: """
                    WITH RECURSIVE chain (id, parent, depth) AS (
                        SELECT id, parent, 0 FROM snapshot WHERE id = ?
                        UNION ALL
                        SELECT snapshot.id, snapshot.parent, depth + 1
                            FROM snapshot JOIN chain ON snapshot.id = chain.parent
                    )
                    SELECT id FROM chain WHERE depth > 0 ORDER BY depth
                    """), arguments: [row.id])
    }

    func commit(
        _ staged: String, as name: String, parent: String?, usage: SnapshotUsage, in database: Database
    ) throws -> Row {
        let row = try require(staged, in: database)
        guard row.state != .committed else { throw SnapshotError.wrongState(staged, row.state) }
        if try find(name, in: database) != nil { throw SnapshotError.exists(name) }
        let parentID = try parent.map { try committed($0, in: database).id }
        guard row.state == .staged || row.parent == parentID else { throw SnapshotError.wrongState(staged, row.state) }
        try database.execute(
            literal: """
                UPDATE snapshot SET name = \(name), state = 'committed', parent = \(parentID),
                    bytes = \(usage.bytes), inodes = \(usage.inodes) WHERE id = \(row.id)
                """)
        return Row(id: row.id, name: name, state: .committed, parent: parentID, usage: usage)
    }

    /// Deletes a row, whose directory is then nobody's. Throws `notFound`, `inUse`.
    func delete(_ name: String, in database: Database) throws -> Row {
        let row = try require(name, in: database)
        let hasChildren =
            try Bool.fetchOne(
                database.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM snapshot WHERE parent = ?)"),
                arguments: [row.id]) ?? false
        if hasChildren { throw SnapshotError.inUse(name) }
        let holder = try String.fetchOne(
            database.cachedStatement(sql: "SELECT holder FROM snapshotRetention WHERE snapshot = ?"),
            arguments: [row.id])
        if let holder { throw SnapshotError.retained(name, by: holder) }
        try database.cachedStatement(sql: "DELETE FROM snapshot WHERE id = ?").execute(arguments: [row.id])
        return row
    }

    func information(_ row: Row, in database: Database) throws -> SnapshotInformation {
        func name(_ id: Int64) throws -> String? {
            try String.fetchOne(
                database.cachedStatement(sql: "SELECT name FROM snapshot WHERE id = ?"), arguments: [id])
        }
        let parent = try row.parent.flatMap { try name($0) }
        let origin = row.wasCaptured ? try self.origin(of: row, in: database).flatMap { try name($0) } : parent
        let isRetained = try Bool.fetchOne(
            database.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM snapshotRetention WHERE snapshot = ?)"),
            arguments: [row.id])
        return SnapshotInformation(
            name: row.name, state: row.state, parent: parent, origin: origin, isRetained: isRetained ?? false,
            directory: directory(of: row.id))
    }

    /// What an active snapshot was prepared upon.
    func origin(of row: Row, in database: Database) throws -> Int64? {
        guard row.wasCaptured, let parent = row.parent else { return row.parent }
        return try Int64.fetchOne(database, sql: "SELECT parent FROM snapshot WHERE id = ?", arguments: [parent])
    }

    /// The recorded usage of a committed snapshot.
    func usage(of id: Int64, in database: Database) throws -> SnapshotUsage {
        let row = try SQLRow.fetchOne(database, sql: "SELECT * FROM snapshot WHERE id = ?", arguments: [id])
        return try row.map(Self.row)?.usage ?? SnapshotUsage()
    }

    func all(in database: Database) throws -> [Row] {
        try SQLRow.fetchAll(database, sql: "SELECT * FROM snapshot WHERE driver = ? ORDER BY id", arguments: [driver])
            .map(Self.row)
    }

    private static func row(_ row: SQLRow) throws -> Row {
        guard let state = SnapshotInformation.State(rawValue: row["state"]) else {
            throw SnapshotError.database("a snapshot is in an unknown state")
        }
        return Row(
            id: row["id"], name: row["name"], state: state, parent: row["parent"],
            usage: SnapshotUsage(bytes: row["bytes"], inodes: row["inodes"]), wasCaptured: row["wasCaptured"],
            project: row["project"], limit: row["byteLimit"])
    }
}

private typealias SQLRow = GRDB.Row
