import CLinux
import SystemPackage

/// Flags of mount(2).
package struct MountFlags: OptionSet, Hashable, Sendable {
    package let rawValue: UInt
    package init(rawValue: UInt) { self.rawValue = rawValue }

    /// Nothing can be written (`ro`).
    package static let readOnly = MountFlags(rawValue: 1)
    /// Set-uid and set-gid bits and file capabilities have no effect (`nosuid`).
    package static let noSetUserID = MountFlags(rawValue: 2)
    /// Device files cannot be opened (`nodev`).
    package static let noDevices = MountFlags(rawValue: 4)
    /// Programs cannot be executed (`noexec`).
    package static let noExecute = MountFlags(rawValue: 8)
    /// Every write is on disk before it returns (`sync`).
    package static let synchronous = MountFlags(rawValue: 16)
    /// Changes a mount that is there.
    package static let remount = MountFlags(rawValue: 32)
    /// `mand`; the kernel ignores it since 5.15.
    package static let mandatoryLocking = MountFlags(rawValue: 64)
    /// Changes of directories are on disk before they return (`dirsync`).
    package static let synchronousDirectories = MountFlags(rawValue: 128)
    /// Symbolic links are not followed (`nosymfollow`).
    package static let noSymbolicLinks = MountFlags(rawValue: 256)
    /// Reading changes no access time (`noatime`).
    package static let noAccessTime = MountFlags(rawValue: 1024)
    /// Reading a directory changes no access time (`nodiratime`).
    package static let noDirectoryAccessTime = MountFlags(rawValue: 2048)
    /// The source is a directory or file that is there already.
    package static let bind = MountFlags(rawValue: 4096)
    /// Moves a mount.
    package static let move = MountFlags(rawValue: 8192)
    /// With `bind` and propagation: mounts below as well (`MS_REC`).
    package static let recursive = MountFlags(rawValue: 16384)
    /// The kernel logs no warnings.
    package static let silent = MountFlags(rawValue: 32768)
    /// Propagation: like `private`, and it cannot be the source of a bind mount.
    package static let unbindable = MountFlags(rawValue: 1 << 17)
    /// Propagation: mounts made here and elsewhere do not reach each other.
    package static let `private` = MountFlags(rawValue: 1 << 18)
    /// Propagation: mounts made at the other side appear here, not the other way round.
    package static let slave = MountFlags(rawValue: 1 << 19)
    /// Propagation: mounts appear at both sides.
    package static let shared = MountFlags(rawValue: 1 << 20)
    /// The access time changes once a day or after a write (`relatime`).
    package static let relativeAccessTime = MountFlags(rawValue: 1 << 21)
    /// `iversion`: the file system counts changes of files.
    package static let inodeVersion = MountFlags(rawValue: 1 << 23)
    /// Every read changes the access time (`strictatime`).
    package static let strictAccessTime = MountFlags(rawValue: 1 << 24)
    /// Times are written to disk late (`lazytime`).
    package static let lazyTime = MountFlags(rawValue: 1 << 25)

    /// The four that set how mounts propagate.
    package static let propagation: MountFlags = [.unbindable, .private, .slave, .shared]
}

/// Attributes of a mount as mount_setattr(2) takes them.
package struct MountAttributes: OptionSet, Hashable, Sendable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Nothing can be written (`ro`).
    package static let readOnly = MountAttributes(rawValue: 1)
    /// Set-uid and set-gid bits and file capabilities have no effect (`nosuid`).
    package static let noSetUserID = MountAttributes(rawValue: 2)
    /// Device files cannot be opened (`nodev`).
    package static let noDevices = MountAttributes(rawValue: 4)
    /// Programs cannot be executed (`noexec`).
    package static let noExecute = MountAttributes(rawValue: 8)
    /// All the bits that say when access times are written; to be cleared whenever one of them is set.
    package static let accessTimeMask = MountAttributes(rawValue: 0x70)
    /// Reading changes no access time (`noatime`).
    package static let noAccessTime = MountAttributes(rawValue: 0x10)
    /// Every read changes the access time (`strictatime`).
    package static let strictAccessTime = MountAttributes(rawValue: 0x20)
    /// Reading a directory changes no access time (`nodiratime`).
    package static let noDirectoryAccessTime = MountAttributes(rawValue: 0x80)
    /// `MOUNT_ATTR_IDMAP`.
    package static let idMapped = MountAttributes(rawValue: 0x100000)
    /// Symbolic links are not followed (`nosymfollow`).
    package static let noSymbolicLinks = MountAttributes(rawValue: 0x200000)
}

