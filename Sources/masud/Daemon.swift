import BlockingCalls
import DaemonLog
import Distribution
import HTTPServing
import BuildInformation
import Engine
import EngineAPI
import GRDB
import Glibc
import Images
import LinuxKernel
import Logging
import Networks
import NIOPosix
import Snapshots
import SystemPackage
import Volumes

/// The object graph of a running daemon, put together in one place.
struct Daemon {
    /// How many descriptors this process may have.
    private static var openFiles: Int {
        // It cannot fail for this process; 1024 is the smallest limit in use.
        (try? ResourceLimit.nofile.get()).map { Int(clamping: $0.soft) } ?? 1024
    }

    private let configuration: DaemonConfiguration
    private let logger: Logger
    private let locks: [RootLock]
    private let pidFile: PIDFile
    private let database: DatabasePool
    private let engine: Engine
    private let snapshotter: any Snapshotter
    private let group: MultiThreadedEventLoopGroup
    private let server: HTTPServer
    private let sockets: [ListeningSocket]

    /// Takes the roots, opens what is below them, recovers the containers of an earlier daemon and begins to serve.
    ///
    /// Clients can connect from the first moment; they are answered when recovery is done.
    static func start(_ configuration: DaemonConfiguration, logger: Logger) async throws -> Daemon {
        let locks = try [
            RootLock(making: configuration.dataRoot, flag: "data-root"),
            RootLock(making: configuration.execRoot, flag: "exec-root"),
        ]
        try adjustOOMScore(configuration)
        for option in configuration.withoutEffect {
            logger.warning(
                "option has no effect", metadata: ["option": "\(option.name)", "reason": "\(option.reason)"])
        }
        let tls = try ServerTLS.context(configuration.flags)
        let pidFile = try PIDFile(configuration.pidFile)
        var made: [ListeningSocket] = []
        do {
            for address in configuration.addresses {
                made += try ListeningSocket.open(
                    address, group: GroupChoice(name: configuration.flags[DaemonFlags.group]),
                    access: ServerTLS.Access(configuration.flags))
            }
            // Two threads are enough to move bytes for two processors, and each costs memory.
            let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
            let database = try openDatabase(configuration.dataRoot)
            let snapshotter = try Snapshots.open(
                driver: configuration.storageDriver, directory: configuration.dataRoot, database: database,
                options: configuration.storageOptions)
            let images = try Images(
                directory: configuration.dataRoot, database: database, snapshotter: snapshotter,
                logger: Logger(label: "images"),
                registries: Registries(try configuration.registries(), group: group),
                concurrentDownloads: configuration.flags[DaemonFlags.downloads],
                concurrentUploads: configuration.flags[DaemonFlags.uploads])
            let networks = try await openNetworks(configuration, database: database, logger: logger)
            let volumes = try await Volumes.open(
                VolumesConfiguration(dataRoot: configuration.dataRoot), database: database,
                logger: Logger(label: "volumes"))
            let engine = try Engine(
                configuration: try configuration.engine(programs: try programs()), images: images, networks: networks,
                volumes: volumes, database: database, logger: Logger(label: "engine"))
            try await engine.recover()
            let routes = EngineRoutes(
                engine: engine, eventLoopGroup: group, oldest: try configuration.oldestVersion(),
                documentLimit: Int(configuration.flags[DaemonFlags.maxDocument]), logger: Logger(label: "api"))
            let server = HTTPServer(
                group: group, responder: routes.responder,
                limits: configuration.connectionLimits(openFiles: Self.openFiles))
            for socket in made { try await server.accept(on: socket.descriptor, tls: socket.isTCP ? tls : nil) }
            for address in configuration.addresses { logger.info("API listens", metadata: ["address": "\(address)"]) }
            logger.info(
                "daemon has completed initialization",
                metadata: ["version": "\(MasuVersion.version)", "storage-driver": "\(snapshotter.driver)"])
            return Daemon(
                configuration: configuration, logger: logger, locks: locks, pidFile: pidFile, database: database,
                engine: engine, snapshotter: snapshotter, group: group, server: server, sockets: made)
        } catch {
            for socket in made { socket.removeName() }
            pidFile.remove()
            throw error
        }
    }

    /// Serves until a signal says otherwise, then stops. Containers live on.
    func run(_ signals: AsyncStream<Int32>, output: LogOutput, arguments: [String]) async {
        var current = configuration
        for await signal in signals {
            if signal == SIGHUP {
                if let reloaded = await reload(output: output, arguments: arguments) { current = reloaded }
                continue
            }
            logger.info("processing signal", metadata: ["signal": signal == SIGTERM ? "terminated" : "interrupt"])
            break
        }
        // A second signal means now. Containers do not mind, and the database is safe against any end.
        let impatience = Task {
            if await signals.first(where: { $0 != SIGHUP }) != nil { _exit(1) }
        }
        await stop(timeout: current.flags[DaemonFlags.shutdownTimeout])
        impatience.cancel()
    }

    private func stop(timeout: Int) async {
        await engine.shutdown()
        // Streams of containers that live on never end by themselves; requests under way get a moment.
        await server.stop(grace: .seconds(timeout < 0 ? 2 : min(2, timeout)))
        for socket in sockets { socket.removeName() }
        snapshotter.close()
        do {
            try await group.shutdownGracefully()
            try database.close()
        } catch {
            logger.warning("cannot close all resources", metadata: ["error": "\(error)"])
        }
        pidFile.remove()
        logger.info("daemon shutdown complete")
    }

