import Failure
import Images
import LinuxKernel
import OCISpec
import Snapshots
import SystemPackage
import Volumes

/// Makes what a container's mounts need (volumes, snapshots of images), and takes it back if the container cannot be
/// made.
struct MountSettling {
    let services: EngineServices
    /// The container, whose snapshot is there already.
    let id: String
    private var undo = Undo<@Sendable () async -> Void>()

    init(_ services: EngineServices, id: String) {
        self.services = services
        self.id = id
    }

    /// The mounts of the plan, with all that they need. After an error nothing of it is left.
    mutating func settle(_ plan: MountPlan) async throws -> [MountPoint] {
        do {
            var points: [MountPoint] = []
            for (index, entry) in plan.entries.enumerated() { points.append(try await settle(entry, number: index)) }
            try await fill(points, Set(plan.entries.filter(\.isPlaceOnly).map(\.target.path)))
            return points
        } catch {
            await takeBack()
            throw error
        }
    }

    /// Takes all of it back.
    mutating func takeBack() async {
        for step in undo.takeAll() { await step.action() }
    }

    private mutating func settle(_ entry: MountPlan.Entry, number: Int) async throws -> MountPoint {
        switch entry.content {
        case .settled(let content):
            if case .volume(let volume) = content { try keep(volume) }
            return entry.point(content)
        case .volume(let wanted): return entry.point(.volume(try await make(wanted)))
        case .image(let reference, let imageID, let subpath):
            return entry.point(
                .image(try await makeImage(reference, imageID, subpath, snapshot: "\(id)-image-\(number)")))
        }
    }

    // MARK: Volumes

    /// Another container's volume is this one's as well from now on.
    private mutating func keep(_ volume: MountedVolume) throws {
        let (volumes, id) = (services.volumes, id)
        try volumes.addReference(to: volume.name, by: id)
        undo.add("reference to volume \(volume.name)") { volumes.removeReference(to: volume.name, by: id) }
        // It may have gone with the container whose it was, in this moment.
        guard volumes.volume(volume.name) != nil else {
            throw EngineError.invalid("volume \(volume.name) of another container has just been removed")
        }
    }

    private mutating func make(_ wanted: WantedVolume) async throws -> MountedVolume {
        let request = VolumeRequest(
            name: wanted.name ?? "", driver: wanted.driver, options: wanted.options.isEmpty ? nil : wanted.options,
            labels: wanted.labels.isEmpty ? nil : wanted.labels)
        let (services, id) = (services, id)
        let (volume, isNew): (Volume, Bool)
        do {
            (volume, isNew) = try await services.volumes.create(request, for: id)
        } catch let error as VolumesError where error.kind == .notFound {
            // When a container is made, "not found" means the image to every client, which then pulls it.
            throw EngineError.invalid(error.message)
        }
        var mounted = MountedVolume(
            name: volume.name, driver: volume.driver, path: "", isAnonymous: wanted.name == nil,
            subpath: wanted.subpath, copiesUp: wanted.copiesUp)
        let made = mounted
        undo.add("volume \(volume.name)") {
            services.volumes.removeReference(to: made.name, by: id)
            if isNew { await services.removeAnonymous(made, logger: services.logger) }
        }
        if isNew { services.emit("create", volume) }
        mounted.path = services.volumes.knownDetails(of: volume).mountpoint
        return mounted
    }

    /// Copies what the image has into volumes that are empty. At `directories` it may have nothing else.
    private func fill(_ points: [MountPoint], _ directories: Set<String>) async throws {
        let filled = points.filter { $0.volume?.copiesUp == true }
        if filled.isEmpty { return }
        var mounts: [String: VolumeMount] = [:]
        do {
            for name in Set(filled.compactMap { $0.volume?.name }) {
                let mount = try await services.volumes.acquire(name, for: id)
                // Nothing stays in memory that nobody has mounted.
                if case .fileSystem(let fileSystem) = mount, fileSystem.type == "tmpfs" { continue }
                mounts[name] = mount
            }
            try await services.fill(filled, directories: directories, mounts: mounts, snapshot: id)
        } catch {
            await release(filled)
            throw error
        }
        await release(filled)
    }

    private func release(_ points: [MountPoint]) async {
        for point in points {
            guard let volume = point.volume else { continue }
            await services.volumes.release(volume.name, for: id)
        }
    }

    // MARK: Images

    private mutating func makeImage(
        _ reference: String, _ imageID: String?, _ subpath: Subpath?, snapshot: String
    ) async throws -> MountedImage {
        let image: ImageRecord
        do {
            image = try await services.images.resolve(imageID ?? reference)
        } catch let error as ImagesError where error.kind == .notFound {
            // See above.
            throw EngineError.invalid(error.message)
        }
        let images = services.images
        let logger = services.logger
        try await images.prepareContainerSnapshot(key: snapshot, image: image.id)
        undo.add("snapshot \(snapshot)") {
            do {
                try await images.removeSnapshot(key: snapshot)
            } catch {
                logger.error("cannot take back the snapshot \(snapshot): \(error)")
            }
        }
        return MountedImage(
            reference: reference, id: image.id.description, subpath: subpath, snapshot: snapshot)
    }
}
