import CLinux
import SystemPackage

/// Kinds of namespaces, as clone(2), setns(2) and unshare(2) take them; namespaces(7).
package struct Namespaces: OptionSet, Hashable, Sendable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Clocks (`CLONE_NEWTIME`).
    package static let time = Namespaces(rawValue: 0x80)
    /// Mounts (`CLONE_NEWNS`).
    package static let mount = Namespaces(rawValue: 0x0002_0000)
    /// The root of control groups (`CLONE_NEWCGROUP`).
    package static let cgroup = Namespaces(rawValue: 0x0200_0000)
    /// Host and domain name (`CLONE_NEWUTS`).
    package static let uts = Namespaces(rawValue: 0x0400_0000)
    /// System V IPC and POSIX message queues (`CLONE_NEWIPC`).
    package static let ipc = Namespaces(rawValue: 0x0800_0000)
    /// User and group ids, capabilities (`CLONE_NEWUSER`).
    package static let user = Namespaces(rawValue: 0x1000_0000)
    /// Process ids (`CLONE_NEWPID`).
    package static let pid = Namespaces(rawValue: 0x2000_0000)
    /// Interfaces, addresses, firewall (`CLONE_NEWNET`).
    package static let network = Namespaces(rawValue: 0x4000_0000)

    /// Moves this process into new namespaces (for `pid` and `time`: its later children).
    package func unshare() throws(Errno) {
        try checked(masu_unshare(CInt(truncatingIfNeeded: rawValue)))
    }

    /// Moves this process into the namespaces that `descriptor` names: one of them (a file of `/proc/<pid>/ns`), or
    /// several at once through a pidfd (Linux 5.8).
    package func enter(_ descriptor: FileDescriptor) throws(Errno) {
        try checked(masu_setns(descriptor.rawValue, CInt(truncatingIfNeeded: rawValue)))
    }
}
