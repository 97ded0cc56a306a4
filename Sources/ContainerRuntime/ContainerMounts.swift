import Cgroups
import LinuxKernel
import OCISpec
import SystemPackage

// The mounts of a configuration.
extension RootFilesystem {
    /// Makes one mount inside the root.
    ///
    /// - Parameters:
    ///   - cgroup: The container's control group, of which this process is a member already.
    ///   - requestSource: Asks the runtime for the source, as a detached mount.
    func add(
        _ mount: Mount, cgroup: Cgroup?, requestSource: () throws(RuntimeError) -> FileDescriptor
    ) throws(RuntimeError) {
        let options = MountOptions(mount.options ?? [])
        try MountDestination(root: handle, path: mount.destination).checkName()
        if options.isBind || mount.type == "bind" {
            return try bind(mount, options, requestSource)
        } else if mount.type == "cgroup" || mount.type == "cgroup2" {
            try mountCgroup(mount, options, cgroup)
        } else {
            try mountNew(mount, options)
        }
        try spreadNew(mount, options)
    }

    private func describe(_ mount: Mount) -> String {
        // Callers of other runtimes know this text.
        "error mounting \"\(mount.source ?? mount.type ?? "")\" to rootfs at \"\(mount.destination)\""
    }

    // MARK: Bind mounts

    /// The mount that is to be bound, detached.
    private func source(
        _ mount: Mount, _ options: MountOptions, _ request: () throws(RuntimeError) -> FileDescriptor
    ) throws(RuntimeError) -> FileDescriptor {
        guard mount.source?.isEmpty == false else {
            throw RuntimeError(.invalid, "the bind mount on \"\(mount.destination)\" has no source")
        }
        let path = mount.path(from: plan.bundle)
        do throws(Errno) {
            if !mount.isIDMapped {
                return try Mounts.cloneTree(path, recursive: options.flags.contains(.recursive))
            }
        } catch .noSuchFileOrDirectory {
            throw RuntimeError(.invalid, "failed to fulfil mount request: open \(path): no such file or directory")
        } catch  where error == .permissionDenied && plan.mayNeedSources {
            // Root of the user namespace is anybody on the host.
        } catch {
            throw RuntimeError(.system, "\(describe(mount)): \(error.words)")
        }
        do throws(RuntimeError) {
            return try request()
        } catch {
            throw RuntimeError(error.kind, "\(describe(mount)): \(error.message)")
        }
    }

    private func bind(
        _ mount: Mount, _ options: MountOptions, _ request: () throws(RuntimeError) -> FileDescriptor
    ) throws(RuntimeError) {
        let tree = try source(mount, options, request)
        defer { tree.discard() }
        let isProc = try attempt(describe(mount)) { () throws(Errno) in try FileSystemType.of(tree) } == .proc
        let isDirectory = try attempt(describe(mount)) { () throws(Errno) in try FileStatus.of(tree).isDirectory }
        let target = try bindTarget(mount, isDirectory: isDirectory)
        defer { target.discard() }
        try MountDestination(root: handle, path: mount.destination).check(target, isProc: isProc)
        // Changed while it is detached: it never is in the container without its restrictions.
        do throws(RuntimeError) {
            try BindAttributes(options).apply(to: tree)
        } catch {
            throw RuntimeError(error.kind, "\(describe(mount)): \(error.message)")
        }
        try attempt(describe(mount)) { () throws(Errno) in
            if !options.recursiveAttributes.isEmpty {
                let change = options.recursiveAttributes
                try Mounts.setAttributes(of: tree, set: change.set, clear: change.clear, recursive: true)
            }
            try Mounts.attach(tree, on: target)
        }
        // The tree, wherever its path leads by now.
        try attempt("cannot change the propagation of \"\(mount.destination)\"") { () throws(Errno) in
            try setPropagation(options, of: tree)
        }
    }

    /// The place where a source is bound. It is looked up once, so that a later change of the tree cannot lead the
    /// mount elsewhere.
    private func bindTarget(_ mount: Mount, isDirectory: Bool) throws(RuntimeError) -> FileDescriptor {
        do throws(Errno) {
            let target =
                isDirectory
                ? try handle.makeDirectoriesInRoot(mount.destination) : try handle.makeFileInRoot(mount.destination)
            do throws(Errno) {
                guard try FileStatus.of(target).isDirectory == isDirectory else { throw Errno.notDirectory }
                return target
            } catch {
                target.discard()
                throw error
            }
        } catch .notDirectory {
            throw RuntimeError(
                .invalid,
                "\(describe(mount)): not a directory: Are you trying to mount a directory onto a file (or vice-versa)? "
                    + "Check if the specified host path exists and is the expected type"
            )
        } catch {
            throw RuntimeError(.system, "\(describe(mount)): \(error)")
        }
    }

