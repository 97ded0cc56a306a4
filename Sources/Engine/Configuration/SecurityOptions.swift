import Text

/// `--security-opt` values, parsed.
package struct SecurityOptions: Hashable, Sendable {
    package var noNewPrivileges: Bool?
    /// nil: the daemon's default.
    package var seccomp: SeccompChoice?
    /// A profile's name or `unconfined`; nil: the default.
    package var apparmor: String?
    /// SELinux labels as given (`disable`, `type:…`); `[]` for none.
    package var labels: [String] = []
    package var writableCgroups: Bool?
    /// `systempaths=unconfined`: no masked and no read-only paths (the CLI sends the lists empty instead).
    package var systemPathsUnconfined = false

    /// Reads the API's list; both `name=value` and the old `name:value` are taken. Throws `EngineError.invalid` with Docker's words.
    package init(_ options: [String]) throws(EngineError) {
        for option in options {
            if option == "no-new-privileges" {
                noNewPrivileges = true
                continue
            }
            if option == "disable" {
                labels.append("disable")
                continue
            }
            guard let separator = option.firstIndex(of: "=") ?? option.firstIndex(of: ":") else {
                throw .invalid("invalid --security-opt 1: \"\(option)\"")
            }
            let value = String(option[option.index(after: separator)...])
            switch option[..<separator] {
            case "label": labels.append(value)
            case "apparmor": apparmor = value
            case "seccomp":
                seccomp = value == "unconfined" ? .unconfined : value == "builtin" ? .builtIn : .profile(value)
            case "no-new-privileges": noNewPrivileges = try Self.boolean(value, in: option)
            case "writable-cgroups": writableCgroups = try Self.boolean(value, in: option)
            case "systempaths" where value == "unconfined": systemPathsUnconfined = true
            default: throw .invalid("invalid --security-opt 2: \"\(option)\"")
            }
        }
    }

    private static func boolean(_ text: String, in option: String) throws(EngineError) -> Bool {
        guard let value = GoBoolean.parse(text) else { throw .invalid("invalid --security-opt 2: \"\(option)\"") }
        return value
    }
}
