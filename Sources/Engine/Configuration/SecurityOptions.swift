/// One choice of how a container is confined (`--security-opt`).
package enum SecurityOption: Hashable, Sendable, CustomStringConvertible {
    case noNewPrivileges(Bool)
    case seccomp(SeccompChoice)
    /// A profile's name, or `unconfined`.
    case appArmor(String)
    /// A part of an SELinux label, as `type:x`, or `disable`.
    case label(String)
    /// Whether a container that is not privileged may write to its control groups.
    case writableCgroups(Bool)
    /// No masked and no read-only paths.
    case unconfinedSystemPaths

    private var member: (name: String, value: String) {
        switch self {
        case .noNewPrivileges(let isOn): ("no-new-privileges", isOn ? "true" : "false")
        case .seccomp(.builtIn): ("seccomp", "builtin")
        case .seccomp(.unconfined): ("seccomp", "unconfined")
        case .seccomp(.profile): ("seccomp", "profile")
        case .appArmor(let profile): ("apparmor", profile)
        case .label(let label): ("label", label)
        case .writableCgroups(let isOn): ("writable-cgroups", isOn ? "true" : "false")
        case .unconfinedSystemPaths: ("systempaths", "unconfined")
        }
    }

    /// As `--security-opt` takes it; a profile's text is only in the words with which it was asked for.
    package var description: String {
        if case .noNewPrivileges(true) = self { return "no-new-privileges" }
        return member.name + "=" + member.value
    }
}

extension SecurityOption: Codable {
    private enum Keys: String, CodingKey { case name, value, profile }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Keys.self)
        try container.encode(member.name, forKey: .name)
        if case .seccomp(.profile(let profile)) = self {
            try container.encode(profile, forKey: .profile)
        } else {
            try container.encode(member.value, forKey: .value)
        }
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Keys.self)
        let name = try container.decode(String.self, forKey: .name)
        if let profile = try container.decodeIfPresent(SeccompProfile.self, forKey: .profile) {
            self = .seccomp(.profile(profile))
            return
        }
        let value = try container.decode(String.self, forKey: .value)
        switch (name, value) {
        case ("no-new-privileges", _): self = .noNewPrivileges(value == "true")
        case ("seccomp", "builtin"): self = .seccomp(.builtIn)
        case ("seccomp", "unconfined"): self = .seccomp(.unconfined)
        case ("apparmor", _): self = .appArmor(value)
        case ("label", _): self = .label(value)
        case ("writable-cgroups", _): self = .writableCgroups(value == "true")
        case ("systempaths", _): self = .unconfinedSystemPaths
        default: throw EngineError.invalid("\"\(name)=\(value)\" is not a security option")
        }
    }
}

/// Which seccomp profile confines a container.
package enum SeccompChoice: Hashable, Sendable {
    /// The engine's default allow-list.
    case builtIn
    /// No confinement.
    case unconfined
    /// The container's own.
    case profile(SeccompProfile)
}

/// All that a container's creator chose of its confinement; of two that contradict each other the later counts.
package struct SecurityOptions: Hashable, Sendable, Codable {
    /// As they were given, in their order.
    package var options: [Asked<SecurityOption>]

    /// Options in their order.
    package init(_ options: [SecurityOption] = []) { self.options = options.map { Asked($0) } }

    /// Options in their order.
    package init(asked options: [Asked<SecurityOption>]) { self.options = options }

    package init(from decoder: any Decoder) throws { options = try [Asked<SecurityOption>](from: decoder) }

    package func encode(to encoder: any Encoder) throws { try options.encode(to: encoder) }

    private func last<T>(_ read: (SecurityOption) -> T?) -> T? {
        for option in options.reversed() {
            if let value = read(option.value) { return value }
        }
        return nil
    }

    /// nil: the daemon's default.
    package var noNewPrivileges: Bool? { last { if case .noNewPrivileges(let isOn) = $0 { isOn } else { nil } } }

    /// nil: the daemon's default.
    package var seccomp: SeccompChoice? { last { if case .seccomp(let choice) = $0 { choice } else { nil } } }

    /// A profile's name or `unconfined`; nil: the default.
    package var appArmor: String? { last { if case .appArmor(let profile) = $0 { profile } else { nil } } }

    /// Parts of an SELinux label.
    package var labels: [String] {
        options.compactMap { if case .label(let label) = $0.value { label } else { nil } }
    }

    /// nil: as the container's privileges have it.
    package var writableCgroups: Bool? { last { if case .writableCgroups(let isOn) = $0 { isOn } else { nil } } }

    /// Whether no path is masked or read-only.
    package var systemPathsUnconfined: Bool { options.contains { $0.value == .unconfinedSystemPaths } }
}