    // MARK: New file systems

    private func mountNew(_ mount: Mount, _ options: MountOptions) throws(RuntimeError) {
        guard let type = mount.type, !type.isEmpty, type != "none" else {
            throw RuntimeError(.invalid, "the mount on \"\(mount.destination)\" has no type")
        }
        do throws(RuntimeError) {
            try mountNew(mount, type, options)
        } catch {
            if type == "proc" || type == "sysfs" { try refuseLink(mount, type) }
            throw error
        }
    }

    private func mountNew(_ mount: Mount, _ type: String, _ options: MountOptions) throws(RuntimeError) {
        var data = options.data
        let target = try newTarget(mount, type, &data)
        defer { target.discard() }
        try MountDestination(root: handle, path: mount.destination).check(target, isProc: type == "proc")
        try attempt(describe(mount)) { () throws(Errno) in
            if let label = MountLabel.option(plan.linux.mountLabel, type: type) { data.append(label) }
            var below: FileDescriptor?
            if type == "tmpfs" {
                // What is to be copied up has to be open before it is hidden.
                if options.copiesUp { below = try target.open(".", [.readOnly, .directory]) }
            }
            defer { below?.discard() }
            // What is mounted and made in it comes first (`restrictNew`).
            let flags = isRestrictedLate(mount) ? options.flags.subtracting(.readOnly) : options.flags
            try Mounts.mount(
                mount.source ?? type, on: target.procPath, type: type, flags: flags,
                data: data.isEmpty ? nil : data.joined(separator: ","))
            if type == "mqueue", let label = plan.linux.mountLabel, !label.isEmpty {
                let new = try handle.openInRoot(mount.destination, [.readOnly, .directory])
                defer { new.discard() }
                try ExtendedAttributes.set("security.selinux", to: Array(label.utf8) + [0], of: new)
            }
            if let below {
                let new = try handle.openInRoot(mount.destination, [.readOnly, .directory])
                defer { new.discard() }
                try CopyUp.copy(from: below, to: new)
            }
        }
    }

    /// Where a new file system of kind `type` is mounted; `data` gets what follows from what is there.
    private func newTarget(
        _ mount: Mount, _ type: String, _ data: inout [String]
    ) throws(RuntimeError) -> FileDescriptor {
        try attempt(describe(mount)) { () throws(Errno) in
            guard type == "tmpfs", !data.contains(where: { $0.hasPrefix("mode=") }) else {
                return try mountPoint(mount.destination, type: type)
            }
            let target = try TmpfsMountPoint(mount.destination, in: handle)
            data.append(target.option)
            return target.directory
        }
    }

    private func refuseLink(_ mount: Mount, _ type: String) throws(RuntimeError) {
        do throws(Errno) {
            try handle.open(mount.destination, [.path, .directory], resolve: [.inRoot, .noSymlinks]).discard()
        } catch  where error == .tooManySymbolicLinkLevels || error == .notDirectory {
            throw RuntimeError(
                .invalid, "\(describe(mount)): filesystem \"\(type)\" must be mounted on ordinary directory")
        } catch {
            // Then that is not what went wrong.
        }
    }

    private func mountPoint(_ path: String, type: String) throws(Errno) -> FileDescriptor {
        let target = try handle.makeDirectoriesInRoot(path)
        if type == "proc" || type == "sysfs" {
            // These are named by fixed paths later on; a link in the image must not lead them elsewhere.
            target.discard()
            return try handle.open(path, [.path, .directory], resolve: [.inRoot, .noSymlinks])
        }
        return target
    }

    private func isRestrictedLate(_ mount: Mount) -> Bool { mount.type == "tmpfs" || mount.destination == "/dev" }

    /// Makes those new file systems read-only that could not be so while they were filled.
    func restrictNew() throws(RuntimeError) {
        for mount in plan.spec.mounts ?? [] where isRestrictedLate(mount) && mount.options?.contains("ro") == true {
            let options = MountOptions(mount.options ?? [])
            guard options.flags.contains(.readOnly), !options.isBind, mount.type != "bind" else { continue }
            try attempt("cannot make \"\(mount.destination)\" read-only") { () throws(Errno) in
                let target = try handle.openInRoot(mount.destination)
                defer { target.discard() }
                try Mounts.setAttributes(of: target, set: .readOnly)
            }
        }
    }

