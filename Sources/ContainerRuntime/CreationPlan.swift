import Cgroups
import LinuxKernel
import OCISpec
import Resctrl
import SystemPackage

/// A configuration that has been checked, and what follows from it, before anything is done.
///
/// A class, because a copy of all that is in a configuration takes as long as many a system call.
final class CreationPlan {
    let id: String
    let spec: Spec
    let process: Process
    let linux: Linux
    let bundle: FilePath
    /// The root's absolute path on the host.
    let rootfs: FilePath
    let options: CreateOptions
    /// Namespaces the container gets of its own.
    let newNamespaces: Namespaces
    /// Namespaces it joins, and their files.
    let joinedNamespaces: [(kind: Namespaces, path: FilePath)]
    /// `nil` when control groups are not to be used, or not known yet.
    var cgroup: Cgroup?
    /// Detached mounts of those of the root's mounts that the container's process cannot make itself, in their order.
    var rootTrees: [FileDescriptor?] = []
    /// Whether the container gets a group below the caller's own where the caller may make one, and none where not.
    let mayLackCgroup: Bool
    /// Whether the caller is not root, and can do no more than a user namespace allows.
    let isUnprivileged = ProcessAttributes.uid != 0

    /// Its share of caches and memory bandwidth, if that is not everybody's.
    let serviceClass: ServiceClass?
    /// The unit that is to be made for it, if systemd is to do that.
    let unit: UnitPlan?

    /// Whether the container has a user namespace other than the runtime's.
    var hasUserNamespace: Bool { newNamespaces.contains(.user) || joinsUserNamespace }

    /// Whether that is one that exists already.
    var joinsUserNamespace: Bool { joinedNamespaces.contains { $0.kind == .user } }

    /// Whether the container's process makes its network namespace itself. One that belongs to a user namespace is made
    /// together with that.
    var makesOwnNetwork: Bool {
        // Devices can be moved only into a namespace that is there.
        newNamespaces.contains(.network) && !hasUserNamespace && linux.netDevices?.isEmpty != false
    }

    /// Whether the container's process may have to ask for sources of mounts.
    var mayNeedSources: Bool {
        // The runtime could do no more than the process itself.
        !isUnprivileged && (hasUserNamespace || spec.mounts?.contains(where: \.isIDMapped) == true)
    }

