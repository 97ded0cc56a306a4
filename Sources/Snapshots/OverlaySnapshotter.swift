import Tar
import GRDB
import Glibc
import LinuxKernel
import SystemPackage

/// Snapshots as layers of overlayfs: each has only what differs from its parent, in `fs`.
///
/// Layers are unpacked into directories of their own, whiteouts in overlayfs' form, so that they can be unpacked in any
/// order and all at once. A container's snapshot is three empty directories and a row.
struct OverlaySnapshotter: LayeredSnapshotter {
    let table: SnapshotTable
    private let options: OverlayOptions

    var driver: String { "overlay" }
    var captures: Bool { true }
    var status: [(title: String, value: String)] {
        [
            ("Backing Filesystem", BackingFileSystem.name(of: table.root)), ("Supports d_type", "true"),
            ("Using metacopy", "false"), ("Native Overlay Diff", "true"),
            ("userxattr", options.isInUserNamespace ? "true" : "false"),
        ]
    }

    /// Opens the snapshots in `root`, whose parent must exist.
    init(root: FilePath, database: any DatabaseWriter, options: OverlayOptions) throws(SnapshotError) {
        try OverlayOptions.check(root, driver: "overlay")
        self.options = options
        table = SnapshotTable(database: database, driver: "overlay", root: root)
        try table.recover()
        if let failure = OverlayProbe.failure(in: root, options) {
            throw .unavailable(
                driver: "overlay",
                "the kernel refuses an overlay on \(root) (\(BackingFileSystem.name(of: root))): \(failure). Use "
                    + "another --data-root, or --storage-driver vfs"
            )
        }
    }

    func stage(_ name: String, parent: String?) throws(SnapshotError) -> StagedLayer {
        let row = try table.add(name, .staged, parent: nil) { row, _ in
            try table.makeDirectories(of: row.id, withWork: false, rootLike: nil)
            return row
        }
        return StagedLayer(
            root: table.files(of: row.id), whiteouts: options.isInUserNamespace ? .overlayInUserNamespace : .overlay)
    }

    func commit(
        _ staged: String, as name: String, parent: String?, contents: LayerApplier.Result
    ) throws(SnapshotError) {
        let usage = try usage(committing: staged, contents)
        try table.write { database in
            let row = try table.commit(staged, as: name, parent: parent, usage: usage, in: database)
            try table.removeWork(of: row.id)
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

    func prepare(_ name: String, parent: String?, limit: Int64?) throws(SnapshotError) {
        try table.add(name, .active, parent: parent) { row, database in
            try table.makeDirectories(of: row.id, withWork: true, rootLike: row.parent.map(table.files))
            if let limit { try table.limit(row.id, to: limit, in: database) }
        }
    }

    /// The changed files get a second name each, in a directory of the new snapshot's; then the container gets a new
    /// upper directory upon it, and the old one with the first names goes. So nobody writes to the files any more, and
    /// the container
    /// may start again at once.
    func capture(
        _ active: String, as name: String, _ changes: TreeChanges
    ) throws(SnapshotError) -> SnapshotCapture {
        let row = try table.read { try table.capturable(active, as: name, in: $0) }
        guard !changes.hasSockets else { return .needsCopy("sockets stay with the container, and are in no layer") }
        guard !changes.hasLargeHoles else { return .needsCopy("files with large holes are read once only") }
        guard !row.wasCaptured else { return .needsCopy("it was captured before") }
        guard row.project == nil else { return .needsCopy("its files count for its limit") }
        guard changes.isOfUpper || row.parent == nil else {
            return .needsCopy("its upper directory refers to the lower ones by name")
        }
        let layer = try table.add(name, .staged, parent: nil) { layer, _ in
            try table.makeDirectories(of: layer.id, withWork: false, rootLike: nil)
            return layer
        }
        do throws(SnapshotError) {
            let kept = Set(changes.all.map(\.path))
            do throws(TreeCopy.Failure) {
                try TreeCopy.link(table.files(of: row.id), to: table.files(of: layer.id)) { kept.contains($0) }
            } catch {
                guard [.tooManyLinks, .fileNameTooLong].contains(error.errno) else {
                    throw SnapshotError.system("link", error.path, error.errno)
                }
                try remove(name)
                return .needsCopy("\(error.path) cannot get another name: \(error.errno)")
            }
            // Changes of a root directory itself are in no layer either.
            if let parent = row.parent {
                try table.copyRoot(from: table.files(of: parent), to: table.files(of: layer.id))
            }
            try goOn(row, upon: layer, usage: try table.usage(of: table.files(of: layer.id)))
        } catch {
            try? remove(name)  // the first error is the one to tell; the next start removes what stays
            throw error
        }
        table.removeReplaced(row)
        return .captured
    }

    /// Commits a layer that was captured and gives the container a new row and directory upon it, in one transaction.
    private func goOn(
        _ row: SnapshotTable.Row, upon layer: SnapshotTable.Row, usage: SnapshotUsage
    ) throws(SnapshotError) {
        var made: Int64?
        do throws(SnapshotError) {
            try table.write { database in
                // The container may have been removed meanwhile.
                guard try table.find(row.name, in: database)?.id == row.id else {
                    throw SnapshotError.notFound(row.name)
                }
                try database.execute(
                    literal: """
                        UPDATE snapshot SET state = 'committed', parent = \(row.parent), bytes = \(usage.bytes),
                            inodes = \(usage.inodes) WHERE id = \(layer.id)
                        """)
                try database.execute(sql: "DELETE FROM snapshot WHERE id = ?", arguments: [row.id])
                let next = try table.insert(row.name, .active, parent: layer.name, in: database)
                made = next.id
                try database.execute(
                    sql: "UPDATE snapshot SET wasCaptured = 1 WHERE id = ?", arguments: [next.id])
                try table.makeDirectories(of: next.id, withWork: true, rootLike: table.files(of: row.id))
            }
        } catch {
            // Only the rows are undone with the transaction. The first error is the one to tell.
            if let made { try? table.removeDirectory(table.directory(of: made)) }
            throw error
        }
    }

    func mounts(_ name: String, isDisposable: Bool) throws(SnapshotError) -> [SnapshotMount] {
        let (row, parents) = try table.read { database in
            let row = try table.require(name, in: database)
            guard row.state == .active else { throw SnapshotError.wrongState(name, row.state) }
            return (row, try table.parents(of: row, in: database))
        }
        guard !parents.isEmpty else {
            return [SnapshotMount(type: "bind", source: table.files(of: row.id).string, options: ["rbind", "rw"])]
        }
        return [
            try options.mount(
                lower: parents.map(table.files), upper: table.files(of: row.id), work: table.work(of: row.id),
                isDisposable: isDisposable)
        ]
    }

    func view(_ name: String) throws(SnapshotError) -> SnapshotView {
        try table.read { database in
            let row = try table.readable(name, in: database)
            return SnapshotView(
                ([row.id] + (try table.parents(of: row, in: database))).map(table.files),
                overlayOptions: options.common)
        }
    }
}