    /// Changes of propagation, and of attributes below a new mount.
    private func spreadNew(_ mount: Mount, _ options: MountOptions) throws(RuntimeError) {
        guard !options.propagation.isEmpty || !options.recursiveAttributes.isEmpty else { return }
        try attempt("cannot change the propagation of \"\(mount.destination)\"") { () throws(Errno) in
            let target = try handle.openInRoot(mount.destination)
            defer { target.discard() }
            try setPropagation(options, of: target)
            if !options.recursiveAttributes.isEmpty {
                let change = options.recursiveAttributes
                try Mounts.setAttributes(of: target, set: change.set, clear: change.clear, recursive: true)
            }
        }
    }

    private func setPropagation(_ options: MountOptions, of mount: FileDescriptor) throws(Errno) {
        for propagation in options.propagation {
            try Mounts.setAttributes(
                of: mount, propagation: propagation.subtracting(.recursive),
                recursive: propagation.contains(.recursive))
        }
    }

    // MARK: Control groups

    private func mountCgroup(_ mount: Mount, _ options: MountOptions, _ cgroup: Cgroup?) throws(RuntimeError) {
        // Without a group of its own there is nothing of its own to be shown, but that in which it is.
        guard cgroup != nil || plan.mayLackCgroup else { return }
        let (all, directories) = try withCgroupErrors { () throws(CgroupError) in
            if let cgroup { return (cgroup.hierarchies, cgroup.directories) }
            let all = try CgroupHierarchies.mounted()
            return (all, try all.directoriesOfCaller())
        }
        let hasNamespace = plan.newNamespaces.contains(.cgroup)
        let attributes = options.attributes.set
        let target = try attempt(describe(mount)) { () throws(Errno) in
            try handle.makeDirectoriesInRoot(mount.destination)
        }
        defer { target.discard() }
        try MountDestination(root: handle, path: mount.destination).check(target, isProc: false)
        try attempt(describe(mount)) { () throws(Errno) in
            guard case .legacy(let hierarchies, _) = all else {
                if hasNamespace {
                    do throws(Errno) {
                        return try Mounts.mount("cgroup", on: target.procPath, type: "cgroup2", flags: options.flags)
                    } catch  where error == .notPermitted || error == .resourceBusy {
                        // In a user namespace that is not the cgroup namespace's.
                    }
                }
                for directory in directories {
                    try attachClone(of: directory, on: target, attributes: attributes)
                }
                return
            }
            // Version 1: one mount for each hierarchy, on a small tmpfs.
            try Mounts.mount(
                "tmpfs", on: target.procPath, type: "tmpfs", flags: options.flags.subtracting(.readOnly),
                data: (["mode=755", "size=1024k"]
                    + [MountLabel.option(plan.linux.mountLabel, type: "tmpfs")].compactMap { $0 }).joined(
                        separator: ","))
            let tmpfs = try handle.openInRoot(mount.destination, [.path, .directory])
            defer { tmpfs.discard() }
            for (hierarchy, directory) in zip(hierarchies, directories) {
                guard let name = hierarchy.mountPoint.lastComponent?.string else { continue }
                try tmpfs.makeDirectory(name)
                let place = try tmpfs.open(name, [.path, .directory, .noFollow])
                defer { place.discard() }
                if hasNamespace {
                    let data = hierarchy.controllers.map { $0.hasPrefix("name=") ? "xattr,\($0)" : $0 }
                    try Mounts.mount(
                        "cgroup", on: place.procPath, type: "cgroup", flags: options.flags,
                        data: data.joined(separator: ","))
                } else {
                    try attachClone(of: directory, on: place, attributes: attributes)
                }
                if hierarchy.controllers.count > 1 {
                    for controller in hierarchy.controllers { try tmpfs.makeSymlink(controller, to: name) }
                }
            }
            if attributes.contains(.readOnly) { try Mounts.setAttributes(of: tmpfs, set: .readOnly) }
        }
    }

    private func attachClone(
        of path: FilePath, on target: FileDescriptor, attributes: MountAttributes
    ) throws(Errno) {
        let tree = try Mounts.cloneTree(path.string)
        defer { tree.discard() }
        if !attributes.isEmpty { try Mounts.setAttributes(of: tree, set: attributes) }
        try Mounts.attach(tree, on: target)
    }
}
