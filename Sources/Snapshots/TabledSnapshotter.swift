import Tar

/// A driver whose snapshots are rows of a `SnapshotTable` with a directory each: what all of them do in the same way.
protocol TabledSnapshotter: Snapshotter {
    var table: SnapshotTable { get }
}

extension TabledSnapshotter {
    func remove(_ name: String) throws(SnapshotError) {
        try table.remove(name)
    }

    func detach(_ name: String) throws(SnapshotError) -> DetachedSnapshot {
        let row = try table.write { try table.delete(name, in: $0) }
        return DetachedSnapshot(id: row.id, project: row.project)
    }

    func dispose(of snapshot: DetachedSnapshot) throws(SnapshotError) {
        try table.removeDirectory(table.directory(of: snapshot.id))
        table.forget(snapshot.project)
    }

    func information(_ name: String) throws(SnapshotError) -> SnapshotInformation? {
        try table.read { database in
            try table.find(name, in: database).map { try table.information($0, in: database) }
        }
    }

    /// What a snapshot about to be committed adds to its parent: what was unpacked into it, or what a container wrote.
    func usage(committing name: String, _ contents: LayerApplier.Result) throws(SnapshotError) -> SnapshotUsage {
        let row = try table.read { try table.require(name, in: $0) }
        return row.state == .active
            ? try usage(name) : SnapshotUsage(bytes: contents.bytes, inodes: contents.inodes)
    }

    /// For drivers whose layers have another form than what a container writes to.
    var captures: Bool { false }

    /// The same drivers' answer.
    func capture(
        _ active: String, as name: String, _ changes: TreeChanges
    ) throws(SnapshotError) -> SnapshotCapture {
        try table.read { _ = try table.capturable(active, as: name, in: $0) }
        return .needsCopy("the storage driver \(driver) keeps layers in another form")
    }

    func rename(_ committed: String, to name: String) throws(SnapshotError) {
        try table.rename(committed, to: name)
    }

    func retain(_ name: String, for holder: String) throws(SnapshotError) {
        try table.retain(name, for: holder)
    }

    func release(_ name: String, for holder: String) throws(SnapshotError) {
        try table.release(name, for: holder)
    }

    func retained(for holder: String) throws(SnapshotError) -> [String] {
        try table.retained(for: holder)
    }

    func list() throws(SnapshotError) -> [SnapshotInformation] {
        try table.read { database in try table.all(in: database).map { try table.information($0, in: database) } }
    }
}

/// A driver that puts snapshots together with overlayfs: each has only what differs from its parent, a container in
/// `<id>/fs`.
protocol LayeredSnapshotter: TabledSnapshotter {}

extension LayeredSnapshotter {
    var stagesIndependently: Bool { true }

    func refusal(ofLimit bytes: Int64) -> String? {
        table.countsProjects
            ? nil : "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"
    }

    func usage(_ name: String) throws(SnapshotError) -> SnapshotUsage {
        let (row, captured) = try table.read { database in
            let row = try table.require(name, in: database)
            guard row.wasCaptured, let parent = row.parent else { return (row, SnapshotUsage()) }
            return (row, try table.usage(of: parent, in: database))
        }
        if row.state == .committed { return row.usage }
        let own = try table.usage(of: table.files(of: row.id))
        return SnapshotUsage(bytes: own.bytes + captured.bytes, inodes: own.inodes + captured.inodes)
    }

    func details(_ name: String) throws(SnapshotError) -> [String: String] {
        let (row, parents) = try table.read { database in
            let row = try table.require(name, in: database)
            return (row, try table.parents(of: row, in: database))
        }
        var data = ["UpperDir": table.files(of: row.id).string, "WorkDir": table.work(of: row.id).string]
        if !parents.isEmpty { data["LowerDir"] = parents.map { table.files(of: $0).string }.joined(separator: ":") }
        if row.state == .committed { data["MergedDir"] = table.directory(of: row.id).appending("merged").string }
        return data
    }
}

/// A driver whose snapshots are whole trees in `<id>/fs`, with all that their parents have.
protocol WholeTreeSnapshotter: TabledSnapshotter {}

extension WholeTreeSnapshotter {
    var stagesIndependently: Bool { false }

    func mounts(_ name: String, isDisposable: Bool) throws(SnapshotError) -> [SnapshotMount] {
        let row = try table.read { try table.require(name, in: $0) }
        guard row.state == .active else { throw .wrongState(name, row.state) }
        return [SnapshotMount(type: "bind", source: table.files(of: row.id).string, options: ["rbind", "rw"])]
    }

    func view(_ name: String) throws(SnapshotError) -> SnapshotView {
        SnapshotView([table.files(of: try table.read { try table.readable(name, in: $0) }.id)])
    }

    func usage(_ name: String) throws(SnapshotError) -> SnapshotUsage {
        let row = try table.read { try table.require(name, in: $0) }
        if row.state == .committed { return row.usage }
        guard let parent = row.parent else { return try table.usage(of: table.files(of: row.id)) }
        return try table.usage(of: table.files(of: row.id), upon: table.files(of: parent))
    }
}
