import GRDB

/// Which thin device each snapshot of the devicemapper driver is. Devices have numbers of 24 bits (the kernel's
/// Documentation/admin-guide/device-mapper/thin-provisioning.rst), which come again; those of snapshots do not.
///
/// A row comes with its snapshot's in one transaction, and goes when the device is gone: one without a snapshot is a
/// device still to be removed.
struct ThinDeviceTable: Sendable {
    /// Device 0 is the pool's own.
    static let numbers: Range<Int64> = 1..<(1 << 24)

    static func registerMigrations(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("snapshots-thin-devices-1") { database in
            // Before there was this table a device had the number of its snapshot.
            try database.execute(
                sql: """
                    CREATE TABLE thinDevice (device INTEGER PRIMARY KEY NOT NULL, snapshot INTEGER NOT NULL UNIQUE);
                    INSERT INTO thinDevice (device, snapshot) SELECT id, id FROM snapshot WHERE driver = 'devicemapper';
                    """)
        }
    }

    /// Gives a new snapshot a number, its own as long as those have 24 bits, otherwise a free one above `last`.
    func assign(to snapshot: Int64, after last: Int64 = 0, in database: Database) throws -> Int64 {
        var device = snapshot
        let isTaken =
            try Bool.fetchOne(
                database, sql: "SELECT EXISTS (SELECT 1 FROM thinDevice WHERE device = ?)", arguments: [device])
            ?? false
        if isTaken || last > 0 || !Self.numbers.contains(device) {
            let gap = try Int64.fetchOne(
                database,
                sql: """
                    SELECT MIN(device + 1) FROM (SELECT ? AS device UNION ALL SELECT device FROM thinDevice)
                    WHERE device + 1 > ? AND device + 1 NOT IN (SELECT device FROM thinDevice)
                    """, arguments: [last, last])
            guard let gap, Self.numbers.contains(gap) else {
                throw SnapshotError.full("a thin pool has no more than 16777215 devices: remove images or containers")
            }
            device = gap
        }
        try database.execute(
            sql: "INSERT INTO thinDevice (device, snapshot) VALUES (?, ?)", arguments: [device, snapshot])
        return device
    }

    func device(of row: SnapshotTable.Row, in database: Database) throws -> Int64 {
        guard let found = try device(ofSnapshot: row.id, in: database) else {
            throw SnapshotError.database("snapshot \(row.name) has no device")
        }
        return found
    }

    /// The device of a snapshot that may be gone, by its id.
    func device(ofSnapshot id: Int64, in database: Database) throws -> Int64? {
        try Int64.fetchOne(database, sql: "SELECT device FROM thinDevice WHERE snapshot = ?", arguments: [id])
    }

    func all(in database: Database) throws -> [Int64] {
        try Int64.fetchAll(database, sql: "SELECT device FROM thinDevice")
    }

    /// Devices whose snapshots are gone.
    func strays(in database: Database) throws -> [Int64] {
        try Int64.fetchAll(
            database, sql: "SELECT device FROM thinDevice WHERE snapshot NOT IN (SELECT id FROM snapshot)")
    }

    func forget(_ device: Int64, in database: Database) throws {
        try database.execute(sql: "DELETE FROM thinDevice WHERE device = ?", arguments: [device])
    }
}
