import LinuxKernel
import OCISpec
import SystemPackage

/// The mounts of a container: the kernel's own file systems, Docker's three files, and what the user asked for. Those
/// with a shorter path come first; what the user mounts replaces a default at the same place.
package struct MountList {
    /// Of the container.
    package let configuration: ContainerConfiguration
    /// What has been found out about it.
    package let context: SpecificationContext

    private var host: HostConfiguration { configuration.host }

    /// All mounts in their order: a later one may lie on an earlier one.
    package func mounts() throws(EngineError) -> [Mount] {
        let own = userMounts()
        let ownDestinations = Set(own.map(\.destination))
        let replacesDev = ownDestinations.contains("/dev")
        let defaults = (standardMounts() + files()).filter { mount in
            !ownDestinations.contains(mount.destination) && !(replacesDev && mount.destination.hasPrefix("/dev/"))
        }
        let all = defaults + own
        // A stable order: of two at one depth the earlier stays the earlier.
        return all.enumerated()
            .sorted { (depth($0.element), $0.offset) < (depth($1.element), $1.offset) }
            .map(\.element)
    }

    private func depth(_ mount: Mount) -> Int { mount.destination.split(separator: "/").count }

    private func standardMounts() -> [Mount] {
        let sysOptions = ["nosuid", "noexec", "nodev", host.privileged ? "rw" : "ro"]
        var mounts = [
            Mount(destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"]),
            Mount(
                destination: "/dev", type: "tmpfs", source: "tmpfs",
                options: ["nosuid", "strictatime", "mode=755", "size=65536k"]),
            Mount(destination: "/sys", type: "sysfs", source: "sysfs", options: sysOptions),
            Mount(
                destination: "/dev/pts", type: "devpts", source: "devpts",
                options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
            Mount(destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: cgroupOptions(sysOptions)),
        ]
        if context.ipcMode == .host {
            // A host without message queues has none to share.
            if Files.exists("/dev/mqueue") { mounts.append(bind("/dev/mqueue", to: "/dev/mqueue", ["rbind"])) }
        } else {
            mounts.append(
                Mount(
                    destination: "/dev/mqueue", type: "mqueue", source: "mqueue",
                    options: ["nosuid", "noexec", "nodev"]))
        }
        if let memory = sharedMemory() { mounts.append(memory) }
        return mounts
    }

    private func cgroupOptions(_ options: [String]) -> [String] {
        host.securityOptions.writableCgroups == true ? options.map { $0 == "ro" ? "rw" : $0 } : options
    }

    private func sharedMemory() -> Mount? {
        switch context.ipcMode {
        case .none: return nil
        case .host: return bind("/dev/shm", to: "/dev/shm", ["rbind", "rprivate"])
        case .shareable, .container:
            return context.sharedMemory.map {
                bind($0.string, to: "/dev/shm", ["rbind", "rprivate", "nosuid", "noexec", "nodev"])
            }
        case .default, .private:
            return Mount(
                destination: "/dev/shm", type: "tmpfs", source: "shm",
                options: ["nosuid", "noexec", "nodev", "mode=1777", "size=\(context.shmSize)"])
        }
    }

    private func files() -> [Mount] {
        var mounts = ["resolv.conf", "hostname", "hosts"].map {
            bind(context.files.appending($0).string, to: "/etc/" + $0, ["rbind", "rprivate"])
        }
        if let initPath = context.initPath {
            mounts.append(bind(initPath.string, to: SpecificationBuilder.initTarget, ["bind", "ro"]))
        }
        return mounts
    }

    private func bind(_ source: String, to destination: String, _ options: [String]) -> Mount {
        Mount(destination: destination, type: "bind", source: source, options: options)
    }

    // MARK: The user's

    private func userMounts() -> [Mount] {
        var mounts = configuration.mountPoints.map(mount)
        for tmpfs in host.tmpfs {
            let own = tmpfs.options.filter { $0.name != "defaults" }.map(\.description)
            mounts.append(
                Mount(
                    destination: tmpfs.target.path, type: "tmpfs", source: "tmpfs",
                    options: Self.overriding(["noexec", "nosuid", "nodev", "rprivate"], with: own)))
        }
        return mounts
    }

    private func mount(_ point: MountPoint) -> Mount {
        let source: String
        var options: [String]
        switch point.content {
        case .tmpfs(let tmpfs): return tmpfsMount(tmpfs, at: point)
        case .bind(let bind):
            source = bind.path
            // A mount alone has the propagation of one mount. For crun an `rprivate` makes the mount recursive, too.
            let propagation = bind.effectivePropagation
            options = bind.isRecursive ? ["rbind", propagation.rawValue] : ["bind", propagation.ofOneMount.rawValue]
        case .volume, .image:
            source = context.mountSources[point.destination] ?? point.source
            options = ["rbind", "rprivate"]
        }
        // All the way down where the kernel can, as in Docker since 25, unless the client is older than that.
        if !point.isWritable { options.append(point.isReadOnlyAtTopOnly == true ? "ro" : "rro") }
        return bind(source, to: point.destination, options)
    }

    private func tmpfsMount(_ tmpfs: MountSpecification.TmpfsOptions, at point: MountPoint) -> Mount {
        var options = ["noexec", "nosuid", "nodev", "rprivate"]
        if !point.isWritable { options.append("ro") }
        if let mode = tmpfs.mode { options.append("mode=" + String(mode, radix: 8)) }
        if let size = tmpfs.sizeBytes, size > 0 { options.append("size=\(size)") }
        return Mount(
            destination: point.destination, type: "tmpfs", source: "tmpfs",
            options: Self.overriding(options, with: tmpfs.options.map(\.description)))
    }

    /// `own` behind `defaults`, without defaults which `own` contradicts.
    package static func overriding(_ defaults: [String], with own: [String]) -> [String] {
        let opposites = ["noexec": "exec", "nosuid": "suid", "nodev": "dev", "ro": "rw"]
        return defaults.filter { option in opposites[option].map { !own.contains($0) } ?? true } + own
    }
}

extension MountList {
    /// Where files are that do not lie in a running container's root file system: what the user mounted, however it was
    /// said, and the memory that programs share.
    package static func places(_ configuration: ContainerConfiguration) -> [MountPoint] {
        var points = configuration.mountPoints
        for mount in configuration.host.tmpfs {
            points.append(
                MountPoint(
                    .tmpfs(MountSpecification.TmpfsOptions()), at: mount.target,
                    isWritable: !mount.options.contains { $0.name == "ro" }))
        }
        // It is a place by its words.
        if !points.contains(where: { $0.destination == "/dev/shm" || $0.destination == "/dev" }),
            let memory = try? MountTarget("/dev/shm")
        {
            points.append(MountPoint(.tmpfs(MountSpecification.TmpfsOptions()), at: memory))
        }
        return points
    }
}
