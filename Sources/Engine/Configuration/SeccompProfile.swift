import OCISpec

/// A custom filter of system calls: the OCI form, with conditions that are decided when the container starts.
package struct SeccompProfile: Hashable, Sendable, Codable {
    /// For calls that no rule names.
    package var defaultAction: String
    /// The error number of that action, where it has one.
    package var defaultErrnoRet: UInt32?
    /// nil: the machine's own.
    package var architectures: Architectures?
    /// Flags of seccomp(2).
    package var flags: [String]?
    /// The socket of an agent that decides instead.
    package var listenerPath: String?
    /// What the agent is told.
    package var listenerMetadata: String?
    /// The rules in their order.
    package var rules: [Rule] = []

    /// Which architectures' calls are filtered, as libseccomp names them.
    package enum Architectures: Hashable, Sendable, Codable {
        /// These on every machine.
        case listed(names: [String])
        /// On a machine of an architecture, this one and the others whose programs it runs.
        case byMachine(others: [String: [String]])
    }

    /// An action for some calls, under some conditions.
    package struct Rule: Hashable, Sendable, Codable {
        /// Without its conditions.
        package var call: LinuxSyscall
        /// It applies only if all of this holds.
        package var includes: Condition?
        /// It does not apply if any of this holds.
        package var excludes: Condition?

        /// A rule.
        package init(_ call: LinuxSyscall, includes: Condition? = nil, excludes: Condition? = nil) {
            self.call = call
            self.includes = includes
            self.excludes = excludes
        }
    }

    /// What a container and its machine have.
    package struct Condition: Hashable, Sendable, Codable {
        /// Capabilities, `CAP_…`.
        package var capabilities: [String]
        /// Machines, as Docker names them: `amd64`.
        package var machines: [String]
        /// The kernel, at least.
        package var minimumKernel: KernelVersion?

        /// A condition.
        package init(capabilities: [String] = [], machines: [String] = [], minimumKernel: KernelVersion? = nil) {
            self.capabilities = capabilities
            self.machines = machines
            self.minimumKernel = minimumKernel
        }
    }

    /// A profile without rules.
    package init(defaultAction: String) { self.defaultAction = defaultAction }

    /// The rules that apply to a container with `capabilities` on this machine and kernel.
    package func resolved(capabilities: [String], machine: String, kernel: KernelVersion) -> LinuxSeccomp {
        let held = Set(capabilities)
        var result = LinuxSeccomp(defaultAction: defaultAction)
        result.defaultErrnoRet = defaultErrnoRet
        result.flags = flags
        result.listenerPath = listenerPath
        result.listenerMetadata = listenerMetadata
        switch architectures {
        case .listed(let names): result.architectures = names
        case .byMachine(let others):
            let native = machine == "arm64" ? "SCMP_ARCH_AARCH64" : "SCMP_ARCH_X86_64"
            result.architectures = others[native].map { [native] + $0 }
        case nil: break
        }
        result.syscalls = rules.compactMap { rule in
            if let excluded = rule.excludes {
                if excluded.capabilities.contains(where: held.contains) { return nil }
                if excluded.machines.contains(machine) { return nil }
                if let version = excluded.minimumKernel, kernel >= version { return nil }
            }
            if let included = rule.includes {
                if !included.capabilities.allSatisfy(held.contains) { return nil }
                if !included.machines.isEmpty, !included.machines.contains(machine) { return nil }
                if let version = included.minimumKernel, kernel < version { return nil }
            }
            return rule.call.names.isEmpty ? nil : rule.call
        }
        return result
    }
}

/// The first two numbers of a kernel's version.
package struct KernelVersion: Hashable, Sendable, Codable, Comparable {
    /// The 6 of 6.12.
    package var major: Int
    /// The 12 of 6.12.
    package var minor: Int

    /// A version.
    package init(_ major: Int, _ minor: Int) {
        self.major = major
        self.minor = minor
    }

    package static func < (one: KernelVersion, other: KernelVersion) -> Bool {
        (one.major, one.minor) < (other.major, other.minor)
    }
}