/// Mounting, by mount(2) and by the calls of Linux 5.2 to 5.12 that work on descriptors.
package enum Mounts {
    /// mount(2).
    package static func mount(
        _ source: String?, on target: FilePath, type: String? = nil, flags: MountFlags = [], data: String? = nil
    ) throws(Errno) {
        let result = target.withPlatformString { target in
            withOptionalCString(source) { source in
                withOptionalCString(type) { type in
                    withOptionalCString(data) { data in masu_mount(source, target, type, flags.rawValue, data) }
                }
            }
        }
        try checked(result)
    }

    /// umount2(2). `lazily` takes it out of the tree now and lets go of it when it is no longer used.
    package static func unmount(_ target: FilePath, lazily: Bool = false) throws(Errno) {
        try checked(target.withPlatformString { masu_umount2($0, lazily ? CInt(MNT_DETACH) : 0) })
    }

    /// pivot_root(2).
    package static func pivotRoot(to root: FilePath, oldRoot: FilePath) throws(Errno) {
        let result = root.withPlatformString { root in oldRoot.withPlatformString { masu_pivot_root(root, $0) } }
        try checked(result)
    }

    /// open_tree(2) with `OPEN_TREE_CLONE`: a detached copy of the mount at `path` below `directory` (an empty path is
    /// the directory or file itself), of all below it if `recursive`. Close-on-exec.
    package static func cloneTree(
        at directory: FileDescriptor = .workingDirectory, _ path: String = "", recursive: Bool = false,
        followingSymlinks: Bool = true
    ) throws(Errno) -> FileDescriptor {
        var flags = CInt(OPEN_TREE_CLONE) | CInt(OPEN_TREE_CLOEXEC)
        if recursive { flags |= AT_RECURSIVE }
        if path.isEmpty { flags |= AT_EMPTY_PATH }
        if !followingSymlinks { flags |= AT_SYMLINK_NOFOLLOW }
        return try descriptor(path.withCString { masu_open_tree(directory.rawValue, $0, UInt32(flags)) })
    }

    /// move_mount(2): attaches the detached mount `tree` on what `target` refers to.
    package static func attach(_ tree: FileDescriptor, on target: FileDescriptor) throws(Errno) {
        try checked(
            masu_move_mount(
                tree.rawValue, "", target.rawValue, "", UInt32(MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH)))
    }

    /// mount_setattr(2) on the mount that `mount` refers to.
    ///
    /// - Parameter propagation: One of `private`, `slave`, `shared` and `unbindable`, or nothing for no change.
    package static func setAttributes(
        of mount: FileDescriptor, set: MountAttributes = [], clear: MountAttributes = [], propagation: MountFlags = [],
        userNamespace: FileDescriptor? = nil, recursive: Bool = false
    ) throws(Errno) {
        var attributes = masu_mount_attr(
            set: set.rawValue, clear: clear.rawValue, propagation: UInt64(propagation.rawValue), userns_fd: 0)
        if let userNamespace {
            attributes.set |= MountAttributes.idMapped.rawValue
            attributes.userns_fd = UInt64(userNamespace.rawValue)
        }
        let flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0)
        try checked(masu_mount_setattr(mount.rawValue, "", UInt32(flags), &attributes))
    }

    /// fstatfs(2): the flags of the mount that `descriptor` is on, as far as it is the mount that has them.
    package static func flags(of descriptor: FileDescriptor) throws(Errno) -> MountFlags {
        let bits = UInt(try checked(masu_fstatfs_flags(descriptor.rawValue)))
        // The lower ones are those of mount(2).
        let common: MountFlags = [
            .readOnly, .noSetUserID, .noDevices, .noExecute, .noAccessTime, .noDirectoryAccessTime,
        ]
        var flags = MountFlags(rawValue: bits).intersection(common)
        if bits & UInt(MASU_ST_RELATIME) != 0 { flags.insert(.relativeAccessTime) }
        if bits & UInt(MASU_ST_NOSYMFOLLOW) != 0 { flags.insert(.noSymbolicLinks) }
        return flags
    }

    /// fsopen(2), fsconfig(2) for each option and fsmount(2): a detached mount of a new file system.
    ///
    /// - Parameter options: Keys with values, or without for flags.
    package static func newFileSystem(
        _ type: String, source: String? = nil, options: [(key: String, value: String?)] = [],
        attributes: MountAttributes = []
    ) throws(Errno) -> FileDescriptor {
        let context = try newContext(type)
        defer { context.discard() }
        if let source {
            try checked(
                source.withCString {
                    masu_fsconfig(context.rawValue, UInt32(MASU_FSCONFIG_SET_STRING), "source", $0, 0)
                })
        }
        for (key, value) in options {
            let command = UInt32(value == nil ? MASU_FSCONFIG_SET_FLAG : MASU_FSCONFIG_SET_STRING)
            let result = key.withCString { key in
                withOptionalCString(value) { masu_fsconfig(context.rawValue, command, key, $0, 0) }
            }
            try checked(result)
        }
        try checked(masu_fsconfig(context.rawValue, UInt32(MASU_FSCONFIG_CMD_CREATE), nil, nil, 0))
        return try descriptor(masu_fsmount(context.rawValue, UInt32(FSMOUNT_CLOEXEC), UInt32(attributes.rawValue)))
    }

    /// fsopen(2). `ENODEV` where the kernel has no such file system.
    static func newContext(_ type: String) throws(Errno) -> FileDescriptor {
        try descriptor(type.withCString { masu_fsopen($0, UInt32(FSOPEN_CLOEXEC)) })
    }

    private static func withOptionalCString<Result>(
        _ string: String?, _ body: (UnsafePointer<CChar>?) -> Result
    ) -> Result {
        guard let string else { return body(nil) }
        return string.withCString(body)
    }
}

