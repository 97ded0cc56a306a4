import GRDB
import Glibc
import SystemPackage

/// Opens snapshotters.
package enum Snapshots {
    /// Adds this module's migrations; their names begin with `snapshots-`.
    package static func registerMigrations(in migrator: inout DatabaseMigrator) {
        SnapshotTable.registerMigrations(in: &migrator)
    }

    /// Opens the snapshotter below `directory` (the data root): the given driver (`overlay`, also spelt `overlay2`; `vfs`), or
    /// without one the best that works there. What a crash left half done is removed.
    package static func open(
        driver: String?, directory: FilePath, database: any DatabaseWriter
    ) throws(SnapshotError) -> any Snapshotter {
        let root = directory.appending("snapshots")
        guard root.withPlatformString({ mkdir($0, 0o700) }) == 0 || errno == EEXIST else {
            throw .system("create directory", root, Errno(rawValue: errno))
        }
        switch driver {
        case "overlay", "overlay2": return try OverlaySnapshotter(root: root.appending("overlay"), database: database)
        case "vfs": return try CopySnapshotter(root: root.appending("vfs"), database: database)
        case nil:
            return OverlayProbe.works(in: root)
                ? try OverlaySnapshotter(root: root.appending("overlay"), database: database)
                : try CopySnapshotter(root: root.appending("vfs"), database: database)
        case let name?: throw .unknownDriver(name)
        }
    }
}
