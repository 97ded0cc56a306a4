import Flags
import Glibc
import SystemPackage
import TLS

/// TLS on the API's TCP sockets: the flags, and which of them mean what, are dockerd's.
enum ServerTLS {
    static let isUsed = Flag.boolean("tls", "Use TLS on TCP sockets; implied by --tlsverify")
    static let verifiesClients = Flag.boolean(
        "tlsverify", "Use TLS, and let in only clients with a certificate (default: as --tls)")
    static let authority = Flag.string(
        "tlscacert", "Authority that signs the clients' certificates (default \"~/.docker/ca.pem\")")
    static let certificate = Flag.string("tlscert", "The daemon's certificate (default \"~/.docker/cert.pem\")")
    static let key = Flag.string("tlskey", "Private key of the certificate (default \"~/.docker/key.pem\")")

    static let all: [any DaemonFlag] = [isUsed, verifiesClients, authority, certificate, key]

    /// Where a daemon with TLS listens if nothing else is said, as with dockerd.
    static let standardHost = "tcp://localhost:2376"

    /// Who may speak to the daemon over TCP.
    enum Access: Hashable, Sendable {
        /// Who can connect, without encryption.
        case plain
        /// Who can connect.
        case encrypted
        /// Who has a certificate of the authority.
        case verified

        /// What the flags say. Who speaks of verification at all wants TLS, but for who switches both off; and TLS
        /// verifies clients unless that is switched off.
        init(_ flags: ParsedFlags) {
            let isOff = flags.isSet(isUsed) && !flags[isUsed]
            switch flags.given(verifiesClients) {
            case true?: self = .verified
            case false?: self = isOff ? .plain : .encrypted
            case nil: self = flags[isUsed] ? .verified : .plain
            }
        }
    }

    /// What the connections have in common; nil without TLS.
    ///
    /// - Throws: `StartError` that names the files and what is wrong.
    static func context(_ flags: ParsedFlags) throws -> TLSContext? {
        let access = Access(flags)
        guard access != .plain else { return nil }
        func path(_ flag: Flag<String>, _ name: String) -> FilePath {
            flags.given(flag).map { FilePath($0) } ?? directory.appending(name)
        }
        let (chain, key) = (path(certificate, "cert.pem"), path(key, "key.pem"))
        let identity: TLSIdentity
        do {
            identity = try TLSIdentity(chainFile: chain, keyFile: key)
            _ = try TLSContext(server: identity)
        } catch {
            throw StartError(
                "invalid TLS configuration: could not load X509 key pair (cert: \"\(chain)\", key: \"\(key)\"): "
                    + "\(error)")
        }
        guard access == .verified else { return try TLSContext(server: identity) }
        let authority = path(authority, "ca.pem")
        do {
            return try TLSContext(server: identity, clients: .required(authorities: [authority]))
        } catch {
            throw StartError("invalid TLS configuration: could not read CA certificate \"\(authority)\": \(error)")
        }
    }

    /// Where the files are if nothing else is said, as with dockerd.
    private static var directory: FilePath {
        func variable(_ name: String) -> String? {
            getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
        }
        return (variable("DOCKER_CERT_PATH") ?? variable("DOCKER_CONFIG")).map { FilePath($0) }
            ?? FilePath(variable("HOME") ?? "/root").appending(".docker")
    }
}
