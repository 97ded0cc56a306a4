import Cgroups
import LinuxKernel
import OCISpec
import SystemPackage

/// The mounts of a container that come from outside of it. CRIU neither saves nor makes those, but has to be told of
/// each by its place in the container, and on the way back what to put there.
struct ExternalMounts {
    let spec: Spec
    let bundle: FilePath
    /// The root's absolute path on the host.
    let rootfs: FilePath
    /// Where its files can be seen: the same, or the root of a process in the container.
    let tree: FilePath
    let cgroup: Cgroup?

    private var linux: Linux { spec.linux ?? Linux() }

    /// Places of bind mounts in the container, and what is bound there.
    func all() throws(RuntimeError) -> [(place: String, source: String)] {
        let root = try attempt("cannot open the root file system \(tree)", kind: .invalid) { () throws(Errno) in
            try Files.open(tree, [.path, .directory])
        }
        defer { root.discard() }
        var result: [(place: String, source: String)] = []
        for mount in spec.mounts ?? [] {
            let destination = CreationPlan.destination(mount.destination, rootfs: rootfs.string)
            if mount.isBind {
                result.append((Self.resolved(destination, in: root), mount.path(from: bundle)))
            } else if mount.type == "cgroup" || mount.type == "cgroup2" {
                for (name, source) in cgroupMounts() {
                    result.append((Self.resolved("\(destination)\(name)", in: root), source))
                }
            }
        }
        // In a user namespace devices are bound, since they cannot be made there.
        let named = (linux.devices ?? []).map(\.path)
        let standard = RootFilesystem.standardDevicePaths.filter { !named.contains($0) }
        for path in standard + named { result.append((Self.resolved(path, in: root), path)) }
        return result
    }

    /// Groups that are bound, below the place of the cgroup mount. Mounts of a cgroup namespace are none.
    private func cgroupMounts() -> [(name: String, source: String)] {
        guard let cgroup, linux.namespaces?.contains(where: { $0.type == .cgroup }) != true,
            case .legacy(let hierarchies, _) = cgroup.hierarchies
        else { return [] }
        return zip(hierarchies, cgroup.directories).compactMap { hierarchy, directory in
            hierarchy.mountPoint.lastComponent.map { ("/\($0.string)", directory.string) }
        }
    }

    /// Files of the container, whose first process is `pid`, that the null device hides.
    func maskedFiles(ofProcess pid: Int32) throws(RuntimeError) -> [String] {
        guard let paths = linux.maskedPaths, !paths.isEmpty else { return [] }
        return try attempt("cannot look for masked paths in the container") { () throws(Errno) in
            let root = try Files.open(FilePath("/proc/\(pid)/root"), [.path, .directory])
            defer { root.discard() }
            var files: [String] = []
            for path in paths {
                do throws(Errno) {
                    let file = try root.openInRoot(path)
                    defer { file.discard() }
                    if try !FileStatus.of(file).isDirectory { files.append(path) }
                } catch  where error == .noSuchFileOrDirectory || error == .notDirectory {
                    // Nothing there, nothing hidden.
                }
            }
            return files
        }
    }

    /// `path` without symbolic links, as far as there is something in the directory `root`.
    static func resolved(_ path: String, in root: FileDescriptor) -> String {
        let components = path.split(separator: "/").filter { $0 != "." }
        var count = components.count
        while count > 0 {
            // What is not there is looked for one higher.
            if let handle = try? root.openInRoot("/" + components.prefix(count).joined(separator: "/")) {
                defer { handle.discard() }
                // Without procfs the path stays what the configuration says.
                guard let top = try? FileDescriptor.workingDirectory.readSymlink(root.procPath.string),
                    let real = try? FileDescriptor.workingDirectory.readSymlink(handle.procPath.string)
                else { break }
                let inside = top == "/" ? real[...] : real.dropFirst(top.count)
                return ([String(inside)] + components.dropFirst(count).map(String.init)).joined(separator: "/")
            }
            count -= 1
        }
        return "/" + components.joined(separator: "/")
    }
}

extension Mount {
    /// Whether it shows what is mounted already.
    var isBind: Bool { type == "bind" || MountOptions(options ?? []).isBind }
}
