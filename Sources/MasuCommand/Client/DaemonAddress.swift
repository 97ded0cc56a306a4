import Text

/// Where a daemon listens.
package enum DaemonAddress: Hashable, Sendable {
    /// A Unix socket's path.
    case unix(String)
    /// A numeric address or a name of `/etc/hosts`, and a port.
    case tcp(host: String, port: UInt16)

    /// Where masud listens by default.
    package static let standard = DaemonAddress.unix("/run/masu/masu.sock")

    /// Parses `unix://PATH`, `tcp://HOST[:PORT]` or a bare `HOST:PORT`.
    package init(parsing text: String) throws(CommandError) {
        if let path = text.removing(prefix: "unix://") {
            guard !path.isEmpty else { throw CommandError("unable to parse docker host `\(text)`") }
            self = .unix(path)
            return
        }
        let rest = text.removing(prefix: "tcp://") ?? text.removing(prefix: "http://") ?? text
        guard !rest.holds("://"), !rest.isEmpty, !rest.hasPrefix("/") else {
            throw CommandError(
                "unable to parse docker host `\(text)`: this client speaks unix:///path/to/socket and tcp://host:port")
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
        case .tcp(let host, let port): "tcp://\(host.contains(":") ? "[\(host)]" : host):\(port)"
        }
    }
}

extension String {
    /// What follows a prefix, nil when the text does not begin with it.
    func removing(prefix: String) -> String? {
        hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil
    }
}
