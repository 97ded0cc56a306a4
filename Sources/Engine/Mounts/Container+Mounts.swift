import LinuxKernel
import Snapshots
import SystemPackage
import Volumes

// A container's volumes, from one start to the end of its run.
extension Container {
    /// Has the volumes made ready for a start, and says how they and images are mounted. After an error none is kept
    /// ready.
    func prepareMounts() async throws -> MountPreparation {
        var preparation = MountPreparation(bundle: bundle)
        do {
            var mounts: [String: VolumeMount] = [:]
            for name in record.configuration.volumeNames {
                mounts[name] = try await services.volumes.acquire(name, for: id)
            }
            for point in record.configuration.mountPoints {
                switch point.content {
                case .volume(let volume):
                    guard let mount = mounts[volume.name] else { continue }
                    preparation.add(point, volume, files: mount)
                case .image(let image):
                    preparation.add(point, image, mounts: try await services.images.mounts(key: image.snapshot))
                case .bind, .tmpfs: break
                }
            }
            try await fillUnfinished(mounts)
        } catch {
            await releaseVolumes()
            throw error
        }
        return preparation
    }

    /// Lets go of the volumes of a run that is over, or that never began.
    func releaseVolumes() async {
        for name in record.configuration.volumeNames { await services.volumes.release(name, for: id) }
    }

    /// Tells that the volumes are mounted.
    func emitMounts() {
        for point in record.configuration.mountPoints {
            guard let volume = point.volume else { continue }
            services.emit(
                "mount", volume,
                [
                    "container": id, "destination": point.destination,
                    "read/write": "\(point.isWritable)", "propagation": "",
                ])
        }
    }

    /// Tells that they are not mounted any more.
    func emitUnmounts() {
        for volume in record.configuration.mountPoints.compactMap(\.volume) {
            services.emit("unmount", volume, ["container": id])
        }
    }

    /// Lets go of what is the container's for good; `isThorough` also removes the anonymous volumes that nobody else
    /// has.
    func dropMounts(isThorough: Bool) async {
        for point in record.configuration.mountPoints {
            guard case .image(let image) = point.content else { continue }
            do {
                try await services.images.removeSnapshot(key: image.snapshot)
            } catch {
                logger.error("cannot remove the files of the image \(image.reference): \(error)")
            }
        }
        let volumes = record.configuration.mountPoints.compactMap(\.volume)
        for volume in volumes { services.volumes.removeReference(to: volume.name, by: id) }
        guard isThorough else { return }
        for volume in volumes where volume.isAnonymous { await services.removeAnonymous(volume, logger: logger) }
    }

    /// A volume that a killed daemon has left half filled is filled by the next container that would have filled it.
    private func fillUnfinished(_ mounts: [String: VolumeMount]) async throws {
        let points = record.configuration.mountPoints.filter { $0.volume?.copiesUp == true }
        if points.isEmpty { return }
        let unfinished = try await services.pool.run { [volumes = services.volumes] in
            points.filter { point in
                guard let name = point.volume?.name, let files = mounts[name] else { return false }
                guard let path = files.visibleDirectory else { return volumes.isHalfFilled(name) }
                // What is not there is not half filled.
                guard let directory = try? Files.open(path, [.path, .directory]) else { return false }
                defer { directory.discard() }
                return VolumePopulation.isUnfinished(directory)
            }
        }
        if unfinished.isEmpty { return }
        try await services.fill(unfinished, mounts: mounts, snapshot: id)
    }
}
