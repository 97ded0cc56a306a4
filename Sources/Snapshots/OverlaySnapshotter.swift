import Tar
import GRDB
import Glibc
import LinuxKernel
import SystemPackage

/// Snapshots as layers of overlayfs: each has only what differs from its parent, in `fs`.
///
/// Layers are unpacked into directories of their own, whiteouts in overlayfs' form, so that they can be unpacked in any
/// order and all at once. A container's snapshot is three empty directories and a row.
package struct OverlaySnapshotter: Snapshotter {
    private let table: SnapshotTable

    package var driver: String { "overlay" }
    package var stagesIndependently: Bool { true }

    /// Opens the snapshots in `root`, whose parent must exist.
    init(root: FilePath, database: any DatabaseWriter) throws(SnapshotError) {
        table = SnapshotTable(database: database, driver: "overlay", root: root)
        // They would have another meaning in the option that names the lower directories.
        if root.string.contains(where: { $0 == ":" || $0 == "," || $0 == "\\" }) {
            throw .system("use a path with a colon, comma or backslash for overlayfs:", root, .invalidArgument)
        }
        try table.recover()
    }

    package func stage(_ name: String, parent: String?) throws(SnapshotError) -> StagedLayer {
        let row = try table.write { database in
            let row = try table.insert(name, .staged, parent: nil, in: database)
            try table.makeDirectories(of: row.id, withWork: false, rootLike: nil)
            return row
        }
        return StagedLayer(root: table.files(of: row.id), whiteouts: .overlay)
    }

    package func commit(
        _ staged: String, as name: String, parent: String?, contents: LayerApplier.Result
    ) throws(SnapshotError) {
        let usage = SnapshotUsage(bytes: contents.bytes, inodes: contents.inodes)
        try table.write { database in
            let row = try table.commit(staged, as: name, parent: parent, usage: usage, in: database)
            guard row.parent != nil, !contents.impliedDirectories.isEmpty else { return }
            // They exist in the layers below, and would hide those directories' owners and modes.
            let below = try table.parents(of: row, in: database).map(table.files)
            do throws(ArchiveError) {
                try ImpliedDirectories.complete(contents.impliedDirectories, in: table.files(of: row.id), below: below)
            } catch {
                throw SnapshotError.contents(error)
            }
        }
    }

    package func prepare(_ name: String, parent: String?) throws(SnapshotError) {
        var made: Int64?
        do throws(SnapshotError) {
            try table.write { database in
                let row = try table.insert(name, .active, parent: parent, in: database)
                made = row.id
                try table.makeDirectories(of: row.id, withWork: true, rootLike: row.parent.map(table.files))
            }
        } catch {
            // Only the row is undone with the transaction. The first error is the one to tell.
            if let made { try? table.removeDirectory(table.directory(of: made)) }
            throw error
        }
    }

    package func mounts(_ name: String, isDisposable: Bool) throws(SnapshotError) -> [SnapshotMount] {
        let (row, parents) = try table.read { database in
            let row = try table.require(name, in: database)
            guard row.state == .active else { throw SnapshotError.wrongState(name, row.state) }
            return (row, try table.parents(of: row, in: database))
        }
        guard !parents.isEmpty else {
            return [SnapshotMount(type: "bind", source: table.files(of: row.id).string, options: ["rbind", "rw"])]
        }
        var options = [String]()
        if isDisposable {
            // Else the kernel writes the whole file system that holds the snapshot to disk before it lets the mount go. It leaves a
            // mark which keeps such a directory from being mounted again, in case it was not complete after a crash.
            options.append("volatile")
            let mark = table.work(of: row.id).appending("work/incompat")
            do throws(Errno) {
                if Files.exists(mark) { try TreeRemoval.remove(mark) }
            } catch {
                throw .system("remove", mark, error)
            }
        }
        return [
            SnapshotMount(
                type: "overlay", source: "overlay",
                options: options + [
                    "lowerdir=" + parents.map { table.files(of: $0).string }.joined(separator: ":"),
                    "upperdir=" + table.files(of: row.id).string, "workdir=" + table.work(of: row.id).string,
                    // An index would tie the upper directory to this set of lower ones for ever, for the sake of NFS.
                    "index=off",
                ])
        ]
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
