import Tar
import GRDB
import Glibc
import LinuxKernel
import SystemPackage

/// Snapshots as full copies, for file systems that overlayfs cannot stand on. Docker calls it `vfs`.
///
/// Where the file system shares blocks between files (btrfs, xfs) a copy takes no space; elsewhere it takes all of it.
package struct CopySnapshotter: Snapshotter {
    private let table: SnapshotTable

    package var driver: String { "vfs" }
    package var stagesIndependently: Bool { false }

    /// Opens the snapshots in `root`, whose parent must exist.
    init(root: FilePath, database: any DatabaseWriter) throws(SnapshotError) {
        table = SnapshotTable(database: database, driver: "vfs", root: root)
        try table.recover()
    }

    package func stage(_ name: String, parent: String?) throws(SnapshotError) -> StagedLayer {
        StagedLayer(root: try make(name, .staged, parent: parent), whiteouts: .remove)
    }

    package func prepare(_ name: String, parent: String?) throws(SnapshotError) {
        _ = try make(name, .active, parent: parent)
    }

    /// A snapshot with all that its parent has. The copy is made while the row says `staged`, so that a crash in the
    /// middle leaves nothing.
    private func make(
        _ name: String, _ state: SnapshotInformation.State, parent: String?
    ) throws(SnapshotError) -> FilePath {
        let row = try table.write { database in
            let row = try table.insert(name, .staged, parent: parent, in: database)
            try table.makeDirectories(of: row.id, withWork: false, rootLike: nil)
            return row
        }
        do {
            if let parent = row.parent {
                try copy(table.files(of: parent), to: table.files(of: row.id))
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

    package func commit(
        _ staged: String, as name: String, parent: String?, contents: LayerApplier.Result
    ) throws(SnapshotError) {
        let usage = SnapshotUsage(bytes: contents.bytes, inodes: contents.inodes)
        _ = try table.write { try table.commit(staged, as: name, parent: parent, usage: usage, in: $0) }
    }

    package func mounts(_ name: String, isDisposable: Bool) throws(SnapshotError) -> [SnapshotMount] {
        let row = try table.read { try table.require(name, in: $0) }
        guard row.state == .active else { throw .wrongState(name, row.state) }
        return [SnapshotMount(type: "bind", source: table.files(of: row.id).string, options: ["rbind", "rw"])]
    }

    package func remove(_ name: String) throws(SnapshotError) {
        try table.remove(name)
    }

    package func information(_ name: String) throws(SnapshotError) -> SnapshotInformation? {
        try table.read { database in
            try table.find(name, in: database).map { try table.information($0, in: database) }
        }
    }

    package func usage(_ name: String) throws(SnapshotError) -> SnapshotUsage {
        let row = try table.read { try table.require(name, in: $0) }
        return row.state == .committed ? row.usage : try table.usage(of: table.files(of: row.id))
    }

    package func list() throws(SnapshotError) -> [SnapshotInformation] {
        try table.read { database in try table.all(in: database).map { try table.information($0, in: database) } }
    }
}
