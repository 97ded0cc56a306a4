import BlockingCalls
import GRDB
import Images
import LinuxKernel
import Logging
import Networks
import OCISpec
import Snapshots
import Synchronization
import SystemPackage
import Tasks
import Volumes

/// The container engine: everything a container interface (Docker API, CRI) can ask for, without any wire format.
///
/// Containers are named by full id, unique id prefix or name (with or without a leading `/`). All methods throw
/// `EngineError`. An operation either happens completely or leaves nothing behind.
package final class Engine: Sendable {
    /// What holds now: `reload` changes some of it.
    package var configuration: EngineConfiguration { services.configuration }
    /// The images, for all that needs no knowledge of containers and causes no events (list, inspect, history).
    package let images: Images
    let services: EngineServices
    /// The prunes under way: of each kind only one at a time.
    let pruning = Mutex<Set<String>>([])

    /// `database` must be migrated (`Engine.registerMigrations` and those of the lower modules).
    package init(
        configuration: EngineConfiguration, images: Images, networks: Networks, volumes: Volumes,
        database: any DatabaseWriter, logger: Logger
    ) throws {
        self.images = images
        let pool = BlockingPool(threads: 16, name: "engine")
        var tasks = TasksConfiguration(
            directory: configuration.execRoot.appending("containers"), shimProgram: configuration.shimPath,
            filterCache: configuration.execRoot.appending("seccomp"))
        tasks.waitingShims = 1
        services = EngineServices(
            settings: EngineSettings(configuration), database: database, images: images,
            events: EventHub(file: configuration.execRoot.appending("events"), logger: logger),
            registry: ContainerRegistry(), networks: networks, volumes: volumes,
            tasks: try Tasks(tasks, pool: pool, logger: logger), pool: pool, logger: logger)
        do {
            // Users who may not use the engine cannot read logs either.
            for directory in [services.files, services.sharedMemory] {
                try Files.makeDirectories(directory, mode: 0o711)
            }
        } catch {
            throw EngineError.system(
                "cannot use \(configuration.dataRoot) and \(configuration.execRoot) as roots: \(error)")
        }
    }

    /// Adds this module's migrations; their names begin with `engine-`.
    package static func registerMigrations(in migrator: inout DatabaseMigrator) {
        ContainerRecord.registerMigrations(in: &migrator)
    }

    /// Runs `body` and turns every error into an `EngineError`.
    func reporting<T: Sendable>(_ body: () async throws -> T) async throws -> T {
        do {
            return try await body()
        } catch let error as CancellationError {
            throw error
        } catch {
            throw EngineError(error)
        }
    }

    /// The same for what changes something: it is done to its end whatever becomes of the client that asked for it. A
    /// half of a start or a removal would be worse than one that nobody waits for.
    func finishing<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) async throws -> T {
        try await Task { try await self.reporting(body) }.value
    }

    /// Takes over what of a configuration can change while the daemon runs (`EngineConfiguration.takingOver`), and
    /// tells of it by an event.
    ///
    /// - Parameter attributes: what else has changed, for the event.
    package func reload(_ configuration: EngineConfiguration, attributes: [String: String]) async throws {
        let id = try await reporting { try await identity() }
        let now = services.settings.reload(configuration)
        var all = attributes.merging(now.reloadableAttributes) { own, _ in own }
        all["name"] = Machine.hostname
        services.events.publish(EngineEvent(kind: .daemon, action: "reload", actorID: id, attributes: all))
    }

    // MARK: Life cycle

    /// Starts a container. Returns false if it runs already.
    ///
    /// - Parameter checkpoint: What its processes are made from, instead of executing its program. The daemon must be
    ///   experimental (`invalid`).
    @discardableResult
    package func start(_ name: String, from checkpoint: CheckpointChoice? = nil) async throws -> Bool {
        if checkpoint != nil, !configuration.isExperimental {
            throw EngineError.invalid("checkpoint is only supported in experimental mode")
        }
        let container = try services.registry.find(name)
        return try await finishing { try await container.start(from: checkpoint) }
    }

    /// Stops a container by its stop signal and, `timeout` seconds later (-1: never), SIGKILL. Returns
    /// false if it does not run.
    @discardableResult
    package func stop(_ name: String, timeout: Int? = nil, signal: Signal? = nil) async throws -> Bool {
        let container = try services.registry.find(name)
        return try await finishing { try await container.stop(timeout: timeout, signal: signal) }
    }

    /// Stops it if it runs, then starts it.
    package func restart(_ name: String, timeout: Int? = nil, signal: Signal? = nil) async throws {
        let container = try services.registry.find(name)
        try await finishing { try await container.restart(timeout: timeout, signal: signal) }
    }

    /// Sends a signal; SIGKILL also waits for the end.
    package func kill(_ name: String, signal: Signal = .kill) async throws {
        let container = try services.registry.find(name)
        try await finishing { try await container.kill(signal: signal) }
    }

    /// Lets all processes of a container stand still.
    package func pause(_ name: String) async throws {
        let container = try services.registry.find(name)
        try await finishing { try await container.pause() }
    }

    /// Lets them go on.
    package func unpause(_ name: String) async throws {
        let container = try services.registry.find(name)
        try await finishing { try await container.unpause() }
    }

    /// Publishes ports of a container and gives up others, all of them or none.
    package func change(ports change: PortChange, of name: String) async throws {
        var update = ContainerChange()
        update.ports = change
        _ = try await self.update(name, update)
    }

    /// Gives a container another name.
    package func rename(_ name: String, to newName: String) async throws {
        if name.isEmpty || newName.isEmpty { throw EngineError.invalid("Neither old nor new names may be empty") }
        let container = try services.registry.find(name)
        if newName == container.current.name || newName == "/" + container.current.name {
            throw EngineError.invalid("Renaming a container with the same name as its current name")
        }
        let valid: String
        do {
            valid = try ContainerNames.validated(newName.hasPrefix("/") ? newName : "/" + newName)
            try services.registry.reserve(name: valid, for: container.id)
        } catch {
            // Docker's words, by which tools that rename (Compose, watchtower) know this from other failures.
            let failure = EngineError(error)
            throw EngineError(failure.kind, "Error when allocating new name: " + failure.message)
        }
        try await finishing { [services] in
            do {
                try await container.rename(to: valid)
            } catch {
                services.registry.release(name: valid, of: container.id)
                throw error
            }
        }
    }

    /// Removes a container; `force` kills a running one first. `link` (legacy links) is refused.
    package func remove(_ name: String, force: Bool = false, volumes: Bool = false, link: Bool = false) async throws {
        if link { throw EngineError.notImplemented("this version has no links between containers") }
        let container = try services.registry.find(name)
        try await finishing { try await container.remove(force: force, volumes: volumes, name: name) }
    }

    // MARK: Streams and processes

    /// The container's processes as `ps` with `arguments` (empty: `-ef`) would list them.
    package func top(_ name: String, arguments: String = "") async throws -> ProcessTable {
        let container = try services.registry.find(name)
        return try await reporting { try await container.top(arguments: arguments) }
    }

    /// Registers a wait; answer the request's headers after this returned, then await `result`.
    package func wait(_ name: String, condition: WaitCondition) async throws -> ContainerWait {
        await (try services.registry.find(name)).wait(condition)
    }

    /// Connects a client with a container's streams.
    package func attach(_ name: String, options: AttachOptions) async throws -> AttachStream {
        let container = try services.registry.find(name)
        return try await reporting { try await container.attach(options) }
    }

    /// Gives the container's terminal another size.
    package func resize(_ name: String, columns: UInt16, rows: UInt16) async throws {
        let container = try services.registry.find(name)
        try await reporting { try await container.resize(columns: columns, rows: rows) }
    }

    /// The container's output so far, and what follows if asked for.
    package func logs(_ name: String, options: LogOptions) async throws -> LogStream {
        let container = try services.registry.find(name)
        return try await reporting { try await container.logs(options) }
    }

    // MARK: Execs

    /// Prepares a process in a running container and returns the exec's id (64 hexadecimal digits).
    package func createExec(_ name: String, _ configuration: ExecConfiguration) async throws -> String {
        let container = try services.registry.find(name)
        return try await finishing { try await container.createExec(configuration) }
    }

    /// Starts an exec. Detached: it runs when this returns, nil is returned. Else the stream whose `connection()`
    /// starts it and throws what made that fail (Docker writes that text to the upgraded connection, the exec's exit
    /// code is 126 or 127).
    package func startExec(_ id: String, options: ExecStartOptions) async throws -> AttachStream? {
        let container = try services.registry.container(ofExec: id)
        return try await finishing { try await container.startExec(id, options: options) }
    }

    /// All that is known of an exec.
    package func inspectExec(_ id: String) async throws -> ExecDetails {
        let container = try services.registry.container(ofExec: id)
        return try await reporting { try await container.inspectExec(id) }
    }

    /// A wait for the end of an exec, at once over if it has ended; its stream may end a moment before its exit code
    /// is known. The wait's result throws `CancellationError` if the client detaches from the exec.
    package func waitExec(_ id: String) async throws -> ContainerWait {
        let container = try services.registry.container(ofExec: id)
        return try await reporting { try await container.waitExec(id) }
    }

    /// Gives an exec's terminal another size.
    package func resizeExec(_ id: String, columns: UInt16, rows: UInt16) async throws {
        let container = try services.registry.container(ofExec: id)
        try await reporting { try await container.resizeExec(id, columns: columns, rows: rows) }
    }

    // MARK: Events

    /// Events from `since` (nil: now; at most the newest 256 of the past are kept) to `until` (nil: for ever), as
    /// they happen. Filters as Docker's: `config`, `container`, `daemon`, `event`, `image`, `label`, `network`,
    /// `type`, `volume`, …
    package func events(
        _ filter: EventFilter = EventFilter(), since: Timestamp? = nil, until: Timestamp? = nil
    ) async throws -> AsyncStream<EngineEvent> {
        services.events.listen(filter: filter, since: since, until: until)
    }
}
