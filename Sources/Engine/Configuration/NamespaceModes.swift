/// A mode which the API writes as one string.
package protocol ModeString: Hashable, Sendable, Codable, CustomStringConvertible {
    /// Reads the API's text; throws `EngineError.invalid` with Docker's words.
    init(_ text: String) throws(EngineError)
}

extension ModeString {
    package init(from decoder: any Decoder) throws {
        try self.init(try decoder.singleValueContainer().decode(String.self))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// The name or id after `container:`, or nil; an empty one is refused.
private func containerReference(in text: String) -> Substring? {
    let prefix = "container:"
    guard text.hasPrefix(prefix), text.utf8.count > prefix.utf8.count else { return nil }
    return text.dropFirst(prefix.count)
}

/// `--network`.
package enum NetworkMode: ModeString {
    /// What the daemon gives: until bridge networks land, an own namespace with loopback only.
    case `default`
    case none
    case host
    /// The network namespace of another container, by name or id.
    case container(String)
    /// A network by name (`bridge` too); refused until networks land, except `bridge`, which equals `default`.
    case network(String)

    /// Reads the text of the API.
    package init(_ text: String) throws(EngineError) {
        switch text {
        case "", "default": self = .default
        case "none": self = .none
        case "host": self = .host
        default:
            if text == "container" || text == "container:" {
                throw .invalid("invalid network mode: invalid container format container:<name|id>")
            }
            self = containerReference(in: text).map { .container(String($0)) } ?? .network(text)
        }
    }

    package var description: String {
        switch self {
        case .default: "default"
        case .none: "none"
        case .host: "host"
        case .container(let name): "container:" + name
        case .network(let name): name
        }
    }
}

/// `--pid`.
package enum PIDMode: ModeString {
    case `private`
    case host
    case container(String)

    /// Reads the text of the API.
    package init(_ text: String) throws(EngineError) {
        switch text {
        case "", "private": self = .private
        case "host": self = .host
        default:
            guard let name = containerReference(in: text) else { throw .invalid("invalid PID mode: \(text)") }
            self = .container(String(name))
        }
    }

    package var description: String {
        switch self {
        case .private: ""
        case .host: "host"
        case .container(let name): "container:" + name
        }
    }
}

/// `--ipc`.
package enum IPCMode: ModeString {
    /// The daemon's default.
    case `default`
    /// Own namespace without /dev/shm.
    case none
    case `private`
    case shareable
    case host
    case container(String)

    /// Reads the text of the API.
    package init(_ text: String) throws(EngineError) {
        switch text {
        case "": self = .default
        case "none": self = .none
        case "private": self = .private
        case "shareable": self = .shareable
        case "host": self = .host
        default:
            guard let name = containerReference(in: text) else { throw .invalid("invalid IPC mode: \(text)") }
            self = .container(String(name))
        }
    }

    package var description: String {
        switch self {
        case .default: ""
        case .none: "none"
        case .private: "private"
        case .shareable: "shareable"
        case .host: "host"
        case .container(let name): "container:" + name
        }
    }
}

/// `--uts`.
package enum UTSMode: ModeString {
    case `private`
    case host

    /// Reads the text of the API.
    package init(_ text: String) throws(EngineError) {
        switch text {
        case "", "private": self = .private
        case "host": self = .host
        default: throw .invalid("invalid UTS mode: \(text)")
        }
    }

    package var description: String { self == .host ? "host" : "" }
}

/// `--cgroupns`.
package enum CgroupNamespaceMode: ModeString {
    case `default`
    /// What clients of old expect where they say nothing: the host's with cgroup version 1, the daemon's default with
    /// version 2.
    case hostOnVersion1
    case `private`
    case host

    /// Reads the text of the API.
    package init(_ text: String) throws(EngineError) {
        switch text {
        case "": self = .default
        case "private": self = .private
        case "host": self = .host
        default: throw .invalid("invalid cgroup namespace mode: \(text)")
        }
    }

    package var description: String {
        switch self {
        case .default, .hostOnVersion1: ""
        case .private: "private"
        case .host: "host"
        }
    }

    /// The mode of a container by Docker's rules; `standard` is the daemon's default, if it has one. With version 1 a
    /// privileged container sees the host's groups. With version 2 it does not: it would manage the host's root group
    /// as its own.
    package func resolved(isPrivileged: Bool, isVersion2: Bool, standard: CgroupNamespaceMode?) -> CgroupNamespaceMode {
        switch self {
        case .private, .host: self
        case .hostOnVersion1 where !isVersion2: .host
        case .default, .hostOnVersion1:
            if isPrivileged, !isVersion2 { .host } else { standard ?? (isVersion2 ? .private : .host) }
        }
    }
}

/// `--userns`.
package enum UserNamespaceMode: ModeString {
    case `default`
    case host

    /// Reads the text of the API.
    package init(_ text: String) throws(EngineError) {
        switch text {
        case "": self = .default
        case "host": self = .host
        default: throw .invalid("invalid USER mode: \(text)")
        }
    }

    package var description: String { self == .host ? "host" : "" }
}
