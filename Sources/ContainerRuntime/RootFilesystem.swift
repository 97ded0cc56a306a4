import Cgroups
import LinuxKernel
import OCISpec
import SystemPackage

/// The container's file tree while its first process puts it together, still inside the host's tree.
///
/// Every path of the container is resolved from `handle` as its root, one component after another, never as a string
/// under the host's root: an image or another container that shares a volume may change links while we walk.
struct RootFilesystem {
    let plan: CreationPlan
    /// The root directory.
    let handle: FileDescriptor

    /// Mounts the root where the host has `plan.rootfs`, in this process's mount namespace.
    init(_ plan: CreationPlan) throws(RuntimeError) {
        self.plan = plan
        let path = plan.rootfs
        // What happens on the host may be seen inside (slave), but not the other way round, unless it is asked for.
        let propagation = try Self.propagation(plan.linux.rootfsPropagation ?? "")
        // Mounts that the container shares with others are left as they are.
        if plan.newNamespaces.contains(.mount) {
            try attempt("cannot change the propagation of mounts") { () throws(Errno) in
                try Mounts.mount(nil, on: "/", flags: propagation ?? [.slave, .recursive])
            }
        }
        if let propagation {
            // pivot_root and our own mounts need a parent that does not share, or they would appear on the host; and
            // what cannot be bound cannot become a mount point.
            try Self.setPropagation(propagation.contains(.slave) ? .slave : .private, above: path)
        }
        if plan.options.rootfsMounts.isEmpty {
            try attempt("cannot mount the root file system \(path)", kind: .invalid) { () throws(Errno) in
                // pivot_root needs a mount point.
                try Mounts.mount(path.string, on: path, flags: [.bind, .recursive])
            }
        }
        for (index, mount) in plan.options.rootfsMounts.enumerated() {
            let tree = index < plan.rootTrees.count ? plan.rootTrees[index] : nil
            defer { tree?.discard() }
            try Self.mount(mount, on: path, tree: tree)
        }
        handle = try attempt("cannot open the root file system \(path)", kind: .invalid) { () throws(Errno) in
            try Files.open(path, [.path, .directory])
        }
        if propagation?.contains(.shared) == true {
            try attempt("cannot change the propagation of the root") { () throws(Errno) in
                try Mounts.setAttributes(of: handle, propagation: .private)
            }
        }
    }

    /// `nil` if nothing is asked for. Words with an `r` in front are about the whole tree, the others about the root
    /// alone.
    static func propagation(_ text: String) throws(RuntimeError) -> MountFlags? {
        if text.isEmpty { return nil }
        guard let flags = MountOptions([text]).propagation.first else {
            throw RuntimeError(.invalid, "rootfsPropagation=\(text) is not supported")
        }
        return flags
    }

    /// Sets that of the mount that `path` is on.
    static func setPropagation(_ propagation: MountFlags, above path: FilePath) throws(RuntimeError) {
        var candidate = path
        while true {
            do throws(Errno) {
                return try Mounts.mount(nil, on: candidate, flags: propagation)
            } catch  where error == .invalidArgument && candidate != "/" {
                // No mount point: the one above it is asked next.
                candidate.removeLastComponent()
            } catch {
                throw RuntimeError(.system, "cannot change the propagation of \(candidate): \(error.words)")
            }
        }
    }

    // MARK: Paths inside

    func directory(_ path: String) throws(RuntimeError) -> FileDescriptor {
        try attempt("cannot make the directory \(path) in the container") { () throws(Errno) in
            try handle.makeDirectoriesInRoot(path)
        }
    }

    /// Changes the root of this process alone, whose mounts are others' too: neither may their root change, nor a mount
    /// of theirs become read-only.
    private func enterShared() throws(RuntimeError) {
        try attempt("cannot change the root to \(plan.rootfs)") { () throws(Errno) in
            try WorkingDirectory.change(to: handle)
            try WorkingDirectory.changeRoot(to: ".")
            try WorkingDirectory.change(to: "/")
        }
        handle.discard()
    }

    /// Closes the handle; the tree is now to be reached by `/`.
    func enter() throws(RuntimeError) {
        guard plan.newNamespaces.contains(.mount) else { return try enterShared() }
        if plan.options.noPivot {
            let path = try attempt("cannot change the root to \(plan.rootfs)") { () throws(Errno) in
                try WorkingDirectory.change(to: handle)
                return try WorkingDirectory.current()
            }
            try HostMounts.removeKernelFileSystems(outside: path)
        }
        let isReadOnly = plan.spec.root?.readonly == true
        let propagation = try Self.propagation(plan.linux.rootfsPropagation ?? "")
        try attempt("cannot change the root to \(plan.rootfs)") { () throws(Errno) in
            if isReadOnly { try Mounts.setAttributes(of: handle, set: .readOnly) }
            try WorkingDirectory.change(to: handle)
            if plan.options.noPivot {
                try Mounts.mount(plan.rootfs.string, on: "/", flags: .move)
                try WorkingDirectory.changeRoot(to: ".")
            } else {
                let old = try Files.open("/", [.path, .directory])
                defer { old.discard() }
                // Both at the same place: the old root then lies on top of the new one and goes from there.
                try Mounts.pivotRoot(to: ".", oldRoot: ".")
                try WorkingDirectory.change(to: old)
                if propagation != nil {
                    // Or the unmounting would spread to the host.
                    try Mounts.mount(nil, on: ".", flags: [.slave, .recursive])
                }
                try Mounts.unmount(".", lazily: true)
            }
            try WorkingDirectory.change(to: "/")
            // The others it has from the mount it was bound from.
            if let propagation, propagation.isDisjoint(with: [.private, .slave]) {
                try Mounts.mount(nil, on: "/", flags: propagation)
            }
        }
        handle.discard()
    }
}
