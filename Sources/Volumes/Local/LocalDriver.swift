import LinuxKernel
import Logging
import OCISpec
import SystemPackage
import Text

/// The driver `local`: a directory `<name>/_data` below the root for each volume, or what its options say.
///
/// The directories are the administrator's to look at, and to put where a new daemon adopts them: the layout is
/// Docker's. Others than root cannot reach them, but through a container.
struct LocalDriver: VolumeDriver {
    /// Where all volumes are.
    let root: FilePath
    let quota: QuotaControl
    let logger: Logger

    var name: String { Volume.localDriver }
    var scope: VolumeScope { .local }

    /// Where the files of a volume are.
    static let dataName = "_data"
    /// Beside it as long as a volume is being filled whose files can be seen only where it is mounted.
    static let fillingName = ".masu-filling"
    /// What the name of a directory begins with whose volume has been removed. No volume's name does.
    static let removedPrefix = ".removed-"

    init(root: FilePath, logger: Logger) throws(VolumesError) {
        self.root = root
        self.logger = logger
        quota = QuotaControl(root: root)
        do throws(Errno) { try Files.makeDirectories(root, mode: 0o701) } catch {
            throw .system("cannot make \(root) for volumes: \(error)")
        }
    }

    func directory(of name: String) -> FilePath { root.appending(name) }

    /// Where the files of a volume without a mount of its own are; Docker shows it for all.
    func dataDirectory(of name: String) -> FilePath { directory(of: name).appending(Self.dataName) }

    func define(_ name: String, options: [String: String]) throws(VolumesError) -> VolumeDefinition {
        _ = try LocalVolumeName(name)
        let options = try LocalOptions(options)
        if options.size != nil, !quota.isSupported {
            throw .invalid("quota size requested but no quota support")
        }
        return .local(options)
    }

    func create(_ volume: Volume) throws(VolumesError) -> Volume {
        let directory = directory(of: volume.name)
        let data = dataDirectory(of: volume.name)
        do throws(Errno) {
            try Files.makeDirectory(directory, mode: 0o701)
        } catch .fileExists {
            throw VolumesError(
                .conflict,
                "error while creating volume root path '\(directory)': something is there that belongs to no volume; "
                    + "move it away, or restart the daemon to have a volume made of it")
        } catch {
            throw .system("error while creating volume root path '\(directory)': \(error)")
        }
        do throws(VolumesError) {
            let size = if case .local(let options) = volume.definition { options.size } else { nil as Int64? }
            guard let size else {
                try makeData(data)
                return volume
            }
            let project = try quota.makeDirectory(data, size: size)
            return volume.with(project: project)
        } catch {
            // What is empty is gone, and nothing else can be there.
            try? Files.removeDirectory(data)
            do throws(Errno) { try Files.removeDirectory(directory) } catch {
                logger.error("cannot take back the directory of a volume", metadata: ["path": "\(directory)"])
            }
            throw error
        }
    }

    private func makeData(_ data: FilePath) throws(VolumesError) {
        do throws(Errno) {
            try Files.makeDirectory(data, mode: 0o755)
            // Whatever the daemon's umask is.
            let handle = try Files.open(data, [.readOnly, .directory, .noFollow])
            defer { handle.discard() }
            try handle.changeMode(0o755)
        } catch {
            throw .system("error while creating volume data path '\(data)': \(error)")
        }
    }

    func look(_ name: String) throws(VolumesError) -> VolumeSighting? {
        let data = dataDirectory(of: name)
        guard Files.exists(directory(of: name)) else { return nil }
        return VolumeSighting(name: name, mountpoint: data.string)
    }

    func list() throws(VolumesError) -> [VolumeSighting] {
        do throws(Errno) {
            return try Files.names(in: root).compactMap { name in
                // A name that is none belongs to somebody else.
                guard (try? LocalVolumeName(name)) != nil, isDirectory(dataDirectory(of: name)) else { return nil }
                return VolumeSighting(name: name, mountpoint: dataDirectory(of: name).string)
            }
        } catch {
            throw .system("cannot list \(root): \(error)")
        }
    }

    private func isDirectory(_ path: FilePath) -> Bool {
        // What cannot be looked at is no volume.
        (try? FileStatus.of(path).isDirectory) ?? false
    }

    // MARK: Use

    func mount(_ volume: Volume, id: String) throws(VolumesError) -> VolumeMount {
        if case .local(let options) = volume.definition, let mount = options.mount {
            return .fileSystem(try mount.resolved(target: dataDirectory(of: volume.name), HostAddresses.look))
        }
        let data = dataDirectory(of: volume.name)
        guard isDirectory(data) else {
            throw .system(
                "the directory \(data) of volume \(volume.name) is missing: put it back, or remove the volume to make "
                    + "a new one")
        }
        return .directory(data)
    }

    func unmount(_ volume: Volume, id: String) throws(VolumesError) {}

    // MARK: Removal

    func remove(_ volume: Volume) throws(VolumesError) {
        if let moved = try moveAway(volume) {
            do throws(VolumesError) { try removeTree(moved) } catch {
                // What is left of it stays the volume's, so that somebody can look at what is in the way.
                do throws(Errno) { try Files.rename(moved, to: directory(of: volume.name)) } catch {
                    logger.error("cannot give a volume its name back", metadata: ["path": "\(moved)"])
                }
                throw error
            }
        }
        if case .local(let options) = volume.definition, let project = options.project { quota.forget(project) }
    }

    /// Gives the directory of a volume another name, by which every daemon knows that it is to be removed; `nil` if
    /// there is none. From then on the volume's name is free.
    func moveAway(_ volume: Volume) throws(VolumesError) -> FilePath? {
        let directory = directory(of: volume.name)
        guard Files.exists(directory) else { return nil }
        try refuseMounts(below: directory)
        let moved = root.appending(Self.removedPrefix + RandomIdentifier.short(RandomIdentifier.make()))
        do throws(Errno) { try Files.rename(directory, to: moved) } catch {
            throw .system("error removing volume path '\(directory)': \(error)")
        }
        return moved
    }

    /// Removes a tree that was moved away, without following a link.
    func removeTree(_ path: FilePath) throws(VolumesError) {
        do throws(Errno) {
            let data = path.appending(Self.dataName)
            if try quota.isSubvolume(data) { try BtrfsSubvolume.remove(data) }
            try TreeRemoval.remove(path)
        } catch {
            throw .system("error removing volume path '\(path)': \(error)")
        }
    }

    /// What somebody has mounted below a volume must not lose its files with it.
    private func refuseMounts(below directory: FilePath) throws(VolumesError) {
        let places: [String]
        do throws(Errno) { places = try MountTable.places() } catch {
            throw .system("cannot read the table of mounts: \(error)")
        }
        let prefix = directory.string + "/"
        guard let place = places.first(where: { $0 == directory.string || $0.hasPrefix(prefix) }) else { return }
        throw VolumesError(
            .conflict, "something is mounted on \(place), whose files would be removed, too: unmount it first")
    }
}

extension Volume {
    /// The same with a project of ext4 or xfs.
    func with(project: UInt32?) -> Volume {
        guard case .local(var options) = definition else { return self }
        options.project = project
        return Volume(
            name: name, driver: driver, createdAt: createdAt, labels: labels, options: self.options,
            definition: .local(options))
    }
}