    /// Checks everything that can be checked without doing anything.
    init(
        id: String, bundle: FilePath, spec: Spec, options: CreateOptions
    ) throws(RuntimeError) {
        try Self.check(id: id)
        guard bundle.isAbsolute else { throw RuntimeError(.invalid, "the bundle's path \(bundle) is not absolute") }
        guard spec.ociVersion.hasPrefix("1.") else {
            throw RuntimeError(.invalid, "ociVersion \"\(spec.ociVersion)\" is not supported; use 1.x")
        }
        guard let process = spec.process else { throw RuntimeError(.invalid, "process property must not be empty") }
        try Self.check(process)
        guard let root = spec.root, !root.path.isEmpty else {
            throw RuntimeError(.invalid, "root must be specified")
        }
        let linux = spec.linux ?? Linux()
        self.id = id
        self.process = process
        self.linux = linux
        self.bundle = bundle
        self.options = options
        let rootPath = FilePath(root.path)
        rootfs = (rootPath.isAbsolute ? rootPath : bundle.appending(rootPath.components)).lexicallyNormalized()

        var new: Namespaces = []
        var joined: [(Namespaces, FilePath)] = []
        for namespace in linux.namespaces ?? [] {
            let kind = namespace.type.kernelFlag
            guard new.isDisjoint(with: kind), !joined.contains(where: { $0.0 == kind }) else {
                throw RuntimeError(
                    .invalid,
                    "malformed spec file: duplicated ns {\"\(namespace.type.rawValue)\" \"\(namespace.path ?? "")\"}")
            }
            if let path = namespace.path, !path.isEmpty {
                joined.append((kind, FilePath(path)))
            } else {
                new.insert(kind)
            }
        }
        newNamespaces = new
        joinedNamespaces = joined
        if !new.contains(.mount), linux.maskedPaths?.isEmpty == false || linux.readonlyPaths?.isEmpty == false {
            throw RuntimeError(.invalid, "unable to restrict sys entries without a private MNT namespace")
        }
        let joinsUser = joined.contains { $0.0 == .user }
        if joinsUser, linux.uidMappings?.isEmpty == false || linux.gidMappings?.isEmpty == false {
            throw RuntimeError(
                .invalid, "a joined user namespace must not have uidMappings or gidMappings: it has its own")
        }
        if joined.contains(where: { $0.0 == .time }), linux.timeOffsets?.isEmpty == false {
            throw RuntimeError(
                .invalid,
                "time namespace enabled, but both namespace path and time offsets specified -- you may only provide one"
            )
        }
        if new.contains(.user) {
            for (kind, mappings) in [("uid", linux.uidMappings), ("gid", linux.gidMappings)]
            where mappings?.isEmpty ?? true {
                throw RuntimeError(.invalid, "user namespaces enabled, but no \(kind) mappings found")
            }
        }
        if spec.hostname != nil || spec.domainname != nil {
            guard new.contains(.uts) || joined.contains(where: { $0.0 == .uts }) else {
                throw RuntimeError(.invalid, "unable to set hostname without a private UTS namespace")
            }
        }
        serviceClass = try linux.intelRdt.map { (wanted) throws(RuntimeError) in
            try ServiceClass(checking: wanted, id: id)
        }
        try MountLabel.check(linux.mountLabel)
        try NetworkDevices(devices: linux.netDevices ?? [:]).check(
            hasNamespace: new.contains(.network) || joined.contains { $0.0 == .network })
        if isUnprivileged {
            try Rootless.check(
                spec, hasUserNamespace: joinsUser || new.contains(.user), hasNewUserNamespace: new.contains(.user))
        }
        var complete = spec
        for (index, mount) in (spec.mounts ?? []).enumerated() {
            try MountSources.check(mount, hasUserNamespace: joinsUser || new.contains(.user))
            let destination = Self.destination(mount.destination, rootfs: rootfs.string)
            if destination != mount.destination { complete.mounts?[index].destination = destination }
        }
        self.spec = complete
        try Sysctl.check(linux.sysctl ?? [:], newNamespaces: new.union(Namespaces(joined.map(\.0))))
        _ = try SeccompAgent(linux.seccomp)
        _ = try RootFilesystem.propagation(linux.rootfsPropagation ?? "")
        if case .systemd(let isUser) = options.cgroupDriver, !options.withoutCgroup {
            let unit = try UnitPlan(id: id, spec: complete, isUser: isUser)
            self.unit = unit
            cgroup = unit.cgroup
            mayLackCgroup = false
        } else {
            unit = nil
            mayLackCgroup = Self.mayLackCgroup(linux, options)
            cgroup = mayLackCgroup ? nil : try Self.cgroup(id: id, linux: linux, options: options)
        }
    }

    /// `path` as an absolute path in the container. Relative ones are deprecated, but mean the root; some callers put
    /// the root's own path in front; and `..` takes back what is written before it, whether there is such a directory
    /// or not.
    static func destination(_ path: String, rootfs: String) -> String {
        let path = isPlain(path) ? path : FilePath("/" + path).lexicallyNormalized().string
        guard rootfs != "/", path.hasPrefix(rootfs) else { return path }
        let inside = path.dropFirst(rootfs.count)
        return inside.isEmpty ? "/" : inside.hasPrefix("/") ? String(inside) : path
    }

    /// Whether a path is absolute, and there is nothing in it that could be left out.
    private static func isPlain(_ path: String) -> Bool {
        let slash = UInt8(ascii: "/")
        guard path.utf8.first == slash else { return false }
        var previous: UInt8 = 0
        for byte in path.utf8 {
            if previous == slash, byte == slash || byte == UInt8(ascii: ".") { return false }
            previous = byte
        }
        return previous != slash
    }

    private static func mayLackCgroup(_ linux: Linux, _ options: CreateOptions) -> Bool {
        linux.cgroupsPath?.isEmpty ?? true && options.defaultCgroupsPath == nil && !options.withoutCgroup
            && options.rootlessCgroups.isInForce
    }

