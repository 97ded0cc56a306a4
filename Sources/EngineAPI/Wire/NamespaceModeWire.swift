import Engine

/// The name or id after `container:`, or nil; an empty one is refused.
private func containerReference(in text: String) -> String? {
    let prefix = "container:"
    guard text.hasPrefix(prefix), text.utf8.count > prefix.utf8.count else { return nil }
    return String(text.dropFirst(prefix.count))
}

extension NetworkMode {
    /// Reads `NetworkMode`.
    ///
    /// - Throws: `APIError` (invalid) with Docker's words.
    package init(wire text: String) throws {
        switch text {
        case "", "default": self = .default
        case "none": self = .none
        case "host": self = .host
        case "container", "container:":
            throw APIError.invalid("invalid network mode: invalid container format container:<name|id>")
        default: self = containerReference(in: text).map { .container($0) } ?? .network(text)
        }
    }
}

extension PIDMode {
    /// Reads `PidMode`.
    ///
    /// - Throws: `APIError` (invalid) with Docker's words.
    package init(wire text: String) throws {
        switch text {
        case "", "private": self = .private
        case "host": self = .host
        default:
            guard let name = containerReference(in: text) else { throw APIError.invalid("invalid PID mode: \(text)") }
            self = .container(name)
        }
    }
}

extension IPCMode {
    /// Reads `IpcMode`, or a daemon's `--default-ipc-mode`.
    ///
    /// - Throws: `APIError` (invalid) with Docker's words.
    package init(wire text: String) throws {
        switch text {
        case "": self = .default
        case "none": self = .none
        case "private": self = .private
        case "shareable": self = .shareable
        case "host": self = .host
        default:
            guard let name = containerReference(in: text) else { throw APIError.invalid("invalid IPC mode: \(text)") }
            self = .container(name)
        }
    }
}

extension UTSMode {
    /// Reads `UTSMode`.
    ///
    /// - Throws: `APIError` (invalid) with Docker's words.
    package init(wire text: String) throws {
        switch text {
        case "", "private": self = .private
        case "host": self = .host
        default: throw APIError.invalid("invalid UTS mode: \(text)")
        }
    }
}

extension CgroupNamespaceMode {
    /// Reads `CgroupnsMode`, or a daemon's `--default-cgroupns-mode`.
    ///
    /// - Throws: `APIError` (invalid) with Docker's words.
    package init(wire text: String) throws {
        switch text {
        case "": self = .default
        case "private": self = .private
        case "host": self = .host
        default: throw APIError.invalid("invalid cgroup namespace mode: \(text)")
        }
    }
}

extension UserNamespaceMode {
    /// Reads `UsernsMode`.
    ///
    /// - Throws: `APIError` (invalid) with Docker's words.
    package init(wire text: String) throws {
        switch text {
        case "": self = .default
        case "host": self = .host
        default: throw APIError.invalid("invalid USER mode: \(text)")
        }
    }
}
