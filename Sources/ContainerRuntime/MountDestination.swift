import LinuxKernel
import SystemPackage

/// The rules for where something may be mounted.
///
/// Not on the container's root: its first process would stay below, and what is executed later be above. And of procfs
/// only on a few files: what is masked and protected is files of procfs, and so are those through which a process is
/// confined. Something else in their place would defeat it (CVE-2019-16884, CVE-2019-19921, CVE-2025-52881).
struct MountDestination {
    /// The container's root.
    let root: FileDescriptor
    /// The destination as the configuration names it.
    let path: String

    /// Files of procfs that other programs (lxcfs) may stand in for.
    private static let replaceable: Set = [
        "cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg", "slabinfo", "net/dev",
        "sys/kernel/ns_last_pid", "sys/crypto/fips_enabled",
    ]

    /// Refuses what can be told from the name alone, before anything is made there.
    func checkName() throws(RuntimeError) {
        let named = FilePath(path).lexicallyNormalized().components.map(\.string)
        if named.first == "proc", named.count > 1 { try check(named.dropFirst(), isProc: false) }
    }

    /// Refuses a mount on `target`, which is where `path` leads.
    ///
    /// By its name and by where it really is: a link in the image may lead there from anywhere, and from there
    /// anywhere.
    ///
    /// - Parameter isProc: Whether it is procfs that is to be mounted.
    func check(_ target: FileDescriptor, isProc: Bool) throws(RuntimeError) {
        try refuseRoot(target)
        let named = FilePath(path).lexicallyNormalized().components.map(\.string)
        let isNamedProc = named.first == "proc"
        if isNamedProc { try check(named.dropFirst(), isProc: isProc) }
        let type = try attempt("cannot look at \"\(path)\" in the container") { () throws(Errno) in
            try FileSystemType.of(target)
        }
        guard isNamedProc || type == .proc else { return }
        let (base, place) = try attempt("cannot look at \"\(path)\" in the container") { () throws(Errno) in
            (try Self.path(of: root), try Self.path(of: target))
        }
        // Where the kernel says it is; other instances of procfs are the configuration's own affair.
        guard place.starts(with: base), place.dropFirst(base.count).first == "proc" else {
            if isNamedProc {
                throw RuntimeError(.invalid, "\"\(path)\" must be mounted on ordinary directory")
            }
            return
        }
        var inside = place.dropFirst(base.count + 1)
        // A process's own is what is seen as that of the container.
        if inside.count == 3, inside.first?.utf8.allSatisfy({ (0x30...0x39).contains($0) }) == true,
            inside.dropFirst().first == "net"
        {
            inside = inside.dropFirst()
        }
        try check(inside, isProc: isProc)
    }

    private func refuseRoot(_ target: FileDescriptor) throws(RuntimeError) {
        let isRoot = try attempt("cannot look at \"\(path)\" in the container") { () throws(Errno) in
            let (found, own) = (try FileStatus.of(target), try FileStatus.of(root))
            guard found.inode == own.inode, found.device == own.device else { return false }
            // Bound to another place, the same directory is no longer the root.
            return try Self.path(of: target) == Self.path(of: root)
        }
        if isRoot { throw RuntimeError(.invalid, "mountpoint \"\(path)\" is on the top of rootfs") }
    }

    private func check(_ inside: ArraySlice<String>, isProc: Bool) throws(RuntimeError) {
        if inside.isEmpty {
            if isProc { return }
            throw RuntimeError(.invalid, "\"\(path)\" cannot be mounted because it is not of type proc")
        }
        if !Self.replaceable.contains(inside.joined(separator: "/")) {
            throw RuntimeError(.invalid, "\"\(path)\" cannot be mounted because it is inside /proc")
        }
    }

    /// Where it is in this process's file tree.
    private static func path(of descriptor: FileDescriptor) throws(Errno) -> [String] {
        let link = descriptor.procPath
        let text = try FileDescriptor.workingDirectory.readSymlink(link.string)
        return FilePath(text).components.map(\.string)
    }
}
