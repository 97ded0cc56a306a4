import LinuxKernel

/// The options of a mount, taken apart (`config.md`, "Linux mount options").
struct MountOptions: Hashable, Sendable {
    /// For a new file system: flags of mount(2).
    var flags: MountFlags = []
    /// Flags that an option names in order to clear them.
    var clearedFlags: MountFlags = []
    /// For a bind mount: what is set and cleared on the mount itself.
    var attributes = Change()
    /// The same for everything below it too (`rro` and its sisters).
    var recursiveAttributes = Change()
    /// How mounts spread; applied in this order.
    var propagation: [MountFlags] = []
    /// `bind` or `rbind`.
    var isBind: Bool { flags.contains(.bind) }
    /// What only the file system understands.
    var data: [String] = []
    /// Copy what the mount will hide into it (tmpfs).
    var copiesUp = false
    /// Map ids for everything below too (`ridmap`).
    var isRecursivelyIDMapped = false

    struct Change: Hashable, Sendable {
        var set: MountAttributes = []
        var clear: MountAttributes = []

        var isEmpty: Bool { `set`.isEmpty && clear.isEmpty }

        mutating func add(_ change: Change) {
            set.subtract(change.clear)
            clear.subtract(change.set)
            set.formUnion(change.set)
            clear.formUnion(change.clear)
        }
    }

    init(_ options: [String]) {
        for option in options { add(option) }
    }

    private mutating func add(_ option: String) {
        if let (flag, isOn) = Self.flagOption(option) {
            if isOn {
                flags.formUnion(flag)
                clearedFlags.subtract(flag)
            } else {
                flags.subtract(flag)
                clearedFlags.formUnion(flag)
            }
        }
        if let change = Self.attributeOption(option) {
            attributes.add(change)
            return
        }
        if option.hasPrefix("r"), let change = Self.attributeOption(String(option.dropFirst())) {
            recursiveAttributes.add(change)
            return
        }
        if Self.flagOption(option) != nil { return }
        switch option {
        case "defaults", "acl", "noacl", "": break
        case "private": propagation.append(.private)
        case "rprivate": propagation.append([.private, .recursive])
        case "slave": propagation.append(.slave)
        case "rslave": propagation.append([.slave, .recursive])
        case "shared": propagation.append(.shared)
        case "rshared": propagation.append([.shared, .recursive])
        case "unbindable": propagation.append(.unbindable)
        case "runbindable": propagation.append([.unbindable, .recursive])
        case "tmpcopyup": copiesUp = true
        case "idmap": break
        case "ridmap": isRecursivelyIDMapped = true
        default: data.append(option)
        }
    }

    /// Options that are flags of mount(2), and whether they set or clear them.
    private static func flagOption(_ option: String) -> (MountFlags, Bool)? {
        switch option {
        case "ro": (.readOnly, true)
        case "rw": (.readOnly, false)
        case "nosuid": (.noSetUserID, true)
        case "suid": (.noSetUserID, false)
        case "nodev": (.noDevices, true)
        case "dev": (.noDevices, false)
        case "noexec": (.noExecute, true)
        case "exec": (.noExecute, false)
        case "sync": (.synchronous, true)
        case "async": (.synchronous, false)
        case "dirsync": (.synchronousDirectories, true)
        case "remount": (.remount, true)
        case "mand": (.mandatoryLocking, true)
        case "nomand": (.mandatoryLocking, false)
        case "noatime": (.noAccessTime, true)
        case "atime": (.noAccessTime, false)
        case "nodiratime": (.noDirectoryAccessTime, true)
        case "diratime": (.noDirectoryAccessTime, false)
        case "relatime": (.relativeAccessTime, true)
        case "norelatime": (.relativeAccessTime, false)
        case "strictatime": (.strictAccessTime, true)
        case "nostrictatime": (.strictAccessTime, false)
        case "nosymfollow": (.noSymbolicLinks, true)
        case "symfollow": (.noSymbolicLinks, false)
        case "lazytime": (.lazyTime, true)
        case "nolazytime": (.lazyTime, false)
        case "iversion": (.inodeVersion, true)
        case "noiversion": (.inodeVersion, false)
        case "silent": (.silent, true)
        case "loud": (.silent, false)
        case "bind": (.bind, true)
        case "rbind": ([.bind, .recursive], true)
        default: nil
        }
    }

    /// Options that are attributes of a mount.
    private static func attributeOption(_ option: String) -> Change? {
        switch option {
        case "ro": Change(set: .readOnly)
        case "rw": Change(clear: .readOnly)
        case "nosuid": Change(set: .noSetUserID)
        case "suid": Change(clear: .noSetUserID)
        case "nodev": Change(set: .noDevices)
        case "dev": Change(clear: .noDevices)
        case "noexec": Change(set: .noExecute)
        case "exec": Change(clear: .noExecute)
        case "nodiratime": Change(set: .noDirectoryAccessTime)
        case "diratime": Change(clear: .noDirectoryAccessTime)
        case "nosymfollow": Change(set: .noSymbolicLinks)
        case "symfollow": Change(clear: .noSymbolicLinks)
        // One field of several bits, which is cleared before it is set; `relatime` is its zero.
        case "noatime": Change(set: .noAccessTime, clear: .accessTimeMask)
        case "strictatime": Change(set: .strictAccessTime, clear: .accessTimeMask)
        case "relatime", "atime", "norelatime", "nostrictatime": Change(clear: .accessTimeMask)
        default: nil
        }
    }
}
