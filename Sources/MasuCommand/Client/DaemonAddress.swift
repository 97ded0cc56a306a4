import Text

/// Where a daemon listens.
package enum DaemonAddress: Hashable, Sendable {
    /// A Unix socket's path.
    case unix(String)
    /// An address or a name, and a port; with TLS or without.
    case tcp(host: String, port: UInt16, tls: TLSMaterial? = nil)
    /// A machine on which `ssh` runs a command line that carries the connection on.
    case ssh(SSHHost)

    /// Where masud listens by default.
    package static let standard = DaemonAddress.unix("/run/masu/masu.sock")

    /// The same address, with TLS if it is one of TCP: the others are safe without.
    package func secured(by tls: TLSMaterial?) -> DaemonAddress {
        guard case .tcp(let host, let port, _) = self else { return self }
        return .tcp(host: host, port: port, tls: tls)
    }

    /// Parses `unix://PATH`, `tcp://HOST[:PORT]`, `ssh://[USER@]HOST[:PORT][/PATH]` or a bare `HOST:PORT`.
    package init(parsing text: String) throws(CommandError) {
        if let path = text.removing(prefix: "unix://") {
            guard !path.isEmpty else { throw CommandError("unable to parse docker host `\(text)`") }
            self = .unix(path)
            return
        }
        if let machine = text.removing(prefix: "ssh://") {
            self = .ssh(try SSHHost(parsing: machine))
            return
        }
        let rest = text.removing(prefix: "tcp://") ?? text.removing(prefix: "http://") ?? text
        guard !rest.holds("://"), !rest.isEmpty, !rest.hasPrefix("/") else {
            throw CommandError(
                "unable to parse docker host `\(text)`: this client speaks unix:///path/to/socket, "
                    + "tcp://host:port and ssh://user@host")
        }
        let authority = rest.prefix { $0 != "/" }
        var host = String(authority)
        var port: UInt16 = 2375
        if let colon = authority.lastIndex(of: ":"), !authority[colon...].contains("]") {
            guard let number = UInt16(authority[authority.index(after: colon)...]) else {
                throw CommandError("unable to parse docker host `\(text)`: bad port")
            }
            host = String(authority[..<colon])
            port = number
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        self = .tcp(host: host.isEmpty ? "127.0.0.1" : host, port: port)
    }

    /// The address as messages show it.
    package var description: String {
        switch self {
        case .unix(let path): "unix://\(path)"
        case .tcp(let host, let port, _): "tcp://\(host.contains(":") ? "[\(host)]" : host):\(port)"
        case .ssh(let host): host.description
        }
    }
}

extension String {
    /// What follows a prefix, nil when the text does not begin with it.
    func removing(prefix: String) -> String? {
        hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil
    }
}
