import Volumes

/// What a prune of volumes did.
package struct PrunedVolumes: Sendable {
    /// Their names.
    package var names: [String] = []
    /// Bytes of their files.
    package var reclaimed: Int64 = 0
}

/// What a volume takes.
package struct VolumeUsage: Sendable {
    /// The volume.
    package var details: VolumeDetails
    /// Bytes; nil if they cannot be counted.
    package var size: Int64?
    /// How many containers name it.
    package var references: Int
}

extension Engine {
    /// The volumes that pass the filter, and what drivers that could not be asked said.
    package func volumes(_ filter: VolumeFilter) async throws -> (volumes: [VolumeDetails], warnings: [String]) {
        try await reporting {
            let (volumes, warnings) = try await services.volumes.list()
            let passed = volumes.filter { details in
                filter.matches(
                    details.volume, isInUse: !services.volumes.references(to: details.volume.name).isEmpty)
            }
            return (passed, warnings)
        }
    }

    /// All that is known of a volume, by its name.
    package func inspectVolume(_ name: String) async throws -> VolumeDetails {
        try await reporting { try await services.volumes.details(name) }
    }

    /// Makes a volume, or finds the one that has the name already.
    package func createVolume(_ request: VolumeRequest) async throws -> VolumeDetails {
        try await finishing {
            let volume = try await self.services.createVolume(request)
            return self.services.volumes.knownDetails(of: volume)
        }
    }

    /// Removes a volume that no container names.
    ///
    /// - Parameter force: one that is not there is no error, and one whose plugin does not answer is forgotten.
    package func removeVolume(_ name: String, force: Bool) async throws {
        try await finishing {
            do {
                try await self.services.removeVolume(name, force: force)
            } catch let error as VolumesError where error.kind == .notFound && force {
                // See above.
            }
        }
    }

    /// Removes the volumes of this machine that no container names and the filter admits.
    package func pruneVolumes(_ filter: VolumePruneFilter) async throws -> PrunedVolumes {
        try beginPruning("volumes")
        defer { endPruning("volumes") }
        try refusePruneOfUnknownUse()
        var pruned = PrunedVolumes()
        for volume in services.volumes.all
        where filter.matches(volume) && services.volumes.references(to: volume.name).isEmpty {
            // A size that cannot be told is only a number missing in the sum.
            let size = await services.volumes.size(of: volume) ?? 0
            do {
                try await finishing { try await self.services.removeVolume(volume.name) }
            } catch {
                services.logger.warning("failed to prune volume \(volume.name): \(error)")
                continue
            }
            pruned.names.append(volume.name)
            pruned.reclaimed += size
        }
        emitPrune(.volume, reclaimed: pruned.reclaimed)
        return pruned
    }

    /// A container whose row cannot be read may have any volume.
    private func refusePruneOfUnknownUse() throws(EngineError) {
        guard let damaged = services.registry.all.map(\.current).first(where: { $0.damage != nil }) else { return }
        throw .conflict(
            "cannot prune volumes: the row of container \(damaged.name) in the database cannot be read, so any of them "
                + "may be its; remove that container first, or remove volumes by their names")
    }

    /// What the volumes of this machine take; those with options have their files elsewhere, and are left out.
    package func volumeUsage() async throws -> [VolumeUsage] {
        try await reporting {
            let volumes = services.volumes.all.filter(\.isPlain)
            return await withTaskGroup(of: VolumeUsage.self) { [volumesOf = services.volumes] tasks in
                for volume in volumes {
                    tasks.addTask {
                        VolumeUsage(
                            details: volumesOf.knownDetails(of: volume), size: await volumesOf.size(of: volume),
                            references: volumesOf.references(to: volume.name).count)
                    }
                }
                var usage: [VolumeUsage] = []
                for await one in tasks { usage.append(one) }
                return usage.sorted { $0.details.volume.name < $1.details.volume.name }
            }
        }
    }
}

extension EngineServices {
    /// Makes a volume, or finds the one that has the name already, and tells of a new one by an event.
    ///
    /// - Parameter container: who names it from now on.
    func createVolume(_ request: VolumeRequest, for container: String? = nil) async throws -> Volume {
        let (volume, isNew) = try await volumes.create(request, for: container)
        if isNew { emit("create", volume) }
        return volume
    }

    /// Removes a volume that no container names, and tells of that by an event.
    func removeVolume(_ name: String, force: Bool = false) async throws {
        emit("destroy", try await volumes.remove(name, force: force))
    }

    /// Publishes an event of a volume; `attributes` are those beside the driver.
    func emit(_ action: String, _ volume: Volume, _ attributes: [String: String] = [:]) {
        events.publish(
            EngineEvent(
                kind: .volume, action: action, actorID: volume.name,
                attributes: attributes.merging(["driver": volume.driver]) { own, _ in own }))
    }
}
