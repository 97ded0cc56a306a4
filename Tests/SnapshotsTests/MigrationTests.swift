import GRDB
import Snapshots
import Testing

/// What earlier versions have left in the database.
struct MigrationTests {
    private func migrator() -> DatabaseMigrator {
        var migrator = DatabaseMigrator()
        Snapshots.registerMigrations(in: &migrator)
        return migrator
    }

    @Test("snapshots of the first version keep what they were, and thin devices their numbers")
    func firstVersion() throws {
        let database = try DatabaseQueue()
        try migrator().migrate(database, upTo: "snapshots-1")
        try database.write { database in
            for (id, driver, name, state, parent) in [
                (3, "overlay", "layer", "committed", nil), (5, "devicemapper", "layer", "committed", nil),
                (7, "overlay", "container", "active", 3), (9, "devicemapper", "container", "active", 5),
                (11, "devicemapper", "half", "staged", 5),
            ] as [(Int64, String, String, String, Int64?)] {
                try database.execute(
                    literal: """
                        INSERT INTO snapshot (id, driver, name, state, parent, bytes)
                        VALUES (\(id), \(driver), \(name), \(state), \(parent), \(id * 100))
                        """)
            }
        }
        try migrator().migrate(database)
        try database.read { database in
            let rows = try Row.fetchAll(database, sql: "SELECT * FROM snapshot ORDER BY id")
            #expect(rows.map { $0["id"] as Int64 } == [3, 5, 7, 9, 11])
            #expect(rows.map { $0["bytes"] as Int64 } == [300, 500, 700, 900, 1100])
            #expect(rows.map { $0["parent"] as Int64? } == [nil, nil, 3, 5, 5])
            #expect(rows.allSatisfy { ($0["wasCaptured"] as Bool) == false })
            let devices = try Row.fetchAll(database, sql: "SELECT device, snapshot FROM thinDevice ORDER BY device")
            #expect(devices.map { $0["device"] as Int64 } == [5, 9, 11])
            #expect(devices.map { $0["snapshot"] as Int64 } == [5, 9, 11])
        }
        // The general table knows nothing of devices.
        let columns = try database.read { try $0.columns(in: "snapshot").map(\.name) }
        #expect(!columns.contains { $0.lowercased().contains("device") })
    }
}
