import LinuxKernel
import OCISpec
import SystemPackage

// Device files (`config-linux.md`, "Devices" and "Default Devices").
extension RootFilesystem {
    private static let defaultDevices: [(name: String, major: UInt32, minor: UInt32)] = [
        ("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0),
    ]

    /// The standard devices' paths in the container.
    static var standardDevicePaths: [String] { defaultDevices.map { "/dev/\($0.name)" } }

    private static let links = [
        ("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ]

    /// Whether the configuration brings a `/dev` of the host, which is left as it is.
    private var hasForeignDev: Bool {
        (plan.spec.mounts ?? []).contains {
            $0.destination == "/dev" && ($0.type == "bind" || MountOptions($0.options ?? []).isBind)
        }
    }

    /// Makes the standard devices, those of the configuration, and the links every program expects.
    func addDevices() throws(RuntimeError) {
        if hasForeignDev { return }
        let dev = try directory("/dev")
        defer { dev.discard() }
        let additional = plan.linux.devices ?? []
        for device in Self.defaultDevices where !additional.contains(where: { $0.path == "/dev/\(device.name)" }) {
            try add(device.name, in: dev, mode: 0o020666, major: device.major, minor: device.minor)
        }
        let hasTerminals = (plan.spec.mounts ?? []).contains { $0.destination == "/dev/pts" }
        // The multiplexer is that of the container's own terminals.
        for device in additional where !hasTerminals || FilePath(device.path).lexicallyNormalized() != "/dev/ptmx" {
            try add(device, dev: dev)
        }
        try attempt("cannot make the links in /dev") { () throws(Errno) in
            let core = Files.exists("/proc/kcore") ? [("core", "/proc/kcore")] : []
            for (name, target) in Self.links + core {
                do throws(Errno) { try dev.makeSymlink(name, to: target) } catch .fileExists {}
            }
            if hasTerminals {
                do throws(Errno) { try dev.remove("ptmx") } catch .noSuchFileOrDirectory {}
                try dev.makeSymlink("ptmx", to: "pts/ptmx")
            }
        }
    }

    private func add(_ device: LinuxDevice, dev: FileDescriptor) throws(RuntimeError) {
        let type: UInt32
        switch device.type {
        case "c", "u": type = 0o020000
        case "b": type = 0o060000
        case "p": type = 0o010000
        default:
            throw RuntimeError(.invalid, "\"\(device.type)\" is not a type of device (c, b, u or p): \(device.path)")
        }
        let major = UInt32(exactly: device.major ?? 0)
        let minor = UInt32(exactly: device.minor ?? 0)
        guard let major, let minor, device.path.hasPrefix("/"),
            let slash = device.path.lastIndex(of: "/"), device.path.index(after: slash) < device.path.endIndex
        else { throw RuntimeError(.invalid, "invalid device \"\(device.path)\"") }
        let name = String(device.path[device.path.index(after: slash)...])
        let parent = String(device.path[..<slash])
        let directory = parent == "/dev" ? dev : try self.directory(parent)
        defer { if directory != dev { directory.discard() } }
        try add(
            name, in: directory, mode: type | (device.fileMode ?? 0o666) & 0o7777, major: major, minor: minor,
            uid: device.uid ?? 0, gid: device.gid ?? 0, hostPath: device.path)
    }

    private func add(
        _ name: String, in directory: FileDescriptor, mode: UInt32, major: UInt32, minor: UInt32, uid: UInt32 = 0,
        gid: UInt32 = 0, hostPath: String? = nil
    ) throws(RuntimeError) {
        try attempt("cannot make the device \(hostPath ?? "/dev/\(name)") in the container") { () throws(Errno) in
            if plan.hasUserNamespace { return try show(hostPath ?? "/dev/\(name)", as: name, in: directory) }
            do throws(Errno) {
                try directory.makeNode(name, mode: mode, major: major, minor: minor)
            } catch .fileExists {
                // In an image that brings its own /dev.
                return
            } catch .notPermitted {
                // In a user namespace that is not the container's own.
                return try show(hostPath ?? "/dev/\(name)", as: name, in: directory)
            }
            if uid != 0 || gid != 0 { try directory.changeOwner(name, uid: uid, gid: gid) }
        }
    }

    /// Shows the host's device `path`: device files cannot be made in a user namespace.
    private func show(_ path: String, as name: String, in directory: FileDescriptor) throws(Errno) {
        let target = try directory.open(name, [.create, .nonBlocking, .noFollow], mode: 0o666)
        defer { target.discard() }
        let tree = try Mounts.cloneTree(path)
        defer { tree.discard() }
        try Mounts.attach(tree, on: target)
    }
}
