import SystemPackage
import Text

/// Where a plugin listens.
enum PluginAddress: Hashable, Sendable, CustomStringConvertible {
    case unix(FilePath)
    case tcp(host: String, port: UInt16)

    /// Reads `unix:///path`, `tcp://host:port` or `http://host:port`.
    init(_ text: String) throws(VolumesError) {
        let parts = text.pieces(separatedBy: "://")
        guard parts.count == 2, !parts[0].isEmpty else { throw .system("Unknown protocol") }
        switch parts[0] {
        case "unix" where parts[1].hasPrefix("/"): self = .unix(FilePath(parts[1]))
        case "tcp", "http":
            var place = parts[1]
            if place.hasSuffix("/") { place.removeLast() }
            guard let colon = place.lastIndex(of: ":"), let port = UInt16(place[place.index(after: colon)...]), port > 0
            else { throw .system("the address \(text) of a plugin has no port") }
            var host = String(place[..<colon])
            if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
            self = .tcp(host: host, port: port)
        case "https":
            throw VolumesError(.notImplemented, "this version does not speak TLS with plugins: \(text)")
        default: throw .system("the address \(text) of a plugin is not one of unix, tcp and http")
        }
    }

    var description: String {
        switch self {
        case .unix(let path): "unix://\(path)"
        case .tcp(let host, let port): "tcp://\(host):\(port)"
        }
    }

    /// As Go's packages write it in their errors.
    var dialText: String {
        switch self {
        case .unix(let path): "dial unix \(path)"
        case .tcp(let host, let port): "dial tcp \(host):\(port)"
        }
    }

    /// What stands in requests for the host.
    var host: String {
        switch self {
        case .unix: "plugin.moby.localhost"
        case .tcp(let host, let port): "\(host):\(port)"
        }
    }
}
