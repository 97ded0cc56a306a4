import ContentStore
import GRDB
import Glibc
import OCISpec
import Snapshots

extension Images {
    /// Removes what a crash left: blobs and layers that belong to no image. Names the images that cannot be read.
    func recover() throws {
        try settling.dropUnsettled()
        try dropLateBlobs()
        let (rows, blobs, layers) = try database.read { database in
            (
                try ImageTable.all(in: database),
                Set(try String.fetchAll(database, sql: "SELECT digest FROM imageBlob")),
                Set(try String.fetchAll(database, sql: "SELECT snapshot FROM imageLayer"))
            )
        }
        for digest in try content.list() where !blobs.contains(digest.description) { try content.remove(digest) }
        // Children first, as parents cannot go before them.
        for snapshot in try snapshotter.list().reversed() where snapshot.state == .committed {
            guard !layers.contains(snapshot.name) else { continue }
            do throws(SnapshotError) {
                disposal.add(try snapshotter.detach(snapshot.name), bytes: 0)
            } catch .inUse {
                continue  // a container whose image was removed by force still stands on it
            } catch .retained {
                continue
            }
        }
        // What was downloaded of an image that nobody has pulled to its end for a week.
        try content.sweepIngests(keeping: [], unusedSince: Int64(time(nil)) - 7 * 86400)
        try database.write { database in
            try database.execute(
                sql: "DELETE FROM imageCompressedLayer WHERE layer NOT IN (SELECT digest FROM imageBlob)")
        }
        for row in rows {
            let record = record(of: row)
            guard let damage = record.damage else { continue }
            logger.error(
                "an image is damaged",
                metadata: ["image": "\(record.shownName)", "id": "\(row.id)", "why": "\(damage)"])
        }
        updateIndex()
        settling.soon()
        completeBlobsSoon()
    }
}
