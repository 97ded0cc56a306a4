import CSeccomp
import Glibc
import LinuxKernel
import OCISpec
import SystemPackage

extension SeccompProgram {
    /// Compiles `profile`.
    ///
    /// As the specification has it, names of system calls that this machine's libseccomp does not know are skipped.
    /// System calls newer than any the profile names fail with ENOSYS where the default is another errno: programs then
    /// fall back to older ones instead of giving up (runc does the same, and the C library counts on it).
    package init(compiling profile: LinuxSeccomp) throws(SeccompError) {
        let rules = try SeccompRules(profile)
        let native = seccomp_arch_native()
        guard let own = FilterArchitecture(token: native) else {
            self = try SeccompProgram(byLibseccomp: rules)
            return
        }
        var architectures = [own]
        for token in rules.architectures {
            guard let architecture = FilterArchitecture(token: token) else {
                self = try SeccompProgram(byLibseccomp: rules)
                return
            }
            architectures.append(architecture)
        }
        let instructions = FilterAssembler(rules: rules).assemble(architectures)
        guard instructions.count <= 4096 else {
            throw SeccompError("the seccomp profile needs \(instructions.count) instructions; the kernel takes 4096")
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(instructions.count * 8)
        for instruction in instructions { instruction.append(to: &bytes) }
        self.init(instructions: bytes, flags: rules.flags)
    }

    /// Compiles `profile` by libseccomp alone: for architectures that `FilterAssembler` does not know, and for its
    /// tests.
    ///
    /// It takes ten milliseconds for a usual profile, and what it makes takes the kernel half a millisecond more to
    /// load: it tests for one system call after the other, where the assembler searches.
    package init(byLibseccomp profile: LinuxSeccomp) throws(SeccompError) {
        try self.init(byLibseccomp: SeccompRules(profile))
    }

    private init(byLibseccomp rules: SeccompRules) throws(SeccompError) {
        guard let filter = seccomp_init(rules.defaultAction.rawValue) else {
            throw SeccompError("libseccomp refuses the default action")
        }
        defer { seccomp_release(filter) }
        for token in rules.architectures {
            try Self.check(seccomp_arch_add(filter, token), "adding an architecture")
        }
        for rule in rules.rules {
            for name in rule.names {
                let number = seccomp_syscall_resolve_name(name)
                if number == -1 { continue }
                for alternative in rule.alternatives {
                    let comparisons = alternative.map {
                        scmp_arg_cmp(
                            arg: $0.argument, op: $0.comparison.native, datum_a: $0.value, datum_b: $0.secondValue)
                    }
                    let result = seccomp_rule_add_array(
                        filter, rule.action.rawValue, number, UInt32(comparisons.count), comparisons)
                    try Self.check(result, "adding a rule for \(name)")
                }
            }
        }
        self.init(instructions: try Self.export(filter), flags: rules.flags)
    }

    /// The program's bytes, which libseccomp 2.5 writes only to a descriptor.
    private static func export(_ filter: scmp_filter_ctx) throws(SeccompError) -> [UInt8] {
        do throws(Errno) {
            let file = try MemoryFile.create("seccomp")
            defer { file.discard() }
            let result = seccomp_export_bpf(filter, file.rawValue)
            if result < 0 { throw Errno(rawValue: -result) }
            if lseek(file.rawValue, 0, SEEK_SET) < 0 { throw Errno(rawValue: errno) }
            return try file.readToEnd()
        } catch {
            throw SeccompError("cannot compile the seccomp profile: \(error)")
        }
    }

    private static func check(_ result: CInt, _ what: String) throws(SeccompError) {
        if result < 0 { throw SeccompError("\(what) to the seccomp filter: \(Errno(rawValue: -result))") }
    }
}
