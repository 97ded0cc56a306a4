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
        var mounts: [Mount] = []
        for bind in host.binds {
            var options = ["rbind", bind.effectivePropagation.rawValue]
            // All the way down where the kernel can, as in Docker since 25, unless the client is older than that.
            if bind.isReadOnly { options.append(bind.isReadOnlyNonRecursive == true ? "ro" : "rro") }
            mounts.append(self.bind(bind.source, to: bind.target.path, options))
        }
        for mount in host.mounts {
            switch mount.kind {
            case .bind: mounts.append(bindMount(mount))
            case .tmpfs: mounts.append(tmpfsMount(mount))
            case .volume, .image, .cluster, .npipe: break  // Refused by validation.
            }
        }
        for tmpfs in host.tmpfs {
            let own = tmpfs.options.filter { $0.name != "defaults" }.map(\.description)
            mounts.append(
                Mount(
                    destination: tmpfs.target.path, type: "tmpfs", source: "tmpfs",
                    options: Self.overriding(["noexec", "nosuid", "nodev", "rprivate"], with: own)))
        }
        return mounts
    }

    private func bindMount(_ mount: MountSpecification) -> Mount {
        let bind = mount.bind
        var options = [bind?.nonRecursive == true ? "bind" : "rbind"]
        options.append(mount.effectivePropagation.rawValue)
        let isTopOnly = bind?.readOnlyNonRecursive == true || mount.isReadOnlyNonRecursive == true
        if mount.readOnly { options.append(isTopOnly ? "ro" : "rro") }
        return self.bind(mount.source, to: mount.target.path, options)
    }

    private func tmpfsMount(_ mount: MountSpecification) -> Mount {
        var options = ["noexec", "nosuid", "nodev", "rprivate"]
        if mount.readOnly { options.append("ro") }
        if let mode = mount.tmpfs?.mode { options.append("mode=" + String(mode, radix: 8)) }
        if let size = mount.tmpfs?.sizeBytes, size > 0 { options.append("size=\(size)") }
        let own = (mount.tmpfs?.options ?? []).map(\.description)
        return Mount(
            destination: mount.target.path, type: "tmpfs", source: "tmpfs",
            options: Self.overriding(options, with: own))
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
    package static func places(_ host: HostConfiguration) -> [MountPoint] {
        var points = mountPoints(host)
        for mount in host.tmpfs {
            points.append(
                MountPoint(
                    kind: .tmpfs, source: "", destination: mount.target.path, mode: "",
                    isWritable: !mount.options.contains { $0.name == "ro" }, propagation: nil))
        }
        if !points.contains(where: { $0.destination == "/dev/shm" || $0.destination == "/dev" }) {
            points.append(
                MountPoint(
                    kind: .tmpfs, source: "", destination: "/dev/shm", mode: "", isWritable: true, propagation: nil))
        }
        return points
    }

    /// What `inspect` lists: binds and tmpfs mounts of the configuration.
    package static func mountPoints(_ host: HostConfiguration) -> [MountPoint] {
        var points: [MountPoint] = host.binds.map { bind in
            MountPoint(
                kind: .bind, source: bind.source, destination: bind.target.path, mode: bind.mode,
                isWritable: !bind.isReadOnly, propagation: bind.effectivePropagation)
        }
        for mount in host.mounts {
            points.append(
                MountPoint(
                    kind: mount.kind, source: mount.source, destination: mount.target.path, mode: "",
                    isWritable: !mount.readOnly,
                    propagation: mount.kind == .bind ? mount.effectivePropagation : nil))
        }
        return points
    }
}
