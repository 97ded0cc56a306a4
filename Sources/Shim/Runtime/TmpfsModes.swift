import ContainerRuntime
import JSON
import LinuxKernel
import SystemPackage

/// The modes of tmpfs mounts. Other runtimes make a directory that is not there with 755. At the container's second
/// start it is there, and they take its mode: all of them for a tmpfs without one, runc 1.1 also for one that has its
/// own. The shim therefore makes the directory as our own runtime does, and says the mode.
enum TmpfsModes {
    /// Adds modes to the mounts of `configuration`, and makes directories that are not in `rootfs`.
    static func completing(_ configuration: JSONValue, in rootfs: FilePath) throws(Errno) -> JSONValue {
        guard var object = configuration.object, let mounts = object["mounts"]?.array else { return configuration }
        let root = try Files.open(rootfs, [.path, .directory])
        defer { root.discard() }
        let destinations = mounts.compactMap { $0["destination"]?.string }
        object["mounts"] = .array(
            mounts.map { mount in
                guard let path = mount["destination"]?.string, mount["type"]?.string == "tmpfs",
                    // What another mount covers is not the root's.
                    !destinations.contains(where: { isBelow(path, $0) }),
                    let mode = mode(of: mount, at: path, in: root)
                else { return mount }
                return adding(mode, to: mount)
            })
        return .object(object)
    }

    private static func isBelow(_ path: String, _ other: String) -> Bool {
        path != other && path.hasPrefix(other.hasSuffix("/") ? other : other + "/")
    }

    private static func mode(of mount: JSONValue, at path: String, in root: FileDescriptor) -> String? {
        let options = mount["options"]?.array?.compactMap(\.string) ?? []
        let own = options.last { $0.hasPrefix("mode=") }
        let mode = own.flatMap { UInt16($0.dropFirst("mode=".count), radix: 8) }
        // Where there can be no such directory, the runtime says so.
        guard let target = try? TmpfsMountPoint(path, in: root, mode: mode) else { return nil }
        target.directory.discard()
        return own == nil ? target.option : nil
    }

    private static func adding(_ option: String, to mount: JSONValue) -> JSONValue {
        guard var object = mount.object else { return mount }
        object["options"] = .array((object["options"]?.array ?? []) + [.string(option)])
        return .object(object)
    }
}
