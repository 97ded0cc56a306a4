import LinuxKernel
import SystemPackage

extension Cgroup {
    /// Gives a group of version 2 to the user `owner`, who may then make groups in it and move processes between them,
    /// but not change its limits: cgroups(7), "Delegating a hierarchy"; `config-linux.md`, "Cgroup ownership".
    package func delegate(to owner: UInt32) throws(CgroupError) {
        guard isUnified, let path = directories.first else { return }
        var names = ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"]
        // Which files are for the delegate only, the kernel says since Linux 4.15.
        if let list = try? Files.readText("/sys/kernel/cgroup/delegate") {
            names = list.split(separator: "\n").map(String.init)
        }
        do throws(Errno) {
            let directory = try Files.open(path, [.readOnly, .directory])
            defer { directory.discard() }
            try directory.changeOwner(uid: owner, gid: .max)
            for name in names {
                do {
                    try directory.changeOwner(name, uid: owner, gid: .max)
                } catch .noSuchFileOrDirectory {
                    // Of a controller that is not there.
                }
            }
        } catch {
            throw CgroupError("cannot give the control group \(path) to user \(owner)", error)
        }
    }
}
