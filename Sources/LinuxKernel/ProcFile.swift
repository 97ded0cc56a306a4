import SystemPackage

/// Files of procfs that confine a process or set the kernel. This type writes only to procfs, and only to the very file
/// that is named, whatever another process of the mount namespace has mounted on `/proc` or on files in it. A label
/// that is written elsewhere does not confine, and a value in the wrong file does harm (CVE-2019-16884,
/// CVE-2025-52881).
package enum ProcFile {
    /// Writes `text` to the file `path` of procfs (such as `self/oom_score_adj`) in one write.
    package static func write(_ text: String, to path: String) throws(Errno) {
        let file = try open(path, .writeOnly)
        defer { file.discard() }
        try file.writeAtOnce(text)
    }

    /// Opens the file `path` of procfs.
    package static func open(_ path: String, _ flags: OpenFlags) throws(Errno) -> FileDescriptor {
        let root = try Files.open("/proc", [.path, .directory])
        defer { root.discard() }
        if try FileSystemType.of(root) == .proc {
            do throws(Errno) {
                return try open(path, flags, in: root)
            } catch .improperLink {
                // Something is mounted on the way.
            }
        }
        let fresh = try Mounts.newFileSystem("proc")
        defer { fresh.discard() }
        return try open(path, flags, in: fresh)
    }

    private static func open(
        _ path: String, _ flags: OpenFlags, in root: FileDescriptor
    ) throws(Errno) -> FileDescriptor {
        try root.open(path, flags, resolve: [.beneath, .noOtherMounts, .noMagicLinks])
    }
}
