import LinuxKernel
import ShimProtocol
import Snapshots
import SystemPackage
import Volumes

/// How the volumes and images of a container get into it at a start.
///
/// A plain directory is bound as it is. Whatever else there is (a file system that the volume stands for, a part of a
/// volume, the snapshot of an image) is mounted at a place in the container's bundle first, in the mount namespace of
/// the container's first process or, for the programs of other runtimes, of the shim. The host's mount table never
/// shows it, and it goes with the last process of the container.
struct MountPreparation: Sendable {
    /// What is mounted first, in order.
    private(set) var rootMounts: [RootMount] = []
    /// What is then bound, by its place in the container.
    private(set) var sources: [String: String] = [:]
    /// Directories whose parts are mounted, as far as they are there now.
    private var parts: [(base: String, subpath: Subpath)] = []
    private let directory: FilePath
    private var count = 0

    /// Nothing yet; places are made below `bundle`.
    init(bundle: FilePath) {
        directory = bundle.appending("mounts")
    }

    /// A volume with its files.
    mutating func add(_ point: MountPoint, _ volume: MountedVolume, files: VolumeMount) {
        switch files {
        case .directory(let path):
            if let subpath = volume.subpath { parts.append((path.string, subpath)) }
            sources[point.destination] = part(volume.subpath, of: path.string)
        case .fileSystem(let mount):
            let place = makePlace()
            let data = mount.options.isEmpty ? "" : ", data: " + mount.options.joined(separator: ",")
            let failure =
                "error while mounting volume '\(volume.path)': failed to mount local volume: "
                + "mount \(mount.source):\(volume.path)\(data)"
            rootMounts.append(
                RootMount(
                    type: mount.type, source: mount.source, options: mount.options, target: place,
                    failure: mount.hidingSecrets(in: failure)))
            sources[point.destination] = part(volume.subpath, of: place)
        }
    }

    /// An image with the mounts of its snapshot.
    mutating func add(_ point: MountPoint, _ image: MountedImage, mounts: [SnapshotMount]) {
        let place = makePlace()
        rootMounts += mounts.map { mount in
            RootMount(
                type: mount.type, source: mount.source, options: mount.options, target: mount.target ?? place,
                failure: "cannot mount the image \(image.reference)")
        }
        sources[point.destination] = part(image.subpath, of: place)
    }

    private mutating func part(_ subpath: Subpath?, of base: String) -> String {
        guard let subpath else { return base }
        let place = makePlace()
        rootMounts.append(
            RootMount(type: "bind", source: base, target: place, subpath: subpath.description))
        return place
    }

    private mutating func makePlace() -> String {
        defer { count += 1 }
        return directory.appending("\(count)").string
    }

    /// Throws, in Docker's words, for parts that are not there; they may still go before they are mounted. Blocks.
    func checkParts() throws(EngineError) {
        for (base, subpath) in parts {
            let directory: FileDescriptor
            do throws(Errno) {
                directory = try Files.open(FilePath(base), [.path, .directory])
            } catch {
                throw .system("cannot access path \(base): \(error.words)")
            }
            defer { directory.discard() }
            try subpath.open(in: directory, called: base).discard()
        }
    }
}

extension Subpath {
    /// A handle (`O_PATH`) on what is there in `base`. Links in it are followed as long as they do not lead out.
    ///
    /// - Parameter name: what `base` is called in messages.
    func open(in base: FileDescriptor, called name: String) throws(EngineError) -> FileDescriptor {
        do throws(Errno) {
            return try base.open(description, .path, resolve: [.beneath, .noMagicLinks])
        } catch .noSuchFileOrDirectory {
            let path = "\(name)/\(self)"
            throw EngineError(.notFound, "cannot access path \(path): lstat \(path): no such file or directory")
        } catch .improperLink {
            throw .invalid("path concatenation escapes the base directory, base: \(name), subpath: \(self)")
        } catch {
            throw .system("cannot access path \(name)/\(self): \(error.words)")
        }
    }
}
