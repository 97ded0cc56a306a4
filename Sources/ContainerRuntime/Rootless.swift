import LinuxKernel
import OCISpec
import SystemPackage

/// How errors of permission are taken when control groups are made.
package enum RootlessCgroups: String, Hashable, Sendable {
    /// As `no` for root of the host, as `yes` for other users.
    case automatic = "auto"
    /// A container that names no control group goes without where none can be made.
    case yes = "true"
    /// They are errors.
    case no = "false"

    /// Whether a container may go without.
    package var isInForce: Bool {
        switch self {
        case .automatic: ProcessAttributes.uid != 0 || UserNamespace.isNested
        case .yes: true
        case .no: false
        }
    }
}

/// What is different where the caller is not root, and so can make containers in user namespaces only.
enum Rootless {
    /// Refuses what such a caller cannot have.
    ///
    /// - Parameter hasNewUserNamespace: whether the container has one that does not exist yet.
    static func check(
        _ spec: Spec, hasUserNamespace: Bool, hasNewUserNamespace: Bool
    ) throws(RuntimeError) {
        guard hasUserNamespace else { throw RuntimeError(.invalid, "rootless container requires user namespaces") }
        let uids = spec.linux?.uidMappings ?? []
        let gids = spec.linux?.gidMappings ?? []
        for (kind, mappings) in [("UID", uids), ("GID", gids)] where hasNewUserNamespace && mappings.isEmpty {
            throw RuntimeError(.invalid, "rootless containers requires at least one \(kind) mapping")
        }
        if spec.linux?.netDevices?.isEmpty == false {
            throw RuntimeError(.invalid, "network devices are not supported for rootless containers")
        }
        if let process = spec.process { try check(process) }
        for mount in spec.mounts ?? [] {
            if mount.isIDMapped {
                throw RuntimeError(.invalid, "id-mapped mounts are not supported for rootless containers")
            }
            guard hasNewUserNamespace else { continue }
            for option in mount.options ?? [] { try check(option, uids: uids, gids: gids) }
        }
    }

    /// Refuses what a process cannot be given by such a caller.
    static func check(_ process: Process) throws(RuntimeError) {
        guard process.user.additionalGids?.isEmpty ?? true else {
            throw RuntimeError(.invalid, "cannot set any additional groups in a rootless container")
        }
    }

    private static func check(_ option: String, uids: [LinuxIDMapping], gids: [LinuxIDMapping]) throws(RuntimeError) {
        for (kind, mappings) in [("uid", uids), ("gid", gids)] where option.hasPrefix("\(kind)=") {
            guard let id = UInt32(option.dropFirst(4)),
                !mappings.contains(where: { id >= $0.containerID && id - $0.containerID < $0.size })
            else { continue }
            throw RuntimeError(
                .invalid,
                "cannot specify \(option) mount option for rootless container: user namespaces enabled, but no mapping "
                    + "found for \(kind) \(id)"
            )
        }
    }
}

/// This process's user namespace.
enum UserNamespace {
    /// The inode of the machine's first one, which the kernel never changes.
    private static let firstInode: UInt64 = 0xefff_fffd

    /// Whether it is another one than the machine's first, so that root is root of it only.
    static var isNested: Bool {
        // Without procfs nothing is known, and nothing else will work either.
        if let status = try? FileStatus.of("/proc/self/ns/user"), status.inode == firstInode { return false }
        guard let map = try? Files.readText("/proc/self/uid_map") else { return false }  // As above.
        return map.split(whereSeparator: { $0 == " " || $0 == "\n" }) != ["0", "0", "4294967295"]
    }
}
