/// Linux capabilities by Docker's rules.
package enum Capabilities {
    /// What a container has unless it is told otherwise: Docker's set.
    package static let defaults = [
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID",
        "CAP_SETUID",
        "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
    ]

    /// All there are, in the kernel's order of numbers.
    package static let all = [
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
        "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST",
        "CAP_NET_ADMIN",
        "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT",
        "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
        "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
        "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND",
        "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
    ]

    /// The set of a container: `basis` with what was added and without what was dropped. `ALL` among the dropped begins
    /// with nothing, `ALL` among the added with everything.
    package static func effective(
        adding added: [CapabilityName], dropping dropped: [CapabilityName], privileged: Bool
    ) -> [String] {
        if privileged { return all }
        if added.isEmpty, dropped.isEmpty { return defaults }
        let addedSet = Set(added.map(\.description))
        let droppedSet = Set(dropped.map(\.description))
        if addedSet.contains("ALL") { return all.filter { !droppedSet.contains($0) } }
        if droppedSet.contains("ALL") { return all.filter { addedSet.contains($0) } }
        return all.filter { addedSet.contains($0) || defaults.contains($0) && !droppedSet.contains($0) }
    }
}

/// A capability that Linux has (`CAP_NET_ADMIN`), or all of them.
package struct CapabilityName: Hashable, Sendable, Codable, CustomStringConvertible {
    package let description: String

    /// Stands for every capability.
    package static let all = CapabilityName(known: "ALL")

    private init(known: String) { description = known }

    /// nil: Linux has no capability of this name, `CAP_…` in capitals, and it is not `ALL`.
    package init?(_ name: String) {
        guard name == "ALL" || Self.known.contains(name) else { return nil }
        description = name
    }

    private static let known = Set(Capabilities.all)

    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let name = CapabilityName(text) else { throw EngineError.invalid("unknown capability: \"\(text)\"") }
        self = name
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
