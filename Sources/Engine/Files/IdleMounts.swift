import LinuxKernel
import Snapshots
import SystemPackage
import Text
import Volumes

/// What a container that does not run would have mounted at its start, to be mounted for those who look at its files.
struct IdleMount: Sendable {
    enum Source: Sendable {
        case path(String)
        case volume(VolumeMount, Subpath?)
        case image([SnapshotMount], Subpath?)
    }

    var source: Source
    /// Where it is in the container.
    var destination: String
}

extension Container {
    /// Runs `body` with the mounts at `points`. Volumes of plugins are theirs as long as that takes.
    func withIdleMounts<R: Sendable>(
        _ points: [MountPoint], _ body: @escaping @Sendable ([IdleMount]) async throws -> R
    ) async throws -> R {
        // Not the container itself: it may be started meanwhile, and end.
        let user = id + "-files-" + RandomIdentifier.make()
        var idle: [IdleMount] = []
        var names: [String] = []
        let result: Result<R, any Error>
        do {
            for point in points.sorted(by: { $0.destination.utf8.count < $1.destination.utf8.count }) {
                guard let source = try await idleSource(of: point, user: user) else { continue }
                if let volume = point.volume { names.append(volume.name) }
                idle.append(IdleMount(source: source, destination: point.destination))
            }
            result = .success(try await body(idle))
        } catch {
            result = .failure(error)
        }
        for name in names { await services.volumes.release(name, for: user) }
        return try result.get()
    }

    /// nil: there is nothing of it while the container does not run.
    private func idleSource(of point: MountPoint, user: String) async throws -> IdleMount.Source? {
        switch point.content {
        case .tmpfs: return nil
        case .bind(let bind): return .path(bind.path)
        case .image(let image):
            return .image(try await services.images.mounts(key: image.snapshot), image.subpath)
        case .volume(let volume):
            let mount = try await services.volumes.acquire(volume.name, for: user)
            if case .fileSystem(let fileSystem) = mount, fileSystem.type == "tmpfs" { return nil }
            return .volume(mount, volume.subpath)
        }
    }
}

extension PrivateMounts {
    /// Attaches what a container that does not run would have, as far as it is there.
    func attach(_ mount: IdleMount, in root: FileDescriptor) throws {
        guard let tree = try tree(of: mount.source) else { return }
        defer { tree.discard() }
        try attach(tree, at: mount.destination, in: root)
    }

    private func tree(of source: IdleMount.Source) throws -> FileDescriptor? {
        switch source {
        case .path(let path):
            do throws(Errno) {
                return try Mounts.cloneTree(path, recursive: true)
            } catch {
                return nil
            }
        case .volume(let files, let subpath):
            let directory = try open(files)
            defer { directory.discard() }
            return try part(subpath, of: directory)
        case .image(let mounts, let subpath): return try part(subpath, of: mountForReading(mounts))
        }
    }

    private func part(_ subpath: Subpath?, of directory: FileDescriptor) throws -> FileDescriptor {
        guard let subpath else { return try Mounts.cloneTree(at: directory, recursive: true) }
        let part = try subpath.open(in: directory, called: "")
        defer { part.discard() }
        return try Mounts.cloneTree(at: part, recursive: true)
    }
}
