import GRDB
import Glibc
import SystemPackage

/// Opens snapshotters.
package enum Snapshots {
    /// The names of all drivers, as users write them.
    package static let drivers = ["overlay2", "btrfs", "erofs", "devicemapper", "vfs"]

    /// Adds this module's migrations; their names begin with `snapshots-`.
    package static func registerMigrations(in migrator: inout DatabaseMigrator) {
        SnapshotTable.registerMigrations(in: &migrator)
        ThinDeviceTable.registerMigrations(in: &migrator)
    }

    /// Opens the snapshotter below `directory` (the data root): the given driver (one of `drivers`; `overlay` is the
    /// same as `overlay2`), or without one overlay, or vfs where overlayfs cannot be. What a crash left half done is
    /// removed.
    ///
    /// - Parameter options: What `--storage-opt` says: `name=value`.
    /// - Throws: `unknownDriver`; `unavailable` if the machine cannot have the driver; `option`.
    package static func open(
        driver: String?, directory: FilePath, database: any DatabaseWriter, options: [String] = []
    ) throws(SnapshotError) -> any Snapshotter {
        let root = directory.appending("snapshots")
        guard root.withPlatformString({ mkdir($0, 0o700) }) == 0 || errno == EEXIST else {
            throw .system("create directory", root, Errno(rawValue: errno))
        }
        var rest = StorageOptions(options)
        let overlay = OverlayOptions(isInUserNamespace: try rest.boolean("overlay2.userxattr"))
        switch driver {
        case "overlay", "overlay2":
            // Meant for kernels that nobody has any more, and still in many configuration files.
            _ = try rest.boolean("overlay2.override_kernel_check")
            try rest.finish(driver: "overlay2")
            return try OverlaySnapshotter(root: root.appending("overlay"), database: database, options: overlay)
        case "btrfs":
            try rest.finish(driver: "btrfs")
            return try BtrfsSnapshotter(root: root.appending("btrfs"), database: database)
        case "erofs":
            try rest.finish(driver: "erofs")
            return try ErofsSnapshotter(root: root.appending("erofs"), database: database, options: overlay)
        case "devicemapper":
            let options = try DeviceMapperOptions(&rest)
            try rest.finish(driver: "devicemapper")
            return try DeviceMapperSnapshotter(
                root: root.appending("devicemapper"), database: database, options: options)
        case "vfs":
            try rest.finish(driver: "vfs")
            return try CopySnapshotter(root: root.appending("vfs"), database: database)
        case nil:
            try rest.finish(driver: "overlay2")
            do throws(SnapshotError) {
                return try OverlaySnapshotter(root: root.appending("overlay"), database: database, options: overlay)
            } catch .unavailable {
                return try CopySnapshotter(root: root.appending("vfs"), database: database)
            }
        case let name?: throw .unknownDriver(name)
        }
    }
}
