import Tar
import GRDB
import Glibc
import LinuxKernel
import SystemPackage

/// Snapshots as full copies, for file systems that overlayfs cannot stand on. Docker calls it `vfs`.
///
/// Where the file system shares blocks between files (btrfs, xfs) a copy takes no space; elsewhere it takes all of it.
struct CopySnapshotter: WholeTreeSnapshotter {
    let table: SnapshotTable

    var driver: String { "vfs" }
    var status: [(title: String, value: String)] { [] }

    /// Opens the snapshots in `root`, whose parent must exist.
    init(root: FilePath, database: any DatabaseWriter) throws(SnapshotError) {
        table = SnapshotTable(database: database, driver: "vfs", root: root)
        try table.recover()
    }

    func stage(_ name: String, parent: String?) throws(SnapshotError) -> StagedLayer {
        StagedLayer(root: try make(name, .staged, parent: parent), whiteouts: .remove)
    }

    func prepare(_ name: String, parent: String?, limit: Int64?) throws(SnapshotError) {
        _ = try make(name, .active, parent: parent, limit: limit)
    }

    func refusal(ofLimit bytes: Int64) -> String? {
        table.countsProjects ? nil : "Filesystem does not support, or has not enabled quotas"
    }

    /// A snapshot with all that its parent has. The copy is made while the row says `staged`, so that a crash in the
    /// middle leaves nothing.
    private func make(
        _ name: String, _ state: SnapshotInformation.State, parent: String?, limit: Int64? = nil
    ) throws(SnapshotError) -> FilePath {
        let row = try table.add(name, .staged, parent: parent) { row, database in
            try table.makeDirectories(of: row.id, withWork: false, rootLike: nil)
            // Before the copy, which counts.
            if let limit { try table.limit(row.id, to: limit, in: database) }
            return row
        }
        do {
            if let parent = row.parent {
                try copy(table.files(of: parent), to: table.files(of: row.id))
                try table.noteTime(of: row.id)
            }
            if state != .staged {
                try table.write {
                    try $0.execute(
                        sql: "UPDATE snapshot SET state = ? WHERE id = ?", arguments: [state.rawValue, row.id])
                }
            }
        } catch {
            // The first error is the one to tell; what stays is removed at the next start.
            try? remove(name)
            throw error
        }
        return table.files(of: row.id)
    }

    private func copy(_ source: FilePath, to destination: FilePath) throws(SnapshotError) {
        do throws(TreeCopy.Failure) {
            try TreeCopy.copy(source, to: destination)
        } catch {
            throw .system("copy", error.path, error.errno)
        }
    }

    func commit(
        _ staged: String, as name: String, parent: String?, contents: LayerApplier.Result
    ) throws(SnapshotError) {
        let usage = try usage(committing: staged, contents)
        _ = try table.write { try table.commit(staged, as: name, parent: parent, usage: usage, in: $0) }
    }
}