/// What statfs(2) says a file system is.
package struct FileSystemType: RawRepresentable, Hashable, Sendable {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }

    /// Control groups, version 1.
    package static let cgroup = FileSystemType(rawValue: 0x27e0eb)
    /// Control groups, version 2.
    package static let cgroup2 = FileSystemType(rawValue: 0x6367_7270)
    /// Files in memory.
    package static let tmpfs = FileSystemType(rawValue: 0x0102_1994)
    /// Namespaces, each of which is a file.
    package static let namespaces = FileSystemType(rawValue: 0x6e73_6673)
    /// procfs.
    package static let proc = FileSystemType(rawValue: 0x9fa0)
    /// Files in memory, without a limit.
    package static let ramfs = FileSystemType(rawValue: 0x8584_58f6)
    /// Pseudo terminals.
    package static let devpts = FileSystemType(rawValue: 0x1cd1)
    /// Shares of caches and memory bandwidth.
    package static let resctrl = FileSystemType(rawValue: 0x0765_5821)
    /// overlayfs.
    package static let overlay = FileSystemType(rawValue: 0x794c_7630)
    /// btrfs.
    package static let btrfs = FileSystemType(rawValue: 0x9123_683e)
    /// ext2, ext3 and ext4, which share a number.
    package static let ext = FileSystemType(rawValue: 0xef53)
    /// xfs.
    package static let xfs = FileSystemType(rawValue: 0x5846_5342)
    /// erofs.
    package static let erofs = FileSystemType(rawValue: 0xe0f5_e1e2)

    /// The type of the file system that holds `path`.
    package static func of(_ path: FilePath) throws(Errno) -> FileSystemType {
        FileSystemType(rawValue: try checked(path.withPlatformString { masu_statfs_type($0) }))
    }

    /// The type of the file system that holds what `descriptor` refers to.
    package static func of(_ descriptor: FileDescriptor) throws(Errno) -> FileSystemType {
        FileSystemType(rawValue: try checked(masu_fstatfs_type(descriptor.rawValue)))
    }
}
