import GRDB
import JSON

/// The rows of volumes, and of who has one from a plugin.
///
/// The row of a volume comes after the directory that it stands for, and says that the volume is to be removed before
/// anything of it is removed. So files are lost only where somebody asked for that, whenever the daemon dies
/// (`Volumes.recover`). The row of a use comes before the plugin is asked, and goes after the plugin was told.
struct VolumeTable: Sendable {
    let database: any DatabaseWriter

    static func registerMigrations(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("volumes-1") { database in
            try database.execute(
                sql: """
                    CREATE TABLE volume (
                        name TEXT PRIMARY KEY NOT NULL,
                        isRemoving BOOLEAN NOT NULL DEFAULT 0,
                        document TEXT NOT NULL
                    ) WITHOUT ROWID;
                    CREATE TABLE volumeUse (
                        volume TEXT NOT NULL REFERENCES volume (name) ON DELETE CASCADE,
                        user TEXT NOT NULL,
                        mountpoint TEXT NOT NULL,
                        PRIMARY KEY (volume, user)
                    ) WITHOUT ROWID;
                    """)
        }
    }

    /// A volume, and whether its removal has begun.
    struct Row: Sendable {
        var volume: Volume
        var isRemoving: Bool
    }

    /// Somebody who has a volume from a plugin, and where it is; empty if the plugin's answer was not seen.
    struct Use: Hashable, Sendable {
        var volume: String
        var user: String
        var mountpoint = ""
    }

    /// All volumes; the names of those whose row cannot be read with the reason; all uses.
    func load() throws(VolumesError) -> (rows: [Row], damaged: [(name: String, reason: String)], uses: [Use]) {
        try Self.translating {
            try database.read { database in
                var rows: [Row] = []
                var damaged: [(name: String, reason: String)] = []
                for row in try GRDB.Row.fetchAll(database, sql: "SELECT name, isRemoving, document FROM volume") {
                    let name: String = row["name"]
                    let document: String = row["document"]
                    do {
                        rows.append(
                            Row(
                                volume: try JSON.decode(Volume.self, from: document.utf8), isRemoving: row["isRemoving"]
                            ))
                    } catch {
                        damaged.append((name, "\(error)"))
                    }
                }
                let uses = try GRDB.Row.fetchAll(database, sql: "SELECT volume, user, mountpoint FROM volumeUse")
                    .map { Use(volume: $0["volume"], user: $0["user"], mountpoint: $0["mountpoint"]) }
                return (rows, damaged, uses)
            }
        }
    }

    /// Adds a volume.
    func add(_ volume: Volume) throws(VolumesError) {
        try Self.translating {
            let document = String(decoding: try JSON.encode(volume), as: UTF8.self)
            try database.write { database in
                try database.execute(
                    literal: "INSERT INTO volume (name, document) VALUES (\(volume.name), \(document))")
            }
        }
    }

    /// Says whether the removal of a volume has begun.
    func setRemoving(_ name: String, _ isRemoving: Bool) throws(VolumesError) {
        try Self.translating {
            try database.write { database in
                try database.execute(literal: "UPDATE volume SET isRemoving = \(isRemoving) WHERE name = \(name)")
            }
        }
    }

    /// Removes a volume and its uses.
    func remove(_ name: String) throws(VolumesError) {
        try Self.translating {
            try database.write { database in
                try database.execute(literal: "DELETE FROM volumeUse WHERE volume = \(name)")
                try database.execute(literal: "DELETE FROM volume WHERE name = \(name)")
            }
        }
    }

    /// Adds a use, or writes down where the volume is.
    func save(_ use: Use) throws(VolumesError) {
        try Self.translating {
            try database.write { database in
                try database.execute(
                    literal: """
                        INSERT INTO volumeUse (volume, user, mountpoint)
                        VALUES (\(use.volume), \(use.user), \(use.mountpoint))
                        ON CONFLICT (volume, user) DO UPDATE SET mountpoint = excluded.mountpoint
                        """)
            }
        }
    }

    /// Removes a use.
    func removeUse(of volume: String, by user: String) throws(VolumesError) {
        try Self.translating {
            try database.write { database in
                try database.execute(literal: "DELETE FROM volumeUse WHERE volume = \(volume) AND user = \(user)")
            }
        }
    }

    private static func translating<Value>(_ body: () throws -> Value) throws(VolumesError) -> Value {
        do {
            return try body()
        } catch {
            throw .system("the database does not do what volumes need: \(error)")
        }
    }
}
