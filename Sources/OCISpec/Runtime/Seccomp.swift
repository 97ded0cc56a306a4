/// A system call filter (`config-linux.md`, "Seccomp").
package struct LinuxSeccomp: Codable, Hashable, Sendable {
    /// What happens on a call that no rule names, such as `SCMP_ACT_ERRNO`.
    package var defaultAction: String
    /// The errno for `SCMP_ACT_ERRNO`; `nil` is EPERM.
    package var defaultErrnoRet: UInt32?
    /// Architectures beside the native one, such as `SCMP_ARCH_X86`.
    package var architectures: [String]?
    /// `SECCOMP_FILTER_FLAG_…` names.
    package var flags: [String]?
    /// The Unix socket that gets the notification descriptor.
    package var listenerPath: String?
    /// Sent to that socket as it is.
    package var listenerMetadata: String?
    /// The rules.
    package var syscalls: [LinuxSyscall]?

    /// A filter without rules.
    package init(defaultAction: String) {
        self.defaultAction = defaultAction
    }
}

/// One rule of a system call filter.
package struct LinuxSyscall: Codable, Hashable, Sendable {
    /// The system calls it is about; names this machine does not know are skipped.
    package var names: [String]
    /// What happens.
    package var action: String
    /// The errno for `SCMP_ACT_ERRNO` and the message for `SCMP_ACT_TRACE`.
    package var errnoRet: UInt32?
    /// Conditions on arguments; all must hold.
    package var args: [LinuxSeccompArg]?

    /// A rule without conditions.
    package init(names: [String], action: String, errnoRet: UInt32? = nil, args: [LinuxSeccompArg]? = nil) {
        self.names = names
        self.action = action
        self.errnoRet = errnoRet
        self.args = args
    }
}

/// A condition on one argument of a system call.
package struct LinuxSeccompArg: Codable, Hashable, Sendable {
    /// Which argument, from 0.
    package var index: UInt32
    /// What it is compared with (for `SCMP_CMP_MASKED_EQ`, the mask).
    package var value: UInt64
    /// For `SCMP_CMP_MASKED_EQ`, what the masked argument must equal.
    package var valueTwo: UInt64?
    /// `SCMP_CMP_EQ` and its sisters.
    package var op: String

    /// A condition.
    package init(index: UInt32, value: UInt64, valueTwo: UInt64? = nil, op: String) {
        self.index = index
        self.value = value
        self.valueTwo = valueTwo
        self.op = op
    }
}
