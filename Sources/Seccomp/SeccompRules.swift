import CSeccomp
import OCISpec

/// A profile with its words turned into what filters are made of.
struct SeccompRules {
    /// A condition on an argument.
    struct Condition: Hashable {
        var argument: UInt32
        var comparison: Comparison
        var value: UInt64
        /// What the masked argument must equal, for `maskedEqual`; `value` is the mask then.
        var secondValue: UInt64
    }

    enum Comparison: String, Hashable {
        case notEqual = "SCMP_CMP_NE"
        case less = "SCMP_CMP_LT"
        case lessOrEqual = "SCMP_CMP_LE"
        case equal = "SCMP_CMP_EQ"
        case greaterOrEqual = "SCMP_CMP_GE"
        case greater = "SCMP_CMP_GT"
        case maskedEqual = "SCMP_CMP_MASKED_EQ"

        /// libseccomp's number for it.
        var native: scmp_compare {
            switch self {
            case .notEqual: SCMP_CMP_NE
            case .less: SCMP_CMP_LT
            case .lessOrEqual: SCMP_CMP_LE
            case .equal: SCMP_CMP_EQ
            case .greaterOrEqual: SCMP_CMP_GE
            case .greater: SCMP_CMP_GT
            case .maskedEqual: SCMP_CMP_MASKED_EQ
            }
        }
    }

    struct Rule {
        var names: [String]
        var action: SeccompAction
        /// Any of these must hold, each with all its conditions; one without conditions always holds.
        var alternatives: [[Condition]]
    }

    let defaultAction: SeccompAction
    /// libseccomp's tokens of the architectures beside the native one.
    let architectures: [UInt32]
    let rules: [Rule]
    /// `SECCOMP_FILTER_FLAG_*`.
    let flags: UInt32

    init(_ profile: LinuxSeccomp) throws(SeccompError) {
        let defaultAction = try SeccompAction(name: profile.defaultAction, value: profile.defaultErrnoRet)
        // The process that sets the filter could then do nothing to hand over the listener.
        guard defaultAction != .notify else {
            throw SeccompError("SCMP_ACT_NOTIFY cannot be used as default action")
        }
        self.defaultAction = defaultAction
        let native = seccomp_arch_native()
        var architectures: [UInt32] = []
        for name in profile.architectures ?? [] {
            guard name.hasPrefix("SCMP_ARCH_") else { throw SeccompError("\"\(name)\" is not an architecture") }
            let token = seccomp_arch_resolve_name(name.dropFirst(10).lowercased())
            guard token != 0 else { throw SeccompError("unknown architecture \"\(name)\" in the seccomp profile") }
            if token != native && !architectures.contains(token) { architectures.append(token) }
        }
        self.architectures = architectures
        var rules: [Rule] = []
        for syscall in profile.syscalls ?? [] {
            let action = try SeccompAction(name: syscall.action, value: syscall.errnoRet)
            guard action != .notify || !syscall.names.contains("write") else {
                throw SeccompError("SCMP_ACT_NOTIFY cannot be used for the write syscall")
            }
            let alternatives = try Self.alternatives(syscall.args ?? [])
            // A rule for what happens anyway changes nothing.
            if action != defaultAction {
                rules.append(Rule(names: syscall.names, action: action, alternatives: alternatives))
            }
        }
        self.rules = rules
        var flags: UInt32 = 0
        // A profile that says nothing of flags leaves the mitigations of speculation to the program.
        for flag in profile.flags ?? ["SECCOMP_FILTER_FLAG_SPEC_ALLOW"] {
            guard let bit = SeccompProgram.flagBits[flag] else {
                throw SeccompError("unknown seccomp flag \"\(flag)\"")
            }
            flags |= bit
        }
        if rules.contains(where: { $0.action == .notify }) {
            flags |= SeccompProgram.newListener
        } else {
            // It is about waiting for an answer, and the kernel refuses it for filters that ask no program.
            flags &= ~SeccompProgram.waitKillable
        }
        self.flags = flags
    }

    /// Conditions on different arguments must all hold. A second condition on the same argument, which libseccomp has
    /// no form for, makes an alternative of each (as every other runtime reads such a profile).
    private static func alternatives(_ arguments: [LinuxSeccompArg]) throws(SeccompError) -> [[Condition]] {
        var conditions: [Condition] = []
        var isRepeated = false
        for argument in arguments {
            guard argument.index < 6 else { throw SeccompError("a system call has no argument \(argument.index)") }
            guard let comparison = Comparison(rawValue: argument.op) else {
                throw SeccompError("unknown comparison \"\(argument.op)\" in the seccomp profile")
            }
            if conditions.contains(where: { $0.argument == argument.index }) { isRepeated = true }
            conditions.append(
                Condition(
                    argument: argument.index, comparison: comparison, value: argument.value,
                    secondValue: argument.valueTwo ?? 0))
        }
        return isRepeated ? conditions.map { [$0] } : [conditions]
    }
}
