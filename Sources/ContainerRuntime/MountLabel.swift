import LinuxKernel

/// The SELinux label of a container's own file systems (`linux.mountLabel`).
enum MountLabel {
    /// Whether this machine has SELinux.
    static var isSupported: Bool { Files.exists("/sys/fs/selinux/enforce") }

    /// Refuses a label that nobody would look at.
    static func check(_ label: String?) throws(RuntimeError) {
        guard let label, !label.isEmpty, !isSupported else { return }
        throw RuntimeError(
            .invalid, "mountLabel \"\(label)\" is specified in config, but selinux is disabled or not supported")
    }

    /// The mount option that gives a new file system of kind `type` the label; `nil` without one.
    ///
    /// Those of the kernel itself have labels of their own, and the files of mqueue get one each.
    static func option(_ label: String?, type: String) -> String? {
        guard let label, !label.isEmpty, !["proc", "sysfs", "mqueue"].contains(type) else { return nil }
        // In quotes, as a label's categories are separated by commas.
        return "context=\"\(label)\""
    }
}
