import LinuxKernel
import SystemPackage

/// What the options of a bind mount make of the attributes of its source, which is what `mount --bind -o remount,…`
/// does: once any is named, those that are not named are cleared. Only the times of access stay as they are, unless
/// they are set.
struct BindAttributes {
    private let options: MountOptions

    init(_ options: MountOptions) {
        self.options = options
    }

    private static let flags: [(flag: MountFlags, attribute: MountAttributes)] = [
        (.readOnly, .readOnly), (.noSetUserID, .noSetUserID), (.noDevices, .noDevices), (.noExecute, .noExecute),
        (.noSymbolicLinks, .noSymbolicLinks),
    ]

    private static let accessTimes: MountFlags = [
        .noAccessTime, .noDirectoryAccessTime, .relativeAccessTime, .strictAccessTime,
    ]

    /// What cannot be cleared in a user namespace on a mount that came from outside.
    private static let lockable: MountFlags = [
        .readOnly, .noSetUserID, .noDevices, .noExecute, .noAccessTime, .noDirectoryAccessTime, .relativeAccessTime,
    ]

    /// Whether there is anything to be changed.
    var isEmpty: Bool {
        options.flags.subtracting([.bind, .recursive, .remount]).isEmpty && options.clearedFlags.isEmpty
    }

    /// Changes the detached mount `tree`.
    func apply(to tree: FileDescriptor) throws(RuntimeError) {
        if isEmpty { return }
        do throws(Errno) {
            let change = Self.change(for: options.flags)
            return try Mounts.setAttributes(of: tree, set: change.set, clear: change.clear)
        } catch  where error != .notPermitted {
            throw RuntimeError(.system, Self.failure("\(error.words)"))
        } catch {
            // The source has attributes that only the user namespace that set them may clear.
        }
        let locked = try attempt(Self.failure("reading those of the source")) { () throws(Errno) in
            try Mounts.flags(of: tree)
        }.intersection(Self.lockable)
        if !options.clearedFlags.intersection(locked).isEmpty {
            throw RuntimeError(.invalid, Self.failure("cannot clear locked flags: operation not permitted"))
        }
        let times = options.flags.intersection(Self.accessTimes)
        if !times.isEmpty, times.subtracting(.strictAccessTime) != locked.intersection(Self.accessTimes) {
            throw RuntimeError(
                .invalid, Self.failure("cannot change locked atime flags: operation not permitted"))
        }
        try attempt(Self.failure("with those of the source")) { () throws(Errno) in
            let change = Self.change(for: options.flags.union(locked.subtracting(Self.accessTimes)))
            // Those of access times are either the same or not asked for.
            try Mounts.setAttributes(
                of: tree, set: change.set.subtracting(Self.timeAttributes),
                clear: change.clear.subtracting(Self.timeAttributes))
        }
    }

    private static let timeAttributes = MountAttributes.accessTimeMask.union(.noDirectoryAccessTime)

    private static func change(for flags: MountFlags) -> MountOptions.Change {
        var change = MountOptions.Change()
        for (flag, attribute) in Self.flags {
            if flags.contains(flag) { change.set.insert(attribute) } else { change.clear.insert(attribute) }
        }
        guard !flags.isDisjoint(with: accessTimes) else { return change }
        change.clear.formUnion(timeAttributes)
        if flags.contains(.noDirectoryAccessTime) { change.set.insert(.noDirectoryAccessTime) }
        // Neither of the two is `relatime`.
        if flags.contains(.noAccessTime) {
            change.set.insert(.noAccessTime)
        } else if flags.contains(.strictAccessTime) {
            change.set.insert(.strictAccessTime)
        }
        return change
    }

    private static func failure(_ reason: String) -> String {
        "failed to set user-requested vfs flags on bind-mount: \(reason)"
    }
}
