import ContainerRuntime
import Glibc
import LinuxKernel
import ShimProtocol
import SystemPackage

/// The root file system of a container whose runtime wants to find it mounted.
///
/// It is mounted in a mount namespace of the shim's own: the host's mount table never shows it, and it is gone when the
/// shim and the container's processes are, however they ended.
enum RootMounting {
    /// Leaves the host's mount namespace, once and for all, for one in which mounts on `path` do not appear on the
    /// host.
    ///
    /// - Parameter hidingUnified: Whether to hide version 2 of control groups where version 1 is mounted.
    static func leaveHost(for path: FilePath, hidingUnified: Bool) throws(ShimError) {
        try attempt("cannot make a mount namespace") { () throws(Errno) in
            try Namespaces.mount.unshare()
            try arrangeCgroups(hidingUnified: hidingUnified)
            // What is mounted on `path` must not appear on the host. Only the mount it is on is cut off: with all
            // others volumes whose mounts propagate to the host go on doing so.
            var candidate = path
            while true {
                do throws(Errno) {
                    return try Mounts.mount(nil, on: candidate, flags: .slave)
                } catch  where error == .invalidArgument && candidate != "/" {
                    // No mount point: the one above it is asked next.
                    candidate.removeLastComponent()
                }
            }
        }
    }

    private static func arrangeCgroups(hidingUnified: Bool) throws(Errno) {
        let hierarchies: FilePath = "/sys/fs/cgroup"
        guard try FileSystemType.of(hierarchies) == .tmpfs else { return }
        // What happens here is not for the host.
        try Mounts.mount(nil, on: hierarchies, flags: .private)
        // gVisor would make directories where hierarchies that are not there would be, and takes being refused for what
        // it means.
        let mount = try Files.open(hierarchies, [.path, .directory])
        defer { mount.discard() }
        try Mounts.setAttributes(of: mount, set: .readOnly)
        let unified = hierarchies.appending("unified")
        guard hidingUnified, Files.exists(unified.appending("cgroup.controllers")) else { return }
        try Mounts.unmount(unified, lazily: true)
        // Some write there all the same; it must not be what lies below the host's mount.
        try Mounts.mount("tmpfs", on: unified, type: "tmpfs", data: "mode=755")
    }

    /// Mounts the root file system on `path`.
    static func mount(_ mounts: [RootMount], on path: FilePath) throws(ShimError) {
        do throws(RuntimeError) {
            for mount in mounts { try RootfsMount(mount).mount(on: path) }
        } catch {
            unmount(path)
            for target in mounts.compactMap(\.target) { unmount(FilePath(target)) }
            throw ShimError(error)
        }
        // A mount with many options changes it.
        try attempt("chdir /") { () throws(Errno) in try WorkingDirectory.change(to: "/") }
    }

    /// Takes everything off `path`.
    static func unmount(_ path: FilePath) {
        // Until there is nothing left that is mounted there. Nothing more can be done about one that stays: it goes
        // with the shim.
        while (try? Mounts.unmount(path, lazily: true)) != nil {}
    }
}
