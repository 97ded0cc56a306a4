import Text

/// A machine reached with `ssh`: `ssh://[USER@]HOST[:PORT][/PATH]`.
package struct SSHHost: Hashable, Sendable {
    /// Nil: as ssh's configuration says.
    package let user: String?
    /// A name or an address; IPv6 without brackets.
    package let host: String
    /// Nil: as ssh's configuration says.
    package let port: String?
    /// The daemon's socket on that machine; empty for the one its command line chooses.
    package let path: String

    /// Parses what follows `ssh://`.
    ///
    /// - Throws: ``CommandError`` in docker's words.
    package init(parsing text: String) throws(CommandError) {
        func invalid(_ reason: String) -> CommandError {
            CommandError("Failed to initialize: ssh host connection is not valid: invalid SSH URL: \(reason)")
        }
        var rest = text[...]
        if let mark = rest.firstIndex(of: "#") {
            throw invalid("fragments are not allowed: \"\(rest[rest.index(after: mark)...])\"")
        }
        if let mark = rest.firstIndex(of: "?") {
            throw invalid("query parameters are not allowed: \"\(rest[rest.index(after: mark)...])\"")
        }
        let authority = rest.prefix { $0 != "/" }
        rest = rest[authority.endIndex...]
        path = rest == "/" ? "" : String(rest)
        var machine = authority
        if let at = authority.lastIndex(of: "@") {
            let name = authority[..<at]
            guard !name.contains(":") else { throw invalid("plain-text password is not supported") }
            guard let decoded = PercentEncoding.decode(name) else { throw invalid("invalid userinfo") }
            user = decoded.isEmpty ? nil : decoded
            machine = authority[authority.index(after: at)...]
        } else {
            user = nil
        }
        if let colon = machine.lastIndex(of: ":"), !machine[colon...].contains("]") {
            let digits = machine[machine.index(after: colon)...]
            guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
                throw invalid("invalid port \":\(digits)\" after host")
            }
            port = digits.isEmpty ? nil : String(digits)
            machine = machine[..<colon]
        } else {
            port = nil
        }
        if machine.hasPrefix("["), machine.hasSuffix("]") { machine = machine.dropFirst().dropLast() }
        guard !machine.isEmpty else { throw invalid("hostname is empty") }
        host = String(machine)
    }

    /// The address as messages show it.
    package var description: String {
        let name = user.map { PercentEncoding.encode($0) + "@" } ?? ""
        return "ssh://\(name)\(host.contains(":") ? "[\(host)]" : host)\(port.map { ":" + $0 } ?? "")\(path)"
    }

    /// The command line of ssh, as docker's. The other machine's shell gets the last word: it has masu, or else docker.
    package var arguments: [String] {
        var words = ["ssh", "-o", "ConnectTimeout=30", "-T"]
        if let user { words += ["-l", user] }
        if let port { words += ["-p", port] }
        let place = path.isEmpty ? "" : "--host \(Self.quoted("unix://" + path)) "
        let command = "\(place)system dial-stdio"
        // Whatever shell the user has there, sh reads this.
        let text = "if command -v masu >/dev/null; then exec masu \(command); else exec docker \(command); fi"
        return words + ["--", host, "sh -c " + Self.quoted(text)]
    }

    /// A word for a POSIX shell.
    static func quoted(_ word: String) -> String {
        "'" + word.pieces(separatedBy: "'").joined(separator: "'\\''") + "'"
    }
}
