import Text

/// An absolute `http` or `https` URL (RFC 3986), as far as registries use it.
package struct WebAddress: Hashable, Sendable {
    /// The protocol of an address.
    package enum Scheme: String, Hashable, Sendable {
        case http
        case https

        var port: Int { self == .http ? 80 : 443 }
    }

    /// The protocol.
    package var scheme: Scheme
    /// A name or a numeric address, without brackets.
    package var host: String
    /// The port; that of the scheme if the address names none.
    package var port: Int
    /// Path and query; begins with a slash.
    package var target: String

    /// An address with its parts.
    package init(scheme: Scheme, host: String, port: Int, target: String = "/") {
        self.scheme = scheme
        self.host = host
        self.port = port
        self.target = target
    }

    /// Reads an absolute URL; `nil` for anything else.
    package init?(_ text: some StringProtocol) {
        guard let colon = text.range(of: "://") else { return nil }
        guard let scheme = Scheme(rawValue: text[..<colon.lowerBound].lowercased()) else { return nil }
        let rest = text[colon.upperBound...]
        let end = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
        var authority = rest[..<end]
        if let at = authority.lastIndex(of: "@") { authority = authority[authority.index(after: at)...] }
        guard let (host, port) = Self.split(String(authority)) else { return nil }
        let path = rest[end...].prefix { $0 != "#" }
        self.init(
            scheme: scheme, host: host, port: port ?? scheme.port,
            target: path.isEmpty ? "/" : path.first == "/" ? String(path) : "/" + path)
    }

    /// The address of a registry as image names have it: `host`, `host:port`, `[::1]:port`.
    package init?(scheme: Scheme, authority: String) {
        guard let (host, port) = Self.split(authority) else { return nil }
        self.init(scheme: scheme, host: host, port: port ?? scheme.port)
    }

    /// Host and port of an authority.
    static func split(_ authority: String) -> (host: String, port: Int?)? {
        var host = authority[...]
        var port: Int?
        if let colon = host.lastIndex(of: ":"), !host[colon...].contains("]") {
            guard let number = Int(host[host.index(after: colon)...]), (1...65535).contains(number) else { return nil }
            port = number
            host = host[..<colon]
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        return host.isEmpty ? nil : (String(host), port)
    }

    /// What the `Host` header says: the port only where it is not the scheme's own.
    package var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == scheme.port ? name : "\(name):\(port)"
    }

    /// Where a `Location` header points to, seen from here; `nil` if it is no URL.
    func resolving(_ location: String) -> WebAddress? {
        if location.contains("://") { return WebAddress(location) }
        if location.hasPrefix("//") { return WebAddress("\(scheme.rawValue):\(location)") }
        var found = self
        if location.hasPrefix("/") {
            found.target = String(location.prefix { $0 != "#" })
        } else if location.hasPrefix("?") {
            found.target = String(target.prefix { $0 != "?" }) + location
        } else {
            let path = target.prefix { $0 != "?" }
            found.target =
                String(path[...(path.lastIndex(of: "/") ?? path.startIndex)]) + String(location.prefix { $0 != "#" })
        }
        return found
    }

    /// With one more parameter in the query. `value` is escaped here.
    func adding(_ name: String, _ value: String) -> WebAddress {
        var more = self
        more.target += (target.contains("?") ? "&" : "?") + name + "=" + PercentEncoding.encode(value)
        return more
    }

    /// Whether the same server answers there.
    func isSameServer(as other: WebAddress) -> Bool {
        scheme == other.scheme && host == other.host && port == other.port
    }
}

extension WebAddress: CustomStringConvertible {
    package var description: String { "\(scheme.rawValue)://\(authority)\(target)" }
}

extension StringProtocol {
    /// The first place where `text` stands; the standard library has it for regular expressions only.
    fileprivate func range(of text: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
            start = index(after: start)
        }
        return nil
    }
}
