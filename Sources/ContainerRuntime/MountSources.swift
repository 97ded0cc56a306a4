import LinuxKernel
import OCISpec
import SystemPackage

extension Mount {
    /// Whether the ids of its files are mapped.
    var isIDMapped: Bool {
        hasMappings || options?.contains { $0 == "idmap" || $0 == "ridmap" } == true
    }

    /// Whether it says itself how; otherwise it is as the container's user namespace does.
    var hasMappings: Bool { uidMappings?.isEmpty == false || gidMappings?.isEmpty == false }

    /// A bind mount's source on the host.
    func path(from bundle: FilePath) -> String {
        guard let source, !source.hasPrefix("/") else { return source ?? "" }
        return bundle.appending(source).string
    }
}

/// The sources of bind mounts for which the container's process lacks the rights.
///
/// Root of a user namespace may be unable to reach a directory of the host, and mapping the ids of a mount takes
/// privileges over the file system that is mounted, which only the runtime has. So the container's process asks the
/// runtime, and gets the detached mount as a descriptor.
struct MountSources {
    let plan: CreationPlan
    /// The container's process.
    let process: Int32
    /// The other end of `InitChannel.sources`.
    let socket: FileDescriptor

    /// Checks what can be checked without doing anything.
    static func check(_ mount: Mount, hasUserNamespace: Bool) throws(RuntimeError) {
        let texts = [mount.destination, mount.type ?? "", mount.source ?? ""] + (mount.options ?? [])
        if texts.contains(where: { $0.utf8.contains(0) }) {
            // For the kernel a text ends there.
            throw RuntimeError(.invalid, "the mount on \"\(mount.destination)\": mount field contains null byte")
        }
        guard mount.isIDMapped else { return }
        let place = "the id-mapped mount on \"\(mount.destination)\""
        guard mount.type == "bind" || MountOptions(mount.options ?? []).isBind else {
            throw RuntimeError(.invalid, "\(place): id-mapped mounts are only supported for bind-mounts")
        }
        guard (mount.uidMappings?.isEmpty ?? true) == (mount.gidMappings?.isEmpty ?? true) else {
            throw RuntimeError(
                .invalid, "\(place): id-mapped mounts must have both uid and gid mappings specified")
        }
        guard mount.hasMappings || hasUserNamespace else {
            throw RuntimeError(.invalid, "\(place) has no mappings, and the container has no user namespace")
        }
    }

    /// Sends the source of the configuration's mount number `index`, or why there is none.
    ///
    /// A process of its own does so, because it has to enter the mount namespace of the container: a source may be one
    /// of the mounts made there before.
    func answer(_ index: Int) throws(RuntimeError) {
        guard let mounts = plan.spec.mounts, mounts.indices.contains(index) else {
            throw RuntimeError(.system, "the container's process asked for an unknown mount")
        }
        let fork = try attempt("cannot make a process that opens a mount's source") { () throws(Errno) in
            try ProcessControl.fork()
        }
        switch fork {
        case .child: serve(mounts[index])
        case .parent(let helper, _):
            let status = try attempt("cannot open a mount's source") { () throws(Errno) in
                try ProcessControl.wait(for: helper)?.status
            }
            guard status == .exited(0) else {
                throw RuntimeError(.system, "the process that opens a mount's source ended unexpectedly")
            }
        }
    }

    private func serve(_ mount: Mount) -> Never {
        do throws(Errno) {
            do throws(RuntimeError) {
                let tree = try tree(mount)
                try attempt("cannot send a mount's source") { () throws(Errno) in
                    let answer = SourceAnswer.tree(tree)
                    try socket.sendMessage(answer.bytes, descriptors: answer.descriptors)
                }
            } catch {
                try socket.sendMessage(SourceAnswer.failure(error).bytes)
            }
        } catch {
            ProcessControl.exit(1)
        }
        ProcessControl.exit(0)
    }

    private func tree(_ mount: Mount) throws(RuntimeError) -> FileDescriptor {
        let options = MountOptions(mount.options ?? [])
        // Before this process leaves the mounts among which it finds procfs.
        let mapping = mount.isIDMapped ? try userNamespace(mount) : nil
        try attempt("cannot enter the container's mount namespace") { () throws(Errno) in
            let file = try Files.open(FilePath("/proc/\(process)/ns/mnt"), .readOnly)
            try Namespaces.mount.enter(file)
        }
        let path = mount.path(from: plan.bundle)
        let tree: FileDescriptor
        do throws(Errno) {
            tree = try Mounts.cloneTree(path, recursive: options.flags.contains(.recursive))
        } catch .noSuchFileOrDirectory {
            throw RuntimeError(.invalid, "failed to fulfil mount request: open \(path): no such file or directory")
        } catch {
            throw RuntimeError(.system, "cannot open \(path): \(error.words)")
        }
        if let mapping {
            do throws(Errno) {
                try Mounts.setAttributes(
                    of: tree, userNamespace: mapping, recursive: options.isRecursivelyIDMapped)
            } catch .invalidArgument {
                throw RuntimeError(
                    .system,
                    "failed to set MOUNT_ATTR_IDMAP on \(path): invalid argument (maybe the filesystem used doesn't "
                        + "support idmap mounts on this kernel?)"
                )
            } catch {
                throw RuntimeError(.system, "failed to set MOUNT_ATTR_IDMAP on \(path): \(error.words)")
            }
        }
        return tree
    }

    /// A user namespace that maps as `mount` is to: the kernel takes mappings in no other form.
    private func userNamespace(_ mount: Mount) throws(RuntimeError) -> FileDescriptor {
        guard mount.hasMappings else { return try userNamespace(of: process) }
        let (reading, writing, fork) = try attempt("cannot make a user namespace") { () throws(Errno) in
            let (reading, writing) = try FileDescriptor.makePipe()
            return (reading, writing, try ProcessControl.fork(namespaces: .user))
        }
        guard case .parent(let holder, _) = fork else {
            writing.discard()
            // Whether it is an error or the end that comes: it is over.
            _ = try? reading.readToEnd(limit: 1)
            ProcessControl.exit(0)
        }
        defer {
            writing.discard()
            // It ends in any case, and this process soon after it.
            _ = try? ProcessControl.wait(for: holder)
        }
        try UserNamespaceMaps.write(uids: mount.uidMappings, gids: mount.gidMappings, process: holder)
        return try userNamespace(of: holder)
    }

    private func userNamespace(of process: Int32) throws(RuntimeError) -> FileDescriptor {
        try attempt("cannot open a user namespace") { () throws(Errno) in
            try Files.open(FilePath("/proc/\(process)/ns/user"), .readOnly)
        }
    }
}
