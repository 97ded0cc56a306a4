/// A mode that may name a container or a network. It is stored as a word, or, with a name, as an object with the word
/// as its only key: `"host"`, `{"container": "…"}`.
///
/// How clients write modes is the front end's matter; `description` is how they are shown.
package protocol NamespaceMode: Hashable, Sendable, Codable, CustomStringConvertible {
    /// The mode's word, and the name that belongs to it, if one does.
    var stored: (word: String, name: String?) { get }
    /// nil: no mode is stored so.
    init?(stored word: String, name: String?)
}

extension NamespaceMode {
    package init(from decoder: any Decoder) throws {
        let single = try decoder.singleValueContainer()
        let (word, name): (String, String?)
        // What is not a word has to be the other form, whose error counts.
        if let plain = try? single.decode(String.self) {
            (word, name) = (plain, nil)
        } else {
            let named = try single.decode([String: String].self)
            (word, name) = (named.first?.key ?? "", named.first?.value)
        }
        guard let mode = Self(stored: word, name: name) else {
            throw EngineError.invalid("\"\(word)\" is not a \(Self.self)")
        }
        self = mode
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        let (word, name) = stored
        if let name {
            try container.encode([word: name])
        } else {
            try container.encode(word)
        }
    }
}

/// `--network`.
package enum NetworkMode: NamespaceMode {
    /// What the daemon gives: until bridge networks land, an own namespace with loopback only.
    case `default`
    case none
    case host
    /// The network namespace of another container, by name or id.
    case container(String)
    /// A network by name (`bridge` too); refused until networks land, except `bridge`, which equals `default`.
    case network(String)

    /// The database's form.
    package var stored: (word: String, name: String?) {
        switch self {
        case .default: ("default", nil)
        case .none: ("none", nil)
        case .host: ("host", nil)
        case .container(let name): ("container", name)
        case .network(let name): ("network", name)
        }
    }

    /// Reads the database's form.
    package init?(stored word: String, name: String?) {
        switch (word, name) {
        case ("default", nil): self = .default
        case ("none", nil): self = .none
        case ("host", nil): self = .host
        case ("container", let name?): self = .container(name)
        case ("network", let name?): self = .network(name)
        default: return nil
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
package enum PIDMode: NamespaceMode {
    case `private`
    case host
    case container(String)

    /// The database's form.
    package var stored: (word: String, name: String?) {
        switch self {
        case .private: ("private", nil)
        case .host: ("host", nil)
        case .container(let name): ("container", name)
        }
    }

    /// Reads the database's form.
    package init?(stored word: String, name: String?) {
        switch (word, name) {
        case ("private", nil): self = .private
        case ("host", nil): self = .host
        case ("container", let name?): self = .container(name)
        default: return nil
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
package enum IPCMode: NamespaceMode {
    /// The daemon's default.
    case `default`
    /// Own namespace without /dev/shm.
    case none
    case `private`
    case shareable
    case host
    case container(String)

    /// The database's form.
    package var stored: (word: String, name: String?) {
        switch self {
        case .default: ("default", nil)
        case .none: ("none", nil)
        case .private: ("private", nil)
        case .shareable: ("shareable", nil)
        case .host: ("host", nil)
        case .container(let name): ("container", name)
        }
    }

    /// Reads the database's form.
    package init?(stored word: String, name: String?) {
        switch (word, name) {
        case ("default", nil): self = .default
        case ("none", nil): self = .none
        case ("private", nil): self = .private
        case ("shareable", nil): self = .shareable
        case ("host", nil): self = .host
        case ("container", let name?): self = .container(name)
        default: return nil
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
package enum UTSMode: String, Hashable, Sendable, Codable, CustomStringConvertible {
    case `private`
    case host

    package var description: String { self == .host ? rawValue : "" }
}

/// `--cgroupns`.
package enum CgroupNamespaceMode: String, Hashable, Sendable, Codable, CustomStringConvertible {
    case `default`
    /// What clients of old expect where they say nothing: the host's with cgroup version 1, the daemon's default with
    /// version 2.
    case hostOnVersion1
    case `private`
    case host

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
package enum UserNamespaceMode: String, Hashable, Sendable, Codable, CustomStringConvertible {
    case `default`
    case host

    package var description: String { self == .host ? rawValue : "" }
}
