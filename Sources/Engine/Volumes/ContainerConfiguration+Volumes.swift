import Volumes

extension ContainerConfiguration {
    /// The names of the volumes that the container has, each once: as long as its row is there they are in use.
    package var volumeNames: [String] {
        Set(mountPoints.compactMap { $0.volume?.name }).sorted()
    }
}

extension EngineServices {
    /// Tells the volumes of a container that it names them: at the daemon's start, from its row.
    func restoreVolumeReferences(of record: ContainerRecord) {
        for name in record.configuration.volumeNames {
            do throws(VolumesError) { try volumes.addReference(to: name, by: record.id) } catch {
                // Only a volume that is being removed refuses, and nobody removes any at the start.
                logger.error("container \(record.id) names a volume that is being removed: \(name)")
            }
        }
    }

    /// The same when it is gone.
    func dropVolumeReferences(of record: ContainerRecord) {
        for name in record.configuration.volumeNames { volumes.removeReference(to: name, by: record.id) }
    }
}
