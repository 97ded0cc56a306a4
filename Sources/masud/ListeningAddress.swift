import Engine
import SystemPackage

/// An address of `--host`.
enum ListeningAddress: Hashable, Sendable {
    /// A socket in the file system.
    case unix(FilePath)
    /// A loopback address; nothing else is listened on without TLS.
    case tcp(host: LoopbackHost, port: UInt16)
    /// Sockets handed over by the service manager (`fd://`).
    case activation

    /// The addresses of this machine that only this machine can reach.
    enum LoopbackHost: Hashable, Sendable {
        case v4(UInt8, UInt8, UInt8, UInt8)
        case v6
    }

    /// Reads an address; `standardSocket` is what `unix://` alone means.
    ///
    /// - Throws: `ConfigurationError`.
    init(_ text: String, standardSocket: String) throws(ConfigurationError) {
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
            self = try Self.tcp(text.dropFirst(6), text)
        case "fd" where text.hasPrefix("fd://"):
            self = .activation
        default:
            guard !text.contains("://") else {
                throw ConfigurationError("invalid bind address (\(text)): unsupported scheme")
            }
            self = try Self.tcp(text[...], text)
        }
    }

    private static func tcp(_ address: Substring, _ text: String) throws(ConfigurationError) -> ListeningAddress {
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
        switch host {
        case "", "localhost": return .tcp(host: .v4(127, 0, 0, 1), port: port)
        case "[::1]": return .tcp(host: .v6, port: port)
        default:
            let bytes = host.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
            guard bytes.count == 4, bytes[0] == 127, let b = bytes[1], let c = bytes[2], let d = bytes[3] else {
                throw ConfigurationError(
                    "refusing to listen on \(text): every client that can connect is root on this machine, and this "
                        + "version has no TLS. "
                        + "Use a loopback address, or reach the unix socket through ssh (DOCKER_HOST=ssh://…)")
            }
            return .tcp(host: .v4(127, b, c, d), port: port)
        }
    }
}

extension ListeningAddress: CustomStringConvertible {
    var description: String {
        switch self {
        case .unix(let path): "unix://\(path)"
        case .tcp(.v4(let a, let b, let c, let d), let port): "tcp://\(a).\(b).\(c).\(d):\(port)"
        case .tcp(.v6, let port): "tcp://[::1]:\(port)"
        case .activation: "fd://"
        }
    }
}
