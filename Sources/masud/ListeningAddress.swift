import Addresses
import Engine
import SystemPackage

/// An address of `--host`.
enum ListeningAddress: Hashable, Sendable {
    /// A socket in the file system.
    case unix(FilePath)
    /// An address of this machine; what other machines can reach only with TLS that verifies clients.
    case tcp(host: IPAddress, port: UInt16)
    /// Sockets handed over by the service manager (`fd://`).
    case activation

    /// Reads an address.
    ///
    /// - Parameters:
    ///   - standardSocket: what `unix://` alone means.
    ///   - access: who may speak to the daemon over TCP.
    /// - Throws: `ConfigurationError`.
    init(_ text: String, standardSocket: String, access: ServerTLS.Access) throws(ConfigurationError) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        switch parts[0] {
        case "unix" where text.hasPrefix("unix://"):
            let path = text == "unix://" ? standardSocket.dropFirst(7) : text.dropFirst(7)
            guard path.utf8.count <= 107 else {
                throw ConfigurationError("\(text): the path of a socket can have 107 bytes at most")
            }
            guard path.hasPrefix("/") else {
                throw ConfigurationError("\(text): the path of a socket must be absolute")
            }
            self = .unix(FilePath(String(path)))
        case "tcp" where text.hasPrefix("tcp://"):
            self = try Self.tcp(text.dropFirst(6), text, access)
        case "fd" where text.hasPrefix("fd://"):
            self = .activation
        default:
            guard !text.contains("://") else {
                throw ConfigurationError("invalid bind address (\(text)): unsupported scheme")
            }
            self = try Self.tcp(text[...], text, access)
        }
    }

    private static func tcp(
        _ address: Substring, _ text: String, _ access: ServerTLS.Access
    ) throws(ConfigurationError) -> ListeningAddress {
        var host = address
        var port: UInt16 = 2375
        if let colon = address.lastIndex(of: ":"), !address[colon...].contains("]") {
            let digits = address[address.index(after: colon)...]
            guard let number = UInt16(digits) else {
                throw ConfigurationError("invalid bind address (\(text)): invalid port")
            }
            port = number
            host = address[..<colon]
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        let isOwn = host.isEmpty || host == "localhost"
        guard let address = isOwn ? .loopback(.ipv4) : IPAddress(host) else {
            throw ConfigurationError("invalid bind address (\(text)): \(host) is not an IP address")
        }
        guard address.isLoopback || access == .verified else {
            throw ConfigurationError(refusal(text))
        }
        return .tcp(host: address, port: port)
    }

    /// Why the daemon does not listen where other machines can reach it without a certificate.
    static func refusal(_ address: String) -> String {
        "refusing to listen on \(address): every client that can connect would be root on this machine. "
            + "Use --tlsverify with certificates, or a loopback address, or reach the unix socket through ssh "
            + "(DOCKER_HOST=ssh://…)"
    }
}

extension ListeningAddress: CustomStringConvertible {
    var description: String {
        switch self {
        case .unix(let path): "unix://\(path)"
        case .tcp(let host, let port): "tcp://\(host.isIPv6 ? "[\(host)]" : "\(host)"):\(port)"
        case .activation: "fd://"
        }
    }
}
