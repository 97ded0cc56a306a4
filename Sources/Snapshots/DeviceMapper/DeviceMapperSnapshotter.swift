import Tar
import GRDB
import LinuxKernel
import Synchronization
import SystemPackage

/// Snapshots as thin block devices with a file system each: each is a whole tree, and shares with its parent the blocks
/// that neither has written to.
///
/// `ThinDeviceTable` says which device a snapshot is; its directory `<id>` is empty. A layer
/// being filled is mounted nowhere but in a descriptor of this process. The device of a container stays active from its
/// first start to its removal.
struct DeviceMapperSnapshotter: TabledSnapshotter {
    private final class Staged: Sendable {
        /// Mounts of layers that are being filled, by name.
        let mounts = Mutex<[String: FileDescriptor]>([:])
        /// Held from the activation of a committed device to its mount, and for its deactivation. How many have it
        /// mounted.
        let views = Mutex<[Int64: Int]>([:])
    }

    let table: SnapshotTable
    private let devices = ThinDeviceTable()
    private let pool: ThinPool
    private let staged = Staged()

    var driver: String { "devicemapper" }
    var stagesIndependently: Bool { false }

    /// Opens the snapshots in `root`, whose parent must exist, and the pool they are in.
    init(root: FilePath, database: any DatabaseWriter, options: DeviceMapperOptions) throws(SnapshotError) {
        do throws(Errno) {
            do throws(Errno) { try Files.makeDirectory(root, mode: 0o700) } catch .fileExists {}
        } catch {
            throw .system("create directory", root, error)
        }
        var table = SnapshotTable(database: database, driver: "devicemapper", root: root)
        table.otherNames = ThinPool.names
        table.hasFilesInDirectories = false
        self.table = table
        // A device cannot be set aside, and its number would be given to another snapshot, which deletes it first.
        try table.refuseForeign()
        let pool = try ThinPool(directory: root, options: options)
        self.pool = pool
        do throws(SnapshotError) {
            try table.recover()
            for row in try table.read({ try table.all(in: $0) }) { table.mark(row.id) }
            for device in try table.read({ try devices.strays(in: $0) }) { try delete(device) }
        } catch {
            pool.close()
            throw error
        }
    }

    var status: [(title: String, value: String)] {
        var rows: [(title: String, value: String)] = [
            ("Pool Name", pool.name), ("Pool Blocksize", Self.text(65536)),
            ("Base Device Size", Self.text(pool.baseSize)),
            ("Backing Filesystem", pool.options.fileSystem.rawValue),
        ]
        if let devices = pool.options.devices {
            rows += [("Data file", devices.data.string), ("Metadata file", devices.metadata.string)]
        } else {
            rows += [("Data loop file", pool.dataFile.string), ("Metadata loop file", pool.metadataFile.string)]
        }
        // A pool that does not answer has no numbers; what uses it says why.
        if let usage = try? pool.usage() {
            for (title, space) in [("Data", usage.data), ("Metadata", usage.metadata)] {
                rows += [
                    ("\(title) Space Used", Self.text(space.used)), ("\(title) Space Total", Self.text(space.total)),
                    ("\(title) Space Available", Self.text(space.total - space.used)),
                ]
            }
            rows.append(("Thin Pool Minimum Free Space", Self.text(usage.data.total * pool.options.minimumFree / 100)))
        }
        return rows
    }

    /// A size with four digits, as Docker writes it.
    private static func text(_ bytes: Int64) -> String {
        let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"]
        var (value, unit) = (Double(bytes), 0)
        while value >= 1000, unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        let places = value >= 1000 ? 0 : value >= 100 ? 1 : value >= 10 ? 2 : 3
        var scale = 1.0
        for _ in 0..<places { scale *= 10 }
        var text = "\((value * scale).rounded() / scale)"
        if text.hasSuffix(".0") { text.removeLast(2) }
        return text + units[unit]
    }

    // MARK: Layers

    func stage(_ name: String, parent: String?) throws(SnapshotError) -> StagedLayer {
        let number = try make(name, .staged, parent: parent)
        do throws(SnapshotError) {
            let device = try pool.activate(number)
            let mount = try system("mount", device) { device throws(Errno) in
                try pool.mount(device, isReadOnly: false)
            }
            staged.mounts.withLock { $0[name] = mount }
            return StagedLayer(root: mount.procPath, whiteouts: .remove)
        } catch {
            try? remove(name)  // the first error is the one to tell
            throw error
        }
    }

