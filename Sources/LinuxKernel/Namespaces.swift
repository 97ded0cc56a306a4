import CLinux
import SystemPackage

/// Kinds of namespaces, as clone(2), setns(2) and unshare(2) take them; namespaces(7).
package struct Namespaces: OptionSet, Hashable, Sendable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }

    package static let time = Namespaces(rawValue: 0x80)
    package static let mount = Namespaces(rawValue: 0x0002_0000)
    package static let cgroup = Namespaces(rawValue: 0x0200_0000)
    package static let uts = Namespaces(rawValue: 0x0400_0000)
    package static let ipc = Namespaces(rawValue: 0x0800_0000)
    package static let user = Namespaces(rawValue: 0x1000_0000)
    package static let pid = Namespaces(rawValue: 0x2000_0000)
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
