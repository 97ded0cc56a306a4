import Images
import LinuxKernel
import OCISpec
import Text

/// What a prune of containers did.
package struct PrunedContainers: Sendable {
    /// Their ids.
    package var containers: [String] = []
    /// Bytes that they themselves had written.
    package var reclaimed: Int64 = 0
}

/// What takes room.
package struct EngineDiskUsage: Sendable {
    /// Bytes of all layers, each once.
    package var layersSize: Int64 = 0
    /// With shared sizes, and how many containers were made of each; nil if not asked for.
    package var images: [(summary: ImageSummary, containers: Int)]?
    /// With sizes; nil if not asked for.
    package var containers: [ContainerSummary]?
    /// With sizes; nil if not asked for.
    package var volumes: [VolumeUsage]?
}

extension Engine {
    /// Removes the containers that do not run and pass the filters. What cannot be removed stays and is no error.
    package func pruneContainers(_ filters: PruneFilters) async throws -> PrunedContainers {
        try beginPruning("containers")
        defer { endPruning("containers") }
        var pruned = PrunedContainers()
        for container in services.registry.all.sorted(by: { $0.current.createdAt < $1.current.createdAt }) {
            let record = container.current
            guard !record.state.isRunning,
                filters.admit(labels: record.configuration.labels, created: record.createdAt)
            else { continue }
            // A size that cannot be told is only a number missing in the sum.
            let size = (try? await images.snapshotUsage(key: container.id).bytes) ?? 0
            do {
                try await remove(container.id)
            } catch {
                services.logger.warning("failed to prune container \(container.id): \(error)")
                continue
            }
            pruned.containers.append(container.id)
            pruned.reclaimed += size
        }
        emitPrune(.container, reclaimed: pruned.reclaimed)
        return pruned
    }

    /// Removes images that nobody uses; see `Images.prune`.
    package func pruneImages(_ filters: PruneFilters) async throws -> PrunedImages {
        try beginPruning("images")
        defer { endPruning("images") }
        return try await finishing {
            let pruned = try await self.images.prune(filters, users: self.imageUsers)
            for id in pruned.images {
                self.emit("delete", id.description, name: id.description, labels: pruned.labels[id] ?? [:])
            }
            self.emitPrune(.image, reclaimed: pruned.reclaimed)
            return pruned
        }
    }

    /// What images, containers and volumes take on the disk.
    package func diskUsage(
        images wantsImages: Bool, containers wantsContainers: Bool, volumes wantsVolumes: Bool
    ) async throws -> EngineDiskUsage {
        try await reporting {
            var usage = EngineDiskUsage()
            if wantsImages {
                let counts = containersByImage
                usage.layersSize = try await images.usage().layersSize
                usage.images = try await images.list(sharedSize: true).map { summary in
                    (summary, counts[summary.record.id] ?? 0)
                }
            }
            if wantsContainers {
                var options = ListOptions()
                options.all = true
                options.size = true
                usage.containers = try await list(options)
            }
            if wantsVolumes { usage.volumes = try await volumeUsage() }
            return usage
        }
    }

    /// Tells that what builds keep has been removed: there is none of it, but who waits for the event gets it.
    package func pruneBuilds() { emitPrune(.builder, reclaimed: 0) }

    func beginPruning(_ what: String) throws(EngineError) {
        guard pruning.withLock({ $0.insert(what).inserted }) else {
            throw .conflict("a prune operation is already running")
        }
    }

    func endPruning(_ what: String) { pruning.withLock { _ = $0.remove(what) } }

    func emitPrune(_ kind: EngineEvent.Kind, reclaimed: Int64) {
        services.events.publish(
            EngineEvent(kind: kind, action: "prune", actorID: "", attributes: ["reclaimed": String(reclaimed)]))
    }

    /// Says which containers were made from an image.
    var imageUsers: @Sendable (Digest) throws -> [ImageUser] {
        let registry = services.registry
        return { digest in
            let image = digest.description
            return registry.all.map(\.current)
                .filter { $0.imageID == image || $0.configuration.mountPoints.contains { $0.imageID == image } }
                .map { ImageUser(containerID: $0.id, isRunning: $0.state.isRunning) }
        }
    }
}

/// What a check has looked at.
package struct EngineCheck: Sendable {
    /// What the images' check has found.
    package var store: StoreCheck
    /// How many containers were looked at.
    package var containers: Int
}

extension Engine {
    /// Whose a snapshot is: a container's own has its id as its name, and those of images that it mounts begin with it.
    private static func container(ofSnapshot name: String) -> String {
        name.split(separator: "-", maxSplits: 1).first.map(String.init) ?? name
    }

    /// Verifies the store (see `Images.check`) and that every container has what belongs to it. What is wrong is
    /// reported in words; nothing is changed.
    package func check(report: @escaping @Sendable (String) -> Void) async throws -> EngineCheck {
        do {
            let registry = services.registry
            let containers = registry.all.filter { if case .removing = $0.current.state { false } else { true } }
            let store = try await images.check(
                containers: Set(containers.map(\.id)),
                presence: { registry.presence(of: Self.container(ofSnapshot: $0)) },
                report: report)
            for container in containers {
                let record = container.current
                let name = "container \(record.name) (\(RandomIdentifier.short(container.id)))"
                let files = container.files
                let exists = try await services.pool.run { Files.exists(files) }
                if !exists, registry.presence(of: container.id) == .whole {
                    report("\(name): its directory \(files) is missing")
                }
                if Digest(record.imageID) == nil {
                    report("\(name): its image id \"\(record.imageID)\" is not a digest")
                }
            }
            let rows = try await services.database.read { try ContainerRecord.all(in: $0) }
            for row in rows where registry.presence(of: row.id) == .none {
                report(
                    "the database has a container \(row.name) (\(RandomIdentifier.short(row.id))) that the daemon does "
                        + "not know"
                )
            }
            return EngineCheck(store: store, containers: containers.count)
        } catch let error as CancellationError {
            throw error
        } catch {
            throw EngineError(error)
        }
    }
}
