import Engine
import Text

extension SecurityOptions {
    /// Reads the API's `SecurityOpt`; both `name=value` and the old `name:value` are taken.
    ///
    /// - Throws: `APIError` (invalid) with Docker's words.
    package init(wire options: [String]) throws {
        self.init(asked: try options.map { Asked(try SecurityOption(wire: $0), words: $0) })
    }

    /// As `inspect` shows it.
    package var wire: [String] { options.map(\.text) }
}

extension SecurityOption {
    fileprivate init(wire option: String) throws {
        switch option {
        case "no-new-privileges": self = .noNewPrivileges(true)
        case "writable-cgroups": self = .writableCgroups(true)
        case "disable": self = .label("disable")
        default:
            guard let separator = option.firstIndex(of: "=") ?? option.firstIndex(of: ":") else {
                throw APIError.invalid("invalid --security-opt 1: \"\(option)\"")
            }
            let value = String(option[option.index(after: separator)...])
            switch option[..<separator] {
            case "label": self = .label(value)
            case "apparmor": self = .appArmor(value)
            case "seccomp": self = .seccomp(try SeccompChoice(wire: value))
            case "no-new-privileges": self = .noNewPrivileges(try Self.boolean(value, in: option))
            case "writable-cgroups": self = .writableCgroups(try Self.boolean(value, in: option))
            case "systempaths" where value == "unconfined": self = .unconfinedSystemPaths
            default: throw APIError.invalid("invalid --security-opt 2: \"\(option)\"")
            }
        }
    }

    private static func boolean(_ text: String, in option: String) throws -> Bool {
        guard let value = GoBoolean.parse(text) else {
            throw APIError.invalid("invalid --security-opt 2: \"\(option)\"")
        }
        return value
    }
}
