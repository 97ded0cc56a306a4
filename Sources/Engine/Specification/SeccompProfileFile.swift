import JSON
import OCISpec

/// A profile in Docker's format (`--security-opt seccomp=file.json`): the OCI form with conditions.
package struct SeccompProfileFile: Decodable {
    /// For calls that no rule names.
    package var defaultAction: String
    /// The error number of that action, where it has one.
    package var defaultErrnoRet: UInt32?
    /// Architectures as libseccomp names them.
    package var architectures: [String]?
    package var archMap: [Architecture]?
    /// Flags of seccomp(2).
    package var flags: [String]?
    /// The socket of an agent that decides instead.
    package var listenerPath: String?
    /// What the agent is told.
    package var listenerMetadata: String?
    /// The rules in their order.
    package var syscalls: [Rule]?

    /// An architecture, and those whose programs it runs as well.
    package struct Architecture: Decodable {
        var architecture: String
        var subArchitectures: [String]?
    }

    /// An action for some calls, under some conditions.
    package struct Rule: Decodable {
        var name: String?
        var names: [String]?
        var action: String
        var errnoRet: UInt32?
        var args: [LinuxSeccompArg]?
        var includes: Condition?
        var excludes: Condition?
    }

    /// Something that one argument has to be.
    package struct Condition: Decodable {
        var caps: [String]?
        var arches: [String]?
        var minKernel: String?
    }

    /// Reads a profile's text; throws `EngineError.invalid` with what is wrong.
    package init(text: String) throws(EngineError) {
        do {
            self = try JSON.decode(SeccompProfileFile.self, from: Array(text.utf8))
        } catch {
            throw .invalid("Decoding seccomp profile failed: \(error)")
        }
        if architectures?.isEmpty == false, archMap?.isEmpty == false {
            throw .invalid(
                "both 'architectures' and 'archMap' were specified in the seccomp profile, use either 'architectures' "
                    + "or 'archMap'"
            )
        }
        for rule in syscalls ?? [] where rule.name != nil && rule.names?.isEmpty == false {
            throw .invalid(
                "both 'name' and 'names' were specified in the seccomp profile, use either 'name' or 'names'")
        }
    }

    /// The rules that apply to a container with `capabilities` on this machine and kernel.
    package func resolved(capabilities: [String], machine: String, kernel: (Int, Int)) -> LinuxSeccomp {
        let held = Set(capabilities)
        var result = LinuxSeccomp(defaultAction: defaultAction)
        result.defaultErrnoRet = defaultErrnoRet
        result.flags = flags
        result.listenerPath = listenerPath
        result.listenerMetadata = listenerMetadata
        result.architectures = architectures
        let native = machine == "arm64" ? "SCMP_ARCH_AARCH64" : "SCMP_ARCH_X86_64"
        if let entry = archMap?.first(where: { $0.architecture == native }) {
            result.architectures = [entry.architecture] + (entry.subArchitectures ?? [])
        }
        result.syscalls = (syscalls ?? []).compactMap { rule in
            if let excludes = rule.excludes {
                if excludes.caps?.contains(where: held.contains) ?? false { return nil }
                if excludes.arches?.contains(machine) ?? false { return nil }
                if let version = excludes.minKernel, Self.kernel(kernel, isAtLeast: version) { return nil }
            }
            if let includes = rule.includes {
                if let caps = includes.caps, !caps.allSatisfy(held.contains) { return nil }
                if let arches = includes.arches, !arches.isEmpty, !arches.contains(machine) { return nil }
                if let version = includes.minKernel, !Self.kernel(kernel, isAtLeast: version) { return nil }
            }
            let names = rule.names ?? rule.name.map { [$0] } ?? []
            return names.isEmpty
                ? nil : LinuxSyscall(names: names, action: rule.action, errnoRet: rule.errnoRet, args: rule.args)
        }
        return result
    }

    private static func kernel(_ kernel: (Int, Int), isAtLeast version: String) -> Bool {
        let parts = version.split(separator: ".").map { Int($0) ?? 0 }
        return kernel >= (parts.first ?? 0, parts.count > 1 ? parts[1] : 0)
    }
}
