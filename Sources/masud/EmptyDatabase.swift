import GRDB
import LinuxKernel
import SystemPackage

/// A database without a single table under a data root that is in use: it was deleted, or emptied, or a backup was put
/// back by half.
///
/// Everything on disk that no row names is garbage to a running daemon. On the word of such a database that would be
/// all there is.
enum EmptyDatabase {
    /// Throws what has been found and what to do about it. Does nothing for a data root that is new, or a database that
    /// is not.
    static func refuse(_ database: DatabasePool, at path: FilePath, in dataRoot: FilePath) throws {
        let isNew = try database.read { database in
            try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_master WHERE type = 'table'") == 0
        }
        guard isNew else { return }
        var found: [String] = []
        func count(_ what: String, in directories: [FilePath]) {
            // One that is not there has nothing in it.
            let count = directories.reduce(0) { $0 + ((try? Files.names(in: $1).count) ?? 0) }
            if count > 0 { found.append("\(count) \(what)") }
        }
        count("containers", in: [dataRoot.appending("containers")])
        let snapshots = dataRoot.appending("snapshots")
        // As above.
        count("snapshots", in: ((try? Files.names(in: snapshots)) ?? []).map { snapshots.appending($0) })
        count("blobs", in: [dataRoot.appending("content/blobs/sha256")])
        guard !found.isEmpty else { return }
        throw StartError(
            """
            the database \(path) is missing or empty, but \(dataRoot) holds \(found.joined(separator: ", ")) of an earlier \
            masud, which would be removed as garbage. Put masu.db back from a backup, together with masu.db-wal if there \
            is one; or, to begin anew, move the folders containers, snapshots and content out of \(dataRoot)
            """)
    }
}
