import Tar
import GRDB
import LinuxKernel
import SystemPackage

/// Snapshots as subvolumes of btrfs: each is a whole tree, and shares with its parent what neither has changed.
///
/// `<id>/fs` is the subvolume. A committed one is read-only for everybody.
struct BtrfsSnapshotter: WholeTreeSnapshotter {
    let table: SnapshotTable

    var driver: String { "btrfs" }
    var status: [(title: String, value: String)] { [("Btrfs", "")] }

    /// Opens the snapshots in `root`, whose parent must exist and lie on btrfs.
    init(root: FilePath, database: any DatabaseWriter) throws(SnapshotError) {
        let parent = root.removingLastComponent()
        // A directory that cannot be asked cannot be used; making ours in it will say why.
        if let type = try? FileSystemType.of(parent), type != .btrfs {
            throw .unavailable(
                driver: "btrfs",
                "\(parent) is on \(BackingFileSystem.name(of: parent)), not on btrfs; mount a btrfs file system there, "
                    + "or use a "
                    + "--data-root that is on btrfs")
        }
        var table = SnapshotTable(database: database, driver: "btrfs", root: root)
        table.removeTree = { directory throws(Errno) in try Self.removeTree(directory) }
        self.table = table
        try table.recover()
    }

    private static func removeTree(_ directory: FilePath) throws(Errno) {
        let subvolume = directory.appending("fs")
        if Files.exists(subvolume), try BtrfsSubvolume.exists(subvolume) { try BtrfsSubvolume.remove(subvolume) }
        try TreeRemoval.remove(directory)
    }

    func stage(_ name: String, parent: String?) throws(SnapshotError) -> StagedLayer {
        StagedLayer(root: try make(name, .staged, parent: parent), whiteouts: .remove)
    }

    func prepare(_ name: String, parent: String?, limit: Int64?) throws(SnapshotError) {
        _ = try make(name, .active, parent: parent, limit: limit)
    }

    /// There are groups of quotas with every btrfs.
    func refusal(ofLimit bytes: Int64) -> String? { nil }

    private func make(
        _ name: String, _ state: SnapshotInformation.State, parent: String?, limit: Int64? = nil
    ) throws(SnapshotError) -> FilePath {
        try table.add(name, state, parent: parent) { row, _ in
            let files = table.files(of: row.id)
            do throws(Errno) {
                try Files.makeDirectory(table.directory(of: row.id), mode: 0o700)
                if limit != nil { try BtrfsSubvolume.enableQuota(table.root) }
                try BtrfsSubvolume.create(files, of: row.parent.map(table.files))
                if let limit { try BtrfsSubvolume.setLimit(files, bytes: UInt64(limit)) }
                if row.parent == nil { try FileDescriptor.workingDirectory.changeMode(files.string, mode: 0o755) }
            } catch {
                throw SnapshotError.system("make subvolume", files, error)
            }
            return files
        }
    }

    func commit(
        _ staged: String, as name: String, parent: String?, contents: LayerApplier.Result
    ) throws(SnapshotError) {
        let usage = try usage(committing: staged, contents)
        try table.write { database in
            let row = try table.commit(staged, as: name, parent: parent, usage: usage, in: database)
            let files = table.files(of: row.id)
            do throws(Errno) {
                try BtrfsSubvolume.setReadOnly(files, true)
            } catch {
                throw SnapshotError.system("make read-only", files, error)
            }
        }
    }
}
