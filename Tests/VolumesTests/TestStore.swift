import GRDB
import LinuxKernel
import Logging
import SystemPackage
import TemporaryDirectories

import Volumes

/// Volumes on a private data root.
final class TestStore {
    let directory: TemporaryDirectory
    let database: DatabaseQueue
    private(set) var volumes: Volumes
    var configuration: VolumesConfiguration

    var root: FilePath { directory.path.appending("data/volumes") }
    var sockets: FilePath { configuration.pluginSockets }

    init(dataRoot: FilePath? = nil) async throws {
        directory = try TemporaryDirectory()
        let data = dataRoot ?? directory.path.appending("data")
        try Files.makeDirectories(data)
        configuration = VolumesConfiguration(dataRoot: data)
        configuration.pluginSockets = directory.path.appending("run/plugins")
        configuration.pluginFiles = [directory.path.appending("etc/plugins")]
        configuration.pluginPatience = .zero
        for place in [configuration.pluginSockets] + configuration.pluginFiles { try Files.makeDirectories(place) }
        database = try DatabaseQueue()
        var migrator = DatabaseMigrator()
        Volumes.registerMigrations(in: &migrator)
        try migrator.migrate(database)
        volumes = try await Self.open(configuration, database)
    }

    /// As after a restart of the daemon.
    func reopen() async throws { volumes = try await Self.open(configuration, database) }

    private static func open(
        _ configuration: VolumesConfiguration, _ database: DatabaseQueue
    ) async throws -> Volumes {
        try await Volumes.open(
            configuration, database: database, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }
}