    func prepare(_ name: String, parent: String?, limit: Int64?) throws(SnapshotError) {
        let device = try make(name, .active, parent: parent, limit: limit)
        guard let limit, limit > pool.baseSize else { return }
        do throws(SnapshotError) {
            // It stays active, as from a first start on.
            let node = try pool.activate(device, size: limit)
            // Nobody has written to it since it was unmounted, which the program cannot know of a copy.
            try FileSystemProgram.run(["resize2fs", "-f", node.string], driver: "devicemapper")
        } catch {
            try? remove(name)  // the first error is the one to tell
            throw error
        }
    }

    func refusal(ofLimit bytes: Int64) -> String? {
        if bytes < pool.baseSize {
            return "devmapper: Container size cannot be smaller than \(Self.text(pool.baseSize))"
        }
        guard bytes > pool.baseSize, pool.options.fileSystem != .ext4 else { return nil }
        return "devmapper: a container's file system can only grow with the storage option dm.fs=ext4, not "
            + pool.options.fileSystem.rawValue
    }

    /// Returns the number of the new snapshot's device.
    private func make(
        _ name: String, _ state: SnapshotInformation.State, parent: String?, limit: Int64? = nil
    ) throws(SnapshotError) -> Int64 {
        try pool.checkSpace()
        var made: (id: Int64, device: Int64?)?
        do throws(SnapshotError) {
            let device = try table.write { database in
                let parentRow = try parent.map { try table.committed($0, in: database) }
                let origin = try parentRow.map { try devices.device(of: $0, in: database) } ?? 0
                let row = try table.insert(name, state, parent: parent, in: database)
                if let limit {
                    try database.execute(
                        sql: "UPDATE snapshot SET byteLimit = ? WHERE id = ?", arguments: [limit, row.id])
                }
                var device = try devices.assign(to: row.id, in: database)
                made = (row.id, nil)
                let directory = table.directory(of: row.id)
                try system("create directory", directory) { path throws(Errno) in
                    try Files.makeDirectory(path, mode: 0o700)
                }
                // What a crash left under this number, which no other database has had (`refuseForeign`).
                if device == row.id { try pool.delete(device) }
                // Of another number nobody knows whose device has it.
                while try !pool.create(device, of: origin) {
                    try devices.forget(device, in: database)
                    device = try devices.assign(to: row.id, after: device, in: database)
                }
                made = (row.id, device)
                return device
            }
            if let made { table.mark(made.id) }
            return device
        } catch {
            // Only the rows are undone with the transaction. The first error is the one to tell.
            if let made {
                // The next snapshot gets the number, and deletes it again.
                if let device = made.device { try? pool.delete(device) }
                try? table.removeDirectory(table.directory(of: made.id))  // the next start removes it
            }
            throw error
        }
    }

    func finish(_ staged: String, contents: LayerApplier.Result) throws(SnapshotError) {
        let row = try table.read { try table.require(staged, in: $0) }
        guard row.state != .committed else { throw .wrongState(staged, row.state) }
        try unmount(staged, try device(of: row))
    }

    private func device(of row: SnapshotTable.Row) throws(SnapshotError) -> Int64 {
        try table.read { try devices.device(of: row, in: $0) }
    }

    /// Gives back a device whose snapshot is gone.
    private func delete(_ device: Int64) throws(SnapshotError) {
        try pool.delete(device)
        try table.write { try devices.forget(device, in: $0) }
    }

    /// The mount goes, and with it everything is written to the device, which then is deactivated.
    private func unmount(_ name: String, _ id: Int64) throws(SnapshotError) {
        if let mount = staged.mounts.withLock({ $0.removeValue(forKey: name) }) { mount.discard() }
        try pool.deactivate(id)
    }

    func commit(
        _ staged: String, as name: String, parent: String?, contents: LayerApplier.Result
    ) throws(SnapshotError) {
        let usage = try usage(committing: staged, contents)
        _ = try table.write { try table.commit(staged, as: name, parent: parent, usage: usage, in: $0) }
    }

