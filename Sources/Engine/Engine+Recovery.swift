import LinuxKernel
import OCISpec
import Snapshots
import SystemPackage
import Tasks

extension Engine {
    /// Takes up what an earlier daemon left: connects to living shims, records ends that nobody saw, applies restart
    /// policies, removes what `--rm` owes and what belongs to no container. Call once, before serving.
    ///
    /// The images have recovered already, when they were opened (`Images.recover`). Tasks are taken over by
    /// `Tasks.recover`, networks by `Networks.recover`. ARCHITECTURE.md has a table of what survives a daemon that was
    /// killed, and what does not.
    package func recover() async throws {
        try await reporting {
            let records = try await services.database.read { try ContainerRecord.all(in: $0) }
            let containers = records.map { Container(record: $0, services: services) }
            for container in containers {
                services.registry.restore(name: container.current.name, of: container.id)
                services.registry.insert(container)
                services.restoreVolumeReferences(of: container.current)
            }
            await removeStrays(known: Set(records.map(\.id)), records: records)
            // Containers whose name spaces others join come first; the rest at the same time.
            let (joining, joined) = (containers.filter(\.joinsOthers), containers.filter { !$0.joinsOthers })
            for group in [joined, joining] {
                await withTaskGroup(of: Void.self) { tasks in
                    for container in group { tasks.addTask { await container.recover() } }
                }
            }
            await recoverNetworks(of: containers)
            await recoverVolumes(of: containers)
            for group in [joined, joining] {
                await withTaskGroup(of: Void.self) { tasks in
                    for container in group { tasks.addTask { await container.settle() } }
                }
            }
        }
    }

    /// Has what running containers have of networks compared with what there is, and put in order.
    private func recoverNetworks(of containers: [Container]) async {
        var running: Set<String> = []
        for container in containers where container.current.state.running != nil {
            if await container.unseenEnd == nil { running.insert(container.id) }
        }
        await services.networks.recover(running)
        for container in containers where running.contains(container.id) { await container.recoverNetworks() }
    }

    /// Gives back the volumes of plugins that containers had which do not run any more.
    private func recoverVolumes(of containers: [Container]) async {
        var running: Set<String> = []
        for container in containers where container.current.state.running != nil {
            if await container.unseenEnd == nil { running.insert(container.id) }
        }
        await services.volumes.recover(running)
    }

    /// Removes bundles, files and snapshots that belong to no row: what a crash in the middle of a creation or a
    /// removal left.
    private func removeStrays(known: Set<String>, records: [ContainerRecord]) async {
        do {
            for id in try await services.pool.run({ [tasks = services.tasks] in try tasks.ids() })
            where !known.contains(id) {
                services.logger.notice("ending a task that belongs to no container", metadata: ["id": "\(id)"])
                await services.tasks.end(id)
            }
        } catch {
            services.logger.error("cannot end what belongs to no container: \(error)")
        }
        await forEachStray(in: services.files, known: known) { [self] path in try removeStrayFiles(path, known: known) }
        await forEachStray(in: services.sharedMemory, known: known) { path in try TreeRemoval.remove(path) }
        do {
            let snapshots = try await services.pool.run { [images] in try images.snapshotter.list() }
            let kept = known.union(records.flatMap(\.imageSnapshots))
            // What a container needs whose row cannot be read is not known.
            let unreadable = records.filter { $0.damage != nil }.map { $0.id + "-image-" }
            for snapshot in snapshots
            where snapshot.state == .active && !kept.contains(snapshot.name)
                && !unreadable.contains(where: snapshot.name.hasPrefix)
            {
                services.logger.notice(
                    "removing a snapshot of no container", metadata: ["snapshot": "\(snapshot.name)"])
                do {
                    try await images.removeSnapshot(key: snapshot.name)
                } catch {
                    services.logger.error("cannot remove snapshot \(snapshot.name): \(error)")
                }
            }
        } catch {
            services.logger.error("cannot list the snapshots that belong to no container: \(error)")
        }
    }

    /// Deals with each name in a directory that is no container's; an error costs that one alone.
    private func forEachStray(
        in directory: FilePath, known: Set<String>, _ body: @escaping @Sendable (FilePath) throws -> Void
    ) async {
        do {
            for name in try await services.pool.run({ try Files.names(in: directory) }) where !known.contains(name) {
                let path = directory.appending(name)
                do {
                    try await services.pool.run { try body(path) }
                } catch {
                    services.logger.error("cannot remove \(path), which belongs to no container: \(error)")
                }
            }
        } catch {
            services.logger.error("cannot list \(directory): \(error)")
        }
    }
}

extension Engine {
    /// Deals with a directory among those of containers that no row names. What a removal has left is removed; anything
    /// else may be all there is of a container whose row was lost, and is set aside.
    private func removeStrayFiles(_ path: FilePath, known: Set<String>) throws {
        let name = path.lastComponent?.string ?? ""
        if name.hasSuffix(Container.removedSuffix) {
            let id = String(name.dropLast(Container.removedSuffix.utf8.count))
            // The row is still there: the removal has not begun yet when the daemon was killed.
            if known.contains(id) { return try Files.rename(path, to: services.files.appending(id)) }
            return try TreeRemoval.remove(path)
        }
        // Made for a container whose row was never written, or no directory at all: what a transfer has left.
        let isDirectory = try FileStatus.of(path, followingSymlinks: false).isDirectory
        if try !isDirectory || Files.names(in: path).isEmpty { return try TreeRemoval.remove(path) }
        let place = SetAside.folder(in: configuration.dataRoot).appending("containers")
        try Files.makeDirectories(place, mode: 0o700)
        try Files.rename(path, to: place.appending(name))
        services.logger.warning(
            """
            the database does not know this container: its log and network files were set aside; delete them if \
            nobody misses them
            """,
            metadata: ["path": "\(place.appending(name))"])
    }
}

extension ContainerRecord {
    /// The snapshots with the files of images that are mounted in it.
    fileprivate var imageSnapshots: [String] {
        configuration.mountPoints.compactMap { point in
            guard case .image(let image) = point.content else { return nil }
            return image.snapshot
        }
    }
}

extension Container {
    /// Whether it needs another container's process to be started.
    nonisolated fileprivate var joinsOthers: Bool {
        let host = current.configuration.host
        if case .container = host.networkMode { return true }
        if case .container = host.pidMode { return true }
        if case .container = host.ipcMode { return true }
        return false
    }
}
