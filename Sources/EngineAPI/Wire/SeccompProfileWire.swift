import Engine
import JSON
import OCISpec

extension SeccompChoice {
    /// Reads `unconfined`, `builtin`, or the text of a profile: clients send the content of a profile's file.
    ///
    /// - Throws: `APIError` (invalid) with what is wrong with a profile.
    package init(wire text: String) throws {
        switch text {
        case "unconfined": self = .unconfined
        case "builtin": self = .builtIn
        default: self = .profile(try SeccompProfile(wire: text))
        }
    }
}

extension SeccompProfile {
    /// Reads a profile in Docker's format.
    ///
    /// - Throws: `APIError` (invalid) with what is wrong, mostly in Docker's words.
    package init(wire text: String) throws {
        let document: SeccompProfileDocument
        do {
            document = try JSON.decode(SeccompProfileDocument.self, from: Array(text.utf8))
        } catch {
            throw APIError.invalid("Decoding seccomp profile failed: \(error)")
        }
        self.init(defaultAction: document.defaultAction)
        defaultErrnoRet = document.defaultErrnoRet
        flags = document.flags
        listenerPath = document.listenerPath
        listenerMetadata = document.listenerMetadata
        let (listed, map) = (document.architectures ?? [], document.archMap ?? [])
        if !listed.isEmpty, !map.isEmpty {
            throw APIError.invalid(
                "both 'architectures' and 'archMap' were specified in the seccomp profile, use either 'architectures' "
                    + "or 'archMap'"
            )
        }
        if !map.isEmpty {
            architectures = .byMachine(
                others: Dictionary(
                    map.map { ($0.architecture, $0.subArchitectures ?? []) }, uniquingKeysWith: { first, _ in first }))
        } else if !listed.isEmpty {
            architectures = .listed(names: listed)
        }
        rules = try (document.syscalls ?? []).map { try Rule($0) }
    }
}

extension SeccompProfile.Rule {
    fileprivate init(_ wire: SeccompProfileDocument.Rule) throws {
        if wire.name != nil, wire.names?.isEmpty == false {
            throw APIError.invalid(
                "both 'name' and 'names' were specified in the seccomp profile, use either 'name' or 'names'")
        }
        let names = wire.names ?? wire.name.map { [$0] } ?? []
        self.init(
            LinuxSyscall(names: names, action: wire.action, errnoRet: wire.errnoRet, args: wire.args),
            includes: try wire.includes.map { try SeccompProfile.Condition($0) },
            excludes: try wire.excludes.map { try SeccompProfile.Condition($0) })
    }
}

extension SeccompProfile.Condition {
    fileprivate init(_ wire: SeccompProfileDocument.Condition) throws {
        self.init(
            capabilities: wire.caps ?? [], machines: wire.arches ?? [],
            minimumKernel: try wire.minKernel.flatMap { $0.isEmpty ? nil : try KernelVersion(wire: $0) })
    }
}

extension KernelVersion {
    /// Reads `4.8`.
    fileprivate init(wire text: String) throws {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 2, let major = parts[0], let minor = parts[1], major >= 0, minor >= 0 else {
            throw APIError.invalid(
                "Decoding seccomp profile failed: invalid kernel version \"\(text)\", expected format "
                    + "'<kernel>.<major>'"
            )
        }
        self.init(major, minor)
    }
}

/// A profile as its file has it.
private struct SeccompProfileDocument: Decodable {
    var defaultAction: String
    var defaultErrnoRet: UInt32?
    var architectures: [String]?
    var archMap: [Architecture]?
    var flags: [String]?
    var listenerPath: String?
    var listenerMetadata: String?
    var syscalls: [Rule]?

    /// An architecture, and those whose programs it runs as well.
    struct Architecture: Decodable {
        var architecture: String
        var subArchitectures: [String]?
    }

    /// An action for some calls, under some conditions; `name` is the form of old.
    struct Rule: Decodable {
        var name: String?
        var names: [String]?
        var action: String
        var errnoRet: UInt32?
        var args: [LinuxSeccompArg]?
        var includes: Condition?
        var excludes: Condition?
    }

    struct Condition: Decodable {
        var caps: [String]?
        var arches: [String]?
        var minKernel: String?
    }
}