    func remove(_ name: String) throws(SnapshotError) {
        if let mount = staged.mounts.withLock({ $0.removeValue(forKey: name) }) { mount.discard() }
        let row = try table.read { try table.require(name, in: $0) }
        let device = try device(of: row)
        // A layer that was given up may be what fills the disk; then the database cannot be written before it is gone.
        if row.state == .staged { try pool.delete(device) }
        try table.remove(name)
        try delete(device)
    }

    func dispose(of snapshot: DetachedSnapshot) throws(SnapshotError) {
        let device = try table.read { try devices.device(ofSnapshot: snapshot.id, in: $0) }
        try table.removeDirectory(table.directory(of: snapshot.id))
        if let device { try delete(device) }
    }

    // MARK: Containers

    func mounts(_ name: String, isDisposable: Bool) throws(SnapshotError) -> [SnapshotMount] {
        let row = try table.read { try table.require(name, in: $0) }
        guard row.state == .active else { throw .wrongState(name, row.state) }
        return [
            SnapshotMount(
                type: pool.options.fileSystem.rawValue,
                source: try pool.activate(try device(of: row), size: row.limit).string,
                options: pool.options.fileSystem.writable)
        ]
    }

    func view(_ name: String) throws(SnapshotError) -> SnapshotView {
        let row = try table.read { try table.readable(name, in: $0) }
        let device = try device(of: row)
        guard row.state == .committed else {
            let mount = try self.mount(device, size: row.limit, isReadOnly: false)
            return SnapshotView([mount.procPath], mounts: [mount])
        }
        let outcome: Result<FileDescriptor, SnapshotError> = staged.views.withLock { views in
            Result { () throws(SnapshotError) in
                let mount = try self.mount(device, isReadOnly: true)
                views[device, default: 0] += 1
                return mount
            }
        }
        let mount = try outcome.get()
        return SnapshotView([mount.procPath], mounts: [mount]) { [staged, pool] in
            staged.views.withLock { views in
                let rest = (views[device] ?? 1) - 1
                views[device] = rest == 0 ? nil : rest
                if rest == 0 { pool.deactivateIfIdle(device) }
            }
        }
    }

    /// A detached mount. What a container writes to is mounted as the container has it: the kernel has one file system
    /// for both.
    private func mount(
        _ id: Int64, size: Int64? = nil, isReadOnly: Bool
    ) throws(SnapshotError) -> FileDescriptor {
        let device = try pool.activate(id, size: size)
        return try system("mount", device) { device throws(Errno) in
            let mount = try pool.mount(device, isReadOnly: isReadOnly)
            if !isReadOnly { try Mounts.setAttributes(of: mount, set: .readOnly) }
            return mount
        }
    }

    func usage(_ name: String) throws(SnapshotError) -> SnapshotUsage {
        let row = try table.read { try table.require(name, in: $0) }
        if row.state == .committed { return row.usage }
        let own = try view(name)
        defer { withExtendedLifetime(own) {} }
        guard let files = own.layers.first else { return SnapshotUsage() }
        guard let parent = try information(name)?.parent else { return try table.usage(of: files) }
        let below = try view(parent)
        defer { withExtendedLifetime(below) {} }
        guard let base = below.layers.first else { return SnapshotUsage() }
        return try table.usage(of: files, upon: base)
    }

    func details(_ name: String) throws(SnapshotError) -> [String: String] {
        let row = try table.read { try table.require(name, in: $0) }
        let device = try device(of: row)
        let size = max(row.limit ?? 0, pool.baseSize)
        return ["DeviceId": "\(device)", "DeviceName": pool.deviceName(device), "DeviceSize": "\(size)"]
    }

    func close() {
        staged.mounts.withLock { mounts in
            for mount in mounts.values { mount.discard() }
            mounts = [:]
        }
        // Those that cannot be looked up stay in the kernel, and the pool with them: the next daemon finds it.
        pool.close((try? table.read { try devices.all(in: $0) }) ?? [])
    }

    private func system<T>(
        _ operation: String, _ path: FilePath, _ body: (FilePath) throws(Errno) -> T
    ) throws(SnapshotError) -> T {
        do throws(Errno) {
            return try body(path)
        } catch {
            throw .system(operation, path, error)
        }
    }
}