    private static func cgroup(
        id: String, linux: Linux, options: CreateOptions
    ) throws(RuntimeError) -> Cgroup? {
        if options.withoutCgroup { return nil }
        let path = linux.cgroupsPath.flatMap { $0.isEmpty ? nil : $0 } ?? options.defaultCgroupsPath ?? "/\(id)"
        if path.split(separator: ":", omittingEmptySubsequences: false).count == 3, !path.contains("/") {
            throw RuntimeError(
                .invalid, "the cgroupsPath \"\(path)\" has the form for systemd, but --systemd-cgroup is not set")
        }
        return try withCgroupErrors { () throws(CgroupError) in try Cgroup(path: path, hierarchies: .mounted()) }
    }

    /// The user who will own the control group: the user of the container, if its user namespace, its cgroup namespace
    /// and a writable cgroup file system show that it manages the group. On version 2 only, which can be delegated.
    var cgroupOwner: UInt32? {
        guard let cgroup, cgroup.isUnified, newNamespaces.isSuperset(of: [.user, .cgroup]) else { return nil }
        let isWritable = (spec.mounts ?? []).contains { mount in
            (mount.type == "cgroup" || mount.type == "cgroup2") && mount.destination == "/sys/fs/cgroup"
                && mount.options?.contains("ro") != true
        }
        guard isWritable else { return nil }
        let user = spec.process?.user.uid ?? 0
        for mapping in linux.uidMappings ?? [] where user >= mapping.containerID {
            if user - mapping.containerID < mapping.size { return mapping.hostID + (user - mapping.containerID) }
        }
        return nil
    }

    /// Whether later processes need what only the configuration says: a filter, a personality, a memory policy.
    var execNeedsConfiguration: Bool {
        linux.seccomp != nil || linux.personality != nil || linux.memoryPolicy != nil
    }

    /// Ids become names of directories.
    static func check(id: String) throws(RuntimeError) {
        let allowed = id.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
            case UInt8(ascii: "0")...UInt8(ascii: "9"): true
            default: "_+-.".utf8.contains(byte)
            }
        }
        guard allowed, !id.isEmpty, id.utf8.count <= 255, id != ".", id != ".." else {
            throw RuntimeError(
                .invalid, "invalid container ID format \"\(id)\": letters, digits and _ + - . are allowed")
        }
    }

    /// What a process must have, whether it is the first or a later one.
    static func check(_ process: Process) throws(RuntimeError) {
        guard let first = process.args?.first else { throw RuntimeError(.invalid, "args must not be empty") }
        guard !first.isEmpty else {
            throw RuntimeError(.commandNotFound, "exec: \"\": executable file not found in $PATH")
        }
        guard !process.cwd.isEmpty else { throw RuntimeError(.invalid, "Cwd property must not be empty") }
        guard process.cwd.hasPrefix("/") else { throw RuntimeError(.invalid, "Cwd must be an absolute path") }
        try ProcessEnvironment.check(process.env ?? [])
        for limit in process.rlimits ?? [] where ResourceLimit(name: limit.type) == nil {
            throw RuntimeError(.invalid, "\"\(limit.type)\" is not a resource limit")
        }
        var seen: Set<String> = []
        for limit in process.rlimits ?? [] where !seen.insert(limit.type).inserted {
            throw RuntimeError(.invalid, "the resource limit \(limit.type) occurs twice")
        }
        if let value = process.oomScoreAdj, !(-1000...1000).contains(value) {
            throw RuntimeError(.invalid, "oomScoreAdj \(value) is not between -1000 and 1000")
        }
        for text in (process.args ?? []) + (process.env ?? []) where text.utf8.contains(0) {
            throw RuntimeError(.invalid, "an argument or environment variable contains a null byte")
        }
    }
}

extension LinuxNamespaceType {
    /// The kernel's name for it.
    var kernelFlag: Namespaces {
        switch self {
        case .pid: .pid
        case .network: .network
        case .mount: .mount
        case .ipc: .ipc
        case .uts: .uts
        case .user: .user
        case .cgroup: .cgroup
        case .time: .time
        }
    }
}
