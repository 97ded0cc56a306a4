import Archive
import BlockingCalls
import Engine
import GRDB
import Glibc
import Images
import LinuxKernel
import Logging
import Networks
import OCISpec
import Snapshots
import SystemPackage
import TemporaryDirectories
import Testing
import Volumes

/// An engine on private roots, with one image `box:latest` and a shim that refuses every container.
struct EngineFixture {
    let directory: TemporaryDirectory
    let database: DatabaseQueue
    let engine: Engine
    private let networks: Networks
    let volumes: Volumes

    /// `refusal` is the JSON of the error which the shim answers with.
    init(refusal: String = #"{"kind":"commandNotFound","message":"exec: \"x\": executable file not found in $PATH"}"#)
        async throws
    {
        directory = try TemporaryDirectory()
        try directory.write("shim", "#!/bin/sh\nprintf '%s' '{\"error\":\(refusal)}'\nexit 1\n")
        chmod(directory.path.appending("shim").string, 0o755)
        for root in ["data", "run"] { try Files.makeDirectory(directory.path.appending(root)) }
        database = try DatabaseQueue()
        var migrator = DatabaseMigrator()
        Images.registerMigrations(in: &migrator)
        Snapshots.registerMigrations(in: &migrator)
        Engine.registerMigrations(in: &migrator)
        Networks.registerMigrations(in: &migrator)
        Volumes.registerMigrations(in: &migrator)
        try migrator.migrate(database)
        let data = directory.path.appending("data")
        let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let images = try Images(
            directory: data, database: database,
            snapshotter: try Snapshots.open(driver: "vfs", directory: data, database: database), logger: quiet)
        // Networks are made where this thread is, which is no place of this machine's.
        let pool = BlockingPool(threads: 1, name: "networks")
        try await pool.run { try Namespaces.network.unshare() }
        networks = try await Networks.open(
            NetworksConfiguration(
                execRoot: directory.path.appending("run"),
                defaultBridge: NetworksConfiguration.DefaultBridge(isEnabled: false), machineIdentifier: "test",
                preparedNamespaces: 0),
            database: database, pool: pool, logger: quiet)
        var places = VolumesConfiguration(dataRoot: data)
        places.pluginSockets = directory.path.appending("plugins")
        places.pluginFiles = []
        volumes = try await Volumes.open(places, database: database, logger: quiet)
        engine = try Engine(
            configuration: EngineConfiguration(
                dataRoot: data, execRoot: directory.path.appending("run"), shimPath: directory.path.appending("shim"),
                initPath: "/nowhere"),
            images: images, networks: networks, volumes: volumes, database: database, logger: quiet)
        try await importImage()
        try await engine.recover()
    }

    /// Another engine on the same roots, as after a restart of the daemon.
    func restarted() throws -> Engine {
        try Engine(
            configuration: engine.configuration, images: engine.images, networks: networks, volumes: volumes,
            database: database,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private func importImage() async throws {
        try directory.write("image.tar", "")
        let path = directory.path.appending("image.tar")
        let writing = try Files.open(path, [.writeOnly, .truncate])
        try writing.writeEntire(
            try Self.tar("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nweb:x:33:33::/srv:/bin/sh\n"))
        try writing.close()
        let reading = try Files.open(path, [.readOnly])
        defer { reading.discard() }
        _ = try await engine.importImage(
            from: reading, reference: try ImageReference(parsing: "box").withDefaultTag, changes: ["CMD [\"x\"]"])
        try Files.remove(path)
    }

    /// An archive of one file.
    private static func tar(_ name: String, _ text: String) throws -> [UInt8] {
        nonisolated(unsafe) var bytes: [UInt8] = []
        var writer = TarWriter { bytes += $0 }
        var entry = TarEntry(kind: .file, name: Array(name.utf8), mode: 0o644)
        entry.size = Int64(text.utf8.count)
        try writer.add(entry)
        try writer.write(Array(text.utf8))
        try writer.finish()
        return bytes
    }

    /// What there is of containers: rows, snapshots, directories.
    func leftovers() throws -> [String] {
        let rows = try database.read { try String.fetchAll($0, sql: "SELECT id FROM container") }
        let snapshots = try engine.images.snapshotter.list().filter { $0.state == .active }.map(\.name)
        let directories = try ["data/containers", "run/containers", "run/shm"]
            .flatMap { try Files.names(in: directory.path.appending($0)) }
        return rows + snapshots + directories
    }
}
