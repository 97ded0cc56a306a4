import CLinux
import Glibc
import SystemPackage

/// Capability sets; capabilities(7).
package struct CapabilitySet: OptionSet, Hashable, Sendable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Names in the order of their numbers.
    package static let names = [
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
        "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST",
        "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO",
        "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE",
        "CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE",
        "CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
        "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
    ]

    /// CAP_SYS_ADMIN.
    package static let systemAdministration = CapabilitySet(rawValue: 1 << 21)

    /// The set with the capability called `name` (as in `names`) alone; `nil` if there is none of this name.
    package init?(name: String) {
        guard let index = Self.names.firstIndex(of: name) else { return nil }
        self.init(rawValue: 1 << UInt64(index))
    }

    /// The names of the members.
    package var memberNames: [String] {
        Self.names.enumerated().filter { rawValue & 1 << UInt64($0.offset) != 0 }.map(\.element)
    }
}

/// A process's user, groups and capabilities.
package enum Credentials {
    /// This thread's effective, permitted and inheritable sets.
    package static func capabilities() throws(Errno) -> (
        effective: CapabilitySet, permitted: CapabilitySet, inheritable: CapabilitySet
    ) {
        var sets: (UInt64, UInt64, UInt64) = (0, 0, 0)
        try checked(masu_capget(&sets.0, &sets.1, &sets.2))
        return (CapabilitySet(rawValue: sets.0), CapabilitySet(rawValue: sets.1), CapabilitySet(rawValue: sets.2))
    }

    /// capset(2).
    package static func setCapabilities(
        effective: CapabilitySet, permitted: CapabilitySet, inheritable: CapabilitySet
    ) throws(Errno) {
        try checked(masu_capset(effective.rawValue, permitted.rawValue, inheritable.rawValue))
    }

    /// Takes from the bounding set all that is not in `kept`.
    package static func limitBoundingSet(to kept: CapabilitySet) throws(Errno) {
        for number in 0..<64 where kept.rawValue & 1 << UInt64(number) == 0 {
            do {
                try checked(masu_prctl(PR_CAPBSET_DROP, UInt(number), 0, 0, 0))
            } catch .invalidArgument {
                // Past the last capability this kernel knows.
                return
            }
        }
    }

    /// Clears the ambient set and raises the members of `set` in it.
    package static func setAmbient(_ set: CapabilitySet) throws(Errno) {
        try checked(masu_prctl(PR_CAP_AMBIENT, UInt(PR_CAP_AMBIENT_CLEAR_ALL), 0, 0, 0))
        for number in 0..<64 where set.rawValue & 1 << UInt64(number) != 0 {
            try checked(masu_prctl(PR_CAP_AMBIENT, UInt(PR_CAP_AMBIENT_RAISE), UInt(number), 0, 0))
        }
    }

    /// Whether permitted capabilities outlive a change of user id (`PR_SET_KEEPCAPS`).
    package static func setKeepCapabilities(_ keep: Bool) throws(Errno) {
        try checked(masu_prctl(PR_SET_KEEPCAPS, keep ? 1 : 0, 0, 0, 0))
    }

    /// setgroups(2).
    package static func setSupplementaryGroups(_ groups: [UInt32]) throws(Errno) {
        try checked(groups.withUnsafeBufferPointer { masu_setgroups($0.count, $0.baseAddress) })
    }

    /// setresgid(2), all three.
    package static func setGroup(_ gid: UInt32) throws(Errno) {
        try checked(masu_setresgid(gid))
    }

    /// setresuid(2), all three.
    package static func setUser(_ uid: UInt32) throws(Errno) {
        try checked(masu_setresuid(uid))
    }
}

/// A resource limit (getrlimit(2)).
package enum ResourceLimit: Int32, Hashable, Sendable, CaseIterable {
    case cpu, fsize, data, stack, core, rss, nproc, nofile, memlock, `as`, locks, sigpending, msgqueue, nice, rtprio,
        rttime

    /// The one called `name`, such as `RLIMIT_NOFILE`.
    package init?(name: String) {
        let names = [
            "CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS", "LOCKS", "SIGPENDING",
            "MSGQUEUE", "NICE", "RTPRIO", "RTTIME",
        ]
        guard name.hasPrefix("RLIMIT_"), let index = names.firstIndex(of: String(name.dropFirst(7))) else { return nil }
        self.init(rawValue: Int32(index))
    }

    /// prlimit(2): sets the limit of process `pid` (0: this one).
    package func set(soft: UInt64, hard: UInt64, pid: Int32 = 0) throws(Errno) {
        var limit = rlimit(rlim_cur: rlim_t(soft), rlim_max: rlim_t(hard))
        try checked(masu_prlimit(pid, rawValue, &limit, nil))
    }

    /// The limit of this process.
    package func get() throws(Errno) -> (soft: UInt64, hard: UInt64) {
        var limit = rlimit()
        try checked(masu_prlimit(0, rawValue, nil, &limit))
        return (UInt64(limit.rlim_cur), UInt64(limit.rlim_max))
    }
}
