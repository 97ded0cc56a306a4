import BlockingCalls
import GRDB
import LinuxKernel
import Logging
import OCISpec
import Synchronization
import SystemPackage
import Text

/// Volumes: places for files that outlive the containers which use them.
///
/// A volume has a name and a driver. What has to outlive the daemon is in the database and below `<data root>/volumes`.
/// Two kinds of users are kept apart:
///
/// - A *reference* says that somebody (a container, by its id) names the volume, so that it must not be removed. The
///   engine tells of references: with `create(_:for:)` or `addReference`, and of their ends with `removeReference`.
///   They are in memory only: at its start the engine tells of all of them again, from the containers' configurations.
/// - A *use* says that somebody has the volume's files mounted now. A container that starts calls `acquire`, mounts
///   what that says in its own mount namespace, and when it has ended `release` is called. Uses of volumes of plugins
///   are in the database; `recover` ends those that a daemon before this one left.
///
/// A container's life with volumes is thus:
///
///     create:  volumes.create(VolumeRequest(name: "data"), for: id)    // "" makes an anonymous one: keep its name
///              on failure of what follows: removeReference, and remove what was new
///     start:   let mount = try await volumes.acquire("data", for: id)  // see VolumeMount
///              …OCISpec.Mount(destination: target, type: …, source: …, options: …)…
///     end:     await volumes.release("data", for: id)
///     removal: volumes.removeReference(to: "data", by: id), then for `rm -v` remove the anonymous ones
///
/// What containers are, and when they run, is for others to know.
package final class Volumes: Sendable {
    let configuration: VolumesConfiguration
    let table: VolumeTable
    let local: LocalDriver
    let plugins: PluginDirectory
    let logger: Logger
    let state = Mutex(VolumesState())
    let locks = NameLocks()
    /// Where the file system is waited for.
    private let pool = BlockingPool(threads: 4, name: "volumes")
    /// Where whole trees are measured and removed, for which no start of a container waits.
    private let treePool = BlockingPool(threads: 2, name: "volume-trees")
    /// Where plugins and name servers are waited for: a slow one must hold up nobody but those who need it.
    private let slowPool = BlockingPool(threads: 32, name: "volume-plugins")
    /// Finishes what earlier daemons have begun to remove.
    private let cleaning = Mutex<Task<Void, Never>?>(nil)

    private init(
        _ configuration: VolumesConfiguration, database: any DatabaseWriter, logger: Logger
    ) throws(VolumesError) {
        self.configuration = configuration
        self.logger = logger
        table = VolumeTable(database: database)
        local = try LocalDriver(root: configuration.dataRoot.appending("volumes"), logger: logger)
        plugins = PluginDirectory(configuration, logger: logger)
    }

    /// Adds the tables of volumes; the names of their migrations begin with `volumes-`.
    package static func registerMigrations(in migrator: inout DatabaseMigrator) {
        VolumeTable.registerMigrations(in: &migrator)
    }

    /// Finds the volumes of the database and compares them with what is on the disk: what a killed daemon has done half
    /// is finished or taken back, and directories that the database does not know are adopted. Trees whose removal had
    /// begun go afterwards, while the volumes are there for everybody: see `cleaned`.
    package static func open(
        _ configuration: VolumesConfiguration, database: any DatabaseWriter, logger: Logger
    ) async throws -> Volumes {
        let volumes = try Volumes(configuration, database: database, logger: logger)
        let left = try await volumes.pool.run { try volumes.openNow() }
        if !left.isEmpty {
            let cleaning = Task { await volumes.finish(left) }
            volumes.cleaning.withLock { $0 = cleaning }
        }
        return volumes
    }

    /// Waits until all is removed whose removal an earlier daemon had begun.
    package func cleaned() async { await cleaning.withLock { $0 }?.value }

    /// One after the other, so that the disk is there for others as well.
    private func finish(_ left: UnfinishedRemovals) async {
        for volume in left.volumes {
            // It throws nothing.
            try? await locks.withLock(volume.name) {
                try await self.treePool.run { [self] in finishRemoval(of: volume.name) }
            }
        }
        for tree in left.trees {
            try? await treePool.run { [self] in finishRemoval(ofTree: tree) }  // It throws nothing.
        }
    }

    // MARK: What there is

    /// All volumes that this daemon has made, in the order of their names. Plugins may have more: see `list`.
    package var all: [Volume] {
        state.withLock { $0.entries.values.filter { !$0.isRemoving }.map(\.volume) }.sorted { $0.name < $1.name }
    }

    /// All volumes, those of plugins that others have made among them, and what plugins that do not answer said.
    package func list() async throws -> (volumes: [VolumeDetails], warnings: [String]) {
        let own = all
        guard own.contains(where: { $0.driver != Volume.localDriver }) || plugins.mayHavePlugins else {
            return (own.map(localDetails), [])
        }
        return try await slowPool.run { [self] in listNow() }
    }

    /// All that is known of a volume.
    ///
    /// - Throws: `.notFound` if no driver has one of this name.
    package func details(_ name: String) async throws -> VolumeDetails {
        if let volume = volume(name), volume.driver == Volume.localDriver { return localDetails(volume) }
        return try await locks.withLock(name) {
            try await self.slowPool.run { [self] in
                try reporting("get", name) { () throws(VolumesError) in try find(name) }
            }
        }
    }

    /// What is known of a volume without asking its plugin.
    package func knownDetails(of volume: Volume) -> VolumeDetails {
        guard volume.driver != Volume.localDriver else { return localDetails(volume) }
        let mountpoint = state.withLock { $0.entries[volume.name]?.uses.values.first { !$0.isEmpty } }
        return VolumeDetails(
            volume: volume, scope: plugins.active(volume.driver)?.scope ?? .local, mountpoint: mountpoint ?? "")
    }

    /// A volume that this daemon has made; `nil` if it has made none of this name.
    package func volume(_ name: String) -> Volume? {
        state.withLock { $0.entries[name].flatMap { $0.isRemoving ? nil : $0.volume } }
    }

    /// The names of the drivers that are known: `local`, and the plugins that were asked for something.
    package var driverNames: [String] { ([Volume.localDriver] + plugins.activeNames).sorted() }

    /// The bytes that the files of a volume take, each file counted once; `nil` for one whose files are elsewhere or
    /// cannot be read.
    package func size(of volume: Volume) async -> Int64? {
        guard volume.isPlain else { return nil }
        let path = local.dataDirectory(of: volume.name)
        do {
            return try await treePool.run { try TreeUsage.measure(path).bytes }
        } catch {
            logger.warning("cannot measure a volume", metadata: ["name": "\(volume.name)", "error": "\(error)"])
            return nil
        }
    }

    func localDetails(_ volume: Volume) -> VolumeDetails {
        VolumeDetails(volume: volume, mountpoint: local.dataDirectory(of: volume.name).string)
    }

    // MARK: Changes

    /// Makes a volume, or finds the one of this name.
    ///
    /// - Parameter user: who refers to it from now on, as with `addReference`, without a moment in between.
    /// - Returns: The volume, and whether it is new.
    /// - Throws: `.conflict` if another driver has a volume of this name; `.invalid` for a name or options that the
    ///   driver does not take; `.notFound` for a driver that is not there.
    package func create(
        _ request: VolumeRequest, for user: String? = nil
    ) async throws -> (volume: Volume, isNew: Bool) {
        var request = request
        if request.name.isEmpty {
            request.name = RandomIdentifier.make()
            if request.driver.isEmpty { request.driver = Volume.localDriver }
            request.labels = (request.labels ?? [:]).merging([Volume.anonymousLabel: ""]) { _, own in own }
        }
        let complete = request
        // Without asking anybody: every container that starts comes this way.
        if ["", Volume.localDriver].contains(request.driver),
            let volume = addReference(user, toLocal: request.name)
        {
            return (volume, false)
        }
        return try await locks.withLock(request.name) {
            try await self.pool(for: complete).run { [self] in
                try reporting("create", complete.name) { () throws(VolumesError) in try createNow(complete, user) }
            }
        }
    }

    /// Removes a volume that nobody refers to or uses, with all its files.
    ///
    /// - Parameter force: also where its plugin does not answer; then only what this daemon knows of it.
    /// - Returns: The volume.
    /// - Throws: `.notFound`; `.conflict` for one in use.
    @discardableResult
    package func remove(_ name: String, force: Bool = false) async throws -> Volume {
        try await locks.withLock(name) {
            let isLocal = self.volume(name)?.driver == Volume.localDriver
            return try await (isLocal ? self.treePool : self.slowPool).run { [self] in try removeNow(name, force: force)
            }
        }
    }

    private func pool(for request: VolumeRequest) -> BlockingPool {
        if request.driver == Volume.localDriver { return pool }
        return request.driver.isEmpty && !plugins.mayHavePlugins ? pool : slowPool
    }

    // MARK: References

    /// Notes that somebody names a volume; again is no error, and neither is a volume that is not there: the reference
    /// then counts for the one that will have the name.
    ///
    /// - Throws: `.notFound` while the volume is being removed.
    package func addReference(to name: String, by user: String) throws(VolumesError) {
        try state.withLock { state throws(VolumesError) in
            guard state.entries[name]?.isRemoving != true else { throw VolumesError.noSuchVolume.during("get", name) }
            state.references[name, default: []].insert(user)
        }
    }

    /// Notes that somebody does not name a volume any more; who never did is no error.
    package func removeReference(to name: String, by user: String) {
        state.withLock { state in
            state.references[name]?.remove(user)
            if state.references[name]?.isEmpty == true { state.references[name] = nil }
        }
    }

    /// Who names a volume, in the order of their ids.
    package func references(to name: String) -> [String] {
        state.withLock { $0.references[name]?.sorted() ?? [] }
    }

    private func addReference(_ user: String?, toLocal name: String) -> Volume? {
        state.withLock { state in
            guard let entry = state.entries[name], !entry.isRemoving, entry.volume.driver == Volume.localDriver else {
                return nil
            }
            if let user { state.references[name, default: []].insert(user) }
            return entry.volume
        }
    }

    // MARK: Uses

    /// Makes a volume ready for somebody who is about to mount it, and says what to mount.
    ///
    /// - Parameter user: the same word as for `release`; a plugin learns it as the mount's id. Once more for the same
    ///   user gives the same answer: a container with a volume in two places acquires it once.
    /// - Throws: `.notFound`; `.system` if the volume's files are missing, in Docker's words where there are such.
    package func acquire(_ name: String, for user: String) async throws -> VolumeMount {
        if let volume = volume(name), volume.definition.isDirectory {
            return try await pool.run { [local] in try local.mount(volume, id: user) }
        }
        return try await locks.withLock(name) {
            try await self.slowPool.run { [self] in try acquireNow(name, user) }
        }
    }

    /// Notes that somebody has unmounted a volume; who has not mounted it is no error. What a plugin does not take back
    /// is logged, and told to it again at the daemon's next start.
    package func release(_ name: String, for user: String) async {
        guard state.withLock({ $0.entries[name]?.uses[user] != nil }) else { return }
        do {
            try await locks.withLock(name) {
                try await self.slowPool.run { [self] in try releaseNow(name, user) }
            }
        } catch {
            logger.error(
                "cannot give a volume back", metadata: ["name": "\(name)", "user": "\(user)", "error": "\(error)"])
        }
    }

    /// Ends the uses that an earlier daemon left. Call once, when it is known who still runs.
    ///
    /// - Parameter users: who has mounted volumes still, by the words given to `acquire`.
    package func recover(_ users: Set<String>) async {
        let left = state.withLock { state in
            state.entries.values.flatMap { entry in entry.uses.keys.map { (name: entry.volume.name, user: $0) } }
        }
        await withTaskGroup(of: Void.self) { tasks in
            for use in left where !users.contains(use.user) {
                tasks.addTask { await self.release(use.name, for: use.user) }
            }
        }
    }
}

/// What earlier daemons have begun to remove.
struct UnfinishedRemovals: Sendable {
    /// Whose rows say so. Nobody can use them meanwhile.
    var volumes: [Volume] = []
    /// What was moved away already.
    var trees: [FilePath] = []

    var isEmpty: Bool { volumes.isEmpty && trees.isEmpty }
}

/// The volumes that are known, and who has to do with them.
struct VolumesState: Sendable {
    var entries: [String: VolumeEntry] = [:]
    /// Who names a volume, by the volumes' names, also of volumes that are not there.
    var references: [String: Set<String>] = [:]
}

/// A volume, and who has it mounted.
struct VolumeEntry: Sendable {
    var volume: Volume
    var isRemoving = false
    /// Who has it mounted, by the words given to `acquire`, and where its plugin says that it is; empty as long as it
    /// has not said so. Only of volumes of plugins.
    var uses: [String: String] = [:]

    init(_ volume: Volume) { self.volume = volume }
}

extension VolumeDefinition {
    /// Whether it is a directory that is there as long as the volume.
    var isDirectory: Bool {
        if case .local(let options) = self { options.mount == nil } else { false }
    }
}
