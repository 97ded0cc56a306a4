import Volumes

/// What a container that is being made is to have mounted: from other containers, from `-v` and `--mount`, and from the
/// image's `VOLUME`, by Docker's rules of precedence. Nothing has been made for it yet.
package struct MountPlan {
    /// What is to be mounted.
    package enum Content: Hashable {
        /// It is there already.
        case settled(MountPoint.Content)
        /// A volume, which may have to be made.
        case volume(WantedVolume)
        /// The files of an image; `reference` is what `inspect` shows.
        case image(reference: String, id: String?, subpath: Subpath?)
    }

    /// One mount.
    package struct Entry: Hashable {
        /// What is mounted.
        package var content: Content
        /// Where, in the container.
        package var target: MountTarget
        /// The options of `-v`.
        package var mode = ""
        /// Whether something can be written through it.
        package var isWritable = true
        /// As in `MountPoint`.
        package var isReadOnlyAtTopOnly: Bool?
        /// Whether it is a volume that nobody asked for but by naming its place, as images do.
        package var isPlaceOnly = false
    }

    /// In the order in which they were asked for; no two are at one place.
    package private(set) var entries: [Entry] = []

    /// The mounts of a container of `configuration`, into which the image's has been merged.
    ///
    /// - Parameters:
    ///   - inherited: what the containers of `--volumes-from` have mounted, in their order.
    ///   - dataRoot: the daemon's own directory: what is bound from there is to follow the daemon's unmounting.
    package init(
        _ configuration: ContainerConfiguration, inheriting inherited: [Inheritance] = [], dataRoot: String = ""
    ) {
        let host = configuration.host
        for other in inherited { for point in other.points { add(Entry(point, isReadOnly: other.isReadOnly)) } }
        for bind in host.binds { add(Entry(bind, driver: host.volumeDriver, dataRoot: dataRoot)) }
        for mount in host.mounts { add(Entry(mount, dataRoot: dataRoot)) }
        // It hides what is at the same place.
        let inMemory = Set(host.tmpfs.map(\.target.path))
        entries.removeAll { inMemory.contains($0.target.path) }
        let taken = inMemory.union(entries.map(\.target.path))
        for target in configuration.volumes where !taken.contains(target.path) {
            add(
                Entry(
                    content: .volume(WantedVolume(driver: host.volumeDriver)), target: target, isPlaceOnly: true))
        }
    }

    /// What a container of `--volumes-from` gives.
    package struct Inheritance {
        /// What is mounted in it.
        package var points: [MountPoint]
        /// Whether the other may not write to any of it.
        package var isReadOnly: Bool

        /// The mounts of another container.
        package init(_ points: [MountPoint], isReadOnly: Bool = false) {
            self.points = points
            self.isReadOnly = isReadOnly
        }
    }

    /// The mounts for which nothing has to be made.
    package var settled: [MountPoint] {
        entries.compactMap { entry in
            guard case .settled(let content) = entry.content else { return nil }
            return entry.point(content)
        }
    }

    private mutating func add(_ entry: Entry) {
        // The later one wins: a container's own mounts are named after those that it gets from others.
        entries.removeAll { $0.target.path == entry.target.path }
        entries.append(entry)
    }
}

/// A volume that a container is to have: the one of that name, or one that is made.
package struct WantedVolume: Hashable {
    /// nil: an anonymous one.
    package var name: String?
    /// Empty: the one the volume has, or the local one.
    package var driver = ""
    /// What the driver is told if it makes the volume.
    package var options: [String: String] = [:]
    /// The labels of a volume that is made.
    package var labels: [String: String] = [:]
    /// The part of it that is mounted; nil: all.
    package var subpath: Subpath?
    /// Whether it gets what the image has at its place.
    package var copiesUp = true

    /// A volume of this name, or an anonymous one.
    package init(
        name: String? = nil, driver: String = "", options: [String: String] = [:], labels: [String: String] = [:],
        subpath: Subpath? = nil, copiesUp: Bool = true
    ) {
        self.name = name
        self.driver = driver
        self.options = options
        self.labels = labels
        self.subpath = subpath
        self.copiesUp = copiesUp
    }
}

extension MountPlan.Entry {
    /// The mount, now that there is what it mounts.
    func point(_ content: MountPoint.Content) -> MountPoint {
        var point = MountPoint(content, at: target, mode: mode, isWritable: isWritable)
        point.isReadOnlyAtTopOnly = isReadOnlyAtTopOnly
        // Docker labels a local volume for all that have it, unless something else is asked for, and shows that.
        if mode.isEmpty, !isPlaceOnly, point.volume?.driver == Volume.localDriver { point.mode = "z" }
        return point
    }

    /// A mount of another container.
    fileprivate init(_ point: MountPoint, isReadOnly: Bool) {
        switch point.content {
        case .volume(var volume):
            volume.copiesUp = false
            content = .settled(.volume(volume))
        case .image(let image): content = .image(reference: image.reference, id: image.id, subpath: image.subpath)
        case .bind, .tmpfs: content = .settled(point.content)
        }
        target = point.target
        // What is shown of a mode is what its own container was told.
        isWritable = point.isWritable && !isReadOnly
        isReadOnlyAtTopOnly = point.isReadOnlyAtTopOnly
    }

    fileprivate init(_ bind: BindSpecification, driver: String, dataRoot: String) {
        target = bind.target
        mode = bind.mode
        isWritable = !bind.isReadOnly
        isReadOnlyAtTopOnly = bind.isReadOnlyNonRecursive
        if bind.isVolume {
            content = .volume(
                WantedVolume(name: bind.source, driver: driver, copiesUp: !bind.options.contains(.nocopy)))
            return
        }
        var source = MountedPath(path: bind.source)
        source.propagation = bind.propagation
        source.makesSource = true
        source.fallBack(dataRoot: dataRoot)
        content = .settled(.bind(source))
    }

    fileprivate init(_ mount: MountSpecification, dataRoot: String) {
        target = mount.target
        isWritable = !mount.readOnly
        isReadOnlyAtTopOnly = mount.isReadOnlyNonRecursive
        switch mount.kind {
        case .volume:
            let options = mount.volume ?? MountSpecification.VolumeOptions()
            content = .volume(
                WantedVolume(
                    name: mount.source.isEmpty ? nil : mount.source, driver: options.driver,
                    options: options.driverOptions, labels: options.labels, subpath: options.subpath,
                    copiesUp: !options.noCopy && options.subpath == nil))
        case .image:
            isWritable = false
            content = .image(reference: mount.source, id: nil, subpath: mount.image?.subpath)
        case .tmpfs: content = .settled(.tmpfs(mount.tmpfs ?? MountSpecification.TmpfsOptions()))
        case .bind, .cluster, .npipe:  // The latter two are refused by validation.
            var source = MountedPath(path: mount.source)
            source.propagation = mount.bind?.propagation
            source.isRecursive = mount.bind?.nonRecursive != true
            source.makesSource = mount.bind?.createMountpoint == true
            source.fallBack(dataRoot: dataRoot)
            if mount.bind?.readOnlyNonRecursive == true { isReadOnlyAtTopOnly = true }
            if mount.bind?.readOnlyForceRecursive == true { isReadOnlyAtTopOnly = nil }
            content = .settled(.bind(source))
        }
    }
}

extension MountedPath {
    fileprivate mutating func fallBack(dataRoot: String) {
        if DaemonRoot.touches(path, dataRoot: dataRoot) { fallbackPropagation = .rslave }
    }
}
