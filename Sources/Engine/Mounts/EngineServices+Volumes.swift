import Images
import LinuxKernel
import Logging
import OCISpec
import Snapshots
import SystemPackage
import Text
import Volumes

extension EngineServices {
    /// Publishes an event of a container's volume.
    func emit(_ action: String, _ volume: MountedVolume, _ attributes: [String: String]) {
        events.publish(
            EngineEvent(
                kind: .volume, action: action, actorID: volume.name,
                attributes: attributes.merging(["driver": volume.driver]) { own, _ in own }))
    }

    /// Removes a volume that nobody gave a name, unless somebody else has it.
    func removeAnonymous(_ volume: MountedVolume, logger: Logger) async {
        do {
            try await removeVolume(volume.name)
        } catch let error as VolumesError where error.kind == .conflict || error.kind == .notFound {
            // Another container has it, or somebody was faster.
        } catch {
            logger.error("cannot remove the anonymous volume \(volume.name): \(error)")
        }
    }

    /// Gives empty volumes what the snapshot has at their places. `mounts` are the volumes' files, by their names.
    ///
    /// - Parameter directories: places where the snapshot must not have a file.
    func fill(
        _ points: [MountPoint], directories: Set<String> = [], mounts: [String: VolumeMount], snapshot: String
    ) async throws {
        let view = try await images.view(key: snapshot)
        try await copying.run {
            // Those that have been filled need not cost a thread with mounts of its own.
            let points = points.filter { point in
                guard !directories.contains(point.destination), let volume = point.volume,
                    let path = mounts[volume.name]?.visibleDirectory
                else { return true }
                return VolumePopulation.mayBeEmpty(path)
            }
            if points.isEmpty { return }
            try PrivateMounts.run("volumes") { trees in
                let root = try trees.mount(view)
                for point in points {
                    if directories.contains(point.destination) { try Self.refuseFile(at: point.destination, in: root) }
                    guard let volume = point.volume, let files = mounts[volume.name] else { continue }
                    do {
                        let directory = try trees.open(files)
                        defer { directory.discard() }
                        let isHidden = files.visibleDirectory == nil
                        if isHidden { try self.volumes.beginFilling(volume.name) }
                        defer { if isHidden { self.volumes.endFilling(volume.name) } }
                        try VolumePopulation.fill(directory, from: point.destination, in: root)
                    } catch {
                        throw EngineError.system(
                            "failed to populate volume: error while copying image data from \(point.destination) to "
                                + "\(volume.name): \(error)")
                    }
                }
            }
        }
    }
}

extension EngineServices {
    /// Throws Docker's text for an image's volume in the place of a file.
    private static func refuseFile(at path: String, in root: FileDescriptor) throws {
        // Where nothing can be found, a directory is made.
        guard let handle = try? root.openInRoot(path) else { return }
        defer { handle.discard() }
        if try FileStatus.of(handle).isDirectory { return }
        throw EngineError.invalid("cannot mount volume over existing file, file exists \(path)")
    }
}

extension VolumeMount {
    /// The directory of the host in which a volume's files can be seen; nil if it has to be mounted for that.
    var visibleDirectory: FilePath? {
        switch self {
        case .directory(let path): path
        case .fileSystem(let mount): mount.isBind ? FilePath(mount.source) : nil
        }
    }
}

extension PrivateMounts {
    /// A handle on the files of a volume; the caller closes it.
    func open(_ files: VolumeMount) throws -> FileDescriptor {
        switch files {
        case .directory(let path): return try Files.open(path, [.path, .directory])
        case .fileSystem(let mount):
            let root = try self.mount([
                SnapshotMount(type: mount.type, source: mount.source, options: mount.options)
            ])
            return try root.open(".", [.path, .directory])
        }
    }
}