    /// SIGHUP: takes over what can change while running: what Docker's daemon takes over, as far as there are such
    /// options. Either all of it changes or nothing.
    private func reload(output: LogOutput, arguments: [String]) async -> DaemonConfiguration? {
        do {
            let configuration = try DaemonConfiguration(arguments: arguments)
            let registries = try configuration.registries()
            let settings = try configuration.engine(programs: try Self.programs())
            engine.images.reload(
                registries: registries, concurrentDownloads: configuration.flags[DaemonFlags.downloads],
                concurrentUploads: configuration.flags[DaemonFlags.uploads])
            output.level = LogOutput.level(named: configuration.logLevel)
            // Last, because it sends the event: whoever gets it finds that everything has changed.
            try await engine.reload(settings, attributes: configuration.reloadAttributes)
            logger.info("reloaded configuration", metadata: ["log-level": "\(configuration.logLevel)"])
            return configuration
        } catch {
            logger.error(
                "cannot reload the configuration; the daemon keeps the old one", metadata: ["error": "\(error)"])
            return nil
        }
    }

    private static func openDatabase(_ dataRoot: FilePath) throws -> DatabasePool {
        let path = dataRoot.appending("masu.db")
        // SQLite would make it with the umask's mode; what is in it is nobody else's business.
        try StartError.naming("cannot open the database \(path)") {
            try FileDescriptor.open(
                path, .readWrite, options: [.create, .closeOnExec], permissions: [.ownerReadWrite]
            ).close()
        }
        var configuration = Configuration()
        configuration.maximumReaderCount = 2
        configuration.busyMode = .timeout(10)
        configuration.prepareDatabase { database in
            // In WAL mode NORMAL cannot corrupt the database; a power failure may undo the last transactions as a
            // whole.
            try database.execute(sql: "PRAGMA synchronous = NORMAL; PRAGMA cache_size = -1024")
        }
        let pool: DatabasePool
        do {
            pool = try DatabasePool(path: path.string, configuration: configuration)
        } catch {
            throw StartError("cannot open the database \(path): \(error)")
        }
        try EmptyDatabase.refuse(pool, at: path, in: dataRoot)
        var migrator = DatabaseMigrator()
        Images.registerMigrations(in: &migrator)
        Snapshots.registerMigrations(in: &migrator)
        Engine.registerMigrations(in: &migrator)
        Networks.registerMigrations(in: &migrator)
        Volumes.registerMigrations(in: &migrator)
        do {
            guard try pool.read({ try !migrator.hasBeenSuperseded($0) }) else {
                throw StartError(
                    "the database \(path) was written by a newer version of masud; this one is \(MasuVersion.version)")
            }
            let isNew = try pool.read { try migrator.appliedMigrations($0).isEmpty }
            try migrator.migrate(pool)
            // A power failure must not leave a store beside a database that has no tables (`EmptyDatabase`).
            if isNew { try pool.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) } }
        } catch let error as StartError {
            throw error
        } catch {
            throw StartError("cannot bring the database \(path) up to date: \(error)")
        }
        // Even on a full disk the end of a container has to be recorded and its removal, which frees space: the
        // write-ahead log gets room for that beforehand. Where the file system cannot reserve (or is full already),
        // there is none.
        try? ReservedSpace.reserve(1 << 20, for: FilePath(path.string + "-wal"))
        return pool
    }

    /// The networks. Where the kernel makes no bridge, or lets this process make none, the daemon lives without the
    /// default network.
    private static func openNetworks(
        _ configuration: DaemonConfiguration, database: DatabasePool, logger: Logger
    ) async throws -> Networks {
        var settings = configuration.networks(machine: machineIdentifier())
        let pool = BlockingPool(threads: 4, name: "networks")
        let own = Logger(label: "networks")
        do {
            return try await Networks.open(settings, database: database, pool: pool, logger: own)
        } catch {
            guard settings.defaultBridge.isEnabled else { throw error }
            logger.warning(
                "cannot make the default network; containers with --network none or host can be started",
                metadata: ["error": "\(error)"])
            settings.defaultBridge.isEnabled = false
            return try await Networks.open(settings, database: database, pool: pool, logger: own)
        }
    }

    /// What tells this machine from others; its name, where nothing better is known.
    private static func machineIdentifier() -> String {
        if let bytes = try? FileDescriptor.contents(of: "/etc/machine-id"), bytes.count > 16 {
            return String(decoding: bytes, as: UTF8.self)
        }
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, name.count - 1)
        return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// Where this program lies, and with it the others.
    private static func programs() throws -> FilePath {
        FilePath(try FileDescriptor.workingDirectory.readSymlink("/proc/self/exe")).removingLastComponent()
    }

    /// How readily the kernel ends this process when memory runs out.
    private static func adjustOOMScore(_ configuration: DaemonConfiguration) throws {
        let score = configuration.flags[DaemonFlags.oomScore]
        guard score != 0 else { return }
        try StartError.naming("cannot set --oom-score-adjust") {
            let file = try FileDescriptor.open("/proc/self/oom_score_adj", .writeOnly, options: .closeOnExec)
            try file.closeAfter { _ = try file.writeAll("\(score)".utf8) }
        }
    }
}
