import GRDB

// Who keeps which snapshots; and names.
extension SnapshotTable {
    func retain(_ name: String, for holder: String) throws(SnapshotError) {
        try write { database in
            let row = try committed(name, in: database)
            try database.execute(
                sql: "INSERT OR IGNORE INTO snapshotRetention (snapshot, holder) VALUES (?, ?)",
                arguments: [row.id, holder])
        }
    }

    func release(_ name: String, for holder: String) throws(SnapshotError) {
        try write { database in
            guard let row = try find(name, in: database) else { return }
            try database.execute(
                sql: "DELETE FROM snapshotRetention WHERE snapshot = ? AND holder = ?", arguments: [row.id, holder])
        }
    }

    func retained(for holder: String) throws(SnapshotError) -> [String] {
        try read { database in
            try String.fetchAll(
                database,
                sql: """
                    SELECT name FROM snapshot JOIN snapshotRetention ON snapshotRetention.snapshot = snapshot.id
                    WHERE holder = ? AND driver = ?
                    """, arguments: [holder, driver])
        }
    }

    /// The row of a snapshot to be captured: an active one, whose layer can have the name.
    func capturable(_ active: String, as name: String, in database: Database) throws -> Row {
        let row = try require(active, in: database)
        guard row.state == .active else { throw SnapshotError.wrongState(active, row.state) }
        if try find(name, in: database) != nil { throw SnapshotError.exists(name) }
        return row
    }

    func rename(_ committed: String, to name: String) throws(SnapshotError) {
        try write { database in
            let row = try self.committed(committed, in: database)
            if try find(name, in: database) != nil { throw SnapshotError.exists(name) }
            try database.execute(sql: "UPDATE snapshot SET name = ? WHERE id = ?", arguments: [name, row.id])
        }
    }
}
