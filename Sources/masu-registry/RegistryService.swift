import BuildInformation
import Distribution
import Flags
import Glibc
import HTTPServing
import LinuxKernel
import Logging
import NIOPosix
import Registry
import SystemPackage
import TLS

/// A registry that serves: the server and what goes on beside it.
struct RegistryService: Sendable {
    private let store: RegistryStore
    private let uploads: Uploads
    private let server: HTTPServer
    private let logger: Logger
    private let addresses: [(host: String, port: Int)]
    private let interval: Duration?
    private let grace: Int64
    private let removesUntagged: Bool

    /// Reads everything that the flags name, before anything listens.
    init(flags: ParsedFlags, root: FilePath, logger: Logger) async throws {
        let given = flags[RegistryFlags.listen]
        addresses = try (given.isEmpty ? ["127.0.0.1:5000"] : given).map(Self.address)
        let tls = try Self.tls(flags[RegistryFlags.certificate], flags[RegistryFlags.key])
        store = try RegistryProgram.store(root, logger)
        uploads = Uploads(of: store)
        let access = try await Self.access(flags, store)
        let publicURL = flags[RegistryFlags.publicURL]
        let upstream = try Self.upstream(flags, store, logger)
        let api = RegistryAPI(
            store: store, uploads: uploads, access: access, upstream: upstream,
            publicURL: publicURL.isEmpty ? nil : publicURL,
            logger: logger)
        server = HTTPServer(
            group: MultiThreadedEventLoopGroup.singleton, responder: api.responder, limits: Self.limits(flags), tls: tls
        )
        self.logger = logger
        let minutes = flags[RegistryFlags.interval]
        interval = minutes > 0 ? .seconds(minutes * 60) : nil
        grace = Int64(flags[RegistryFlags.grace]) * 60
        removesUntagged = flags[RegistryFlags.untagged]
    }

    /// Clients are programs, and may be anybody's: none of them has a reason to stand still.
    private static func limits(_ flags: ParsedFlags) -> ConnectionLimits {
        var limits = ConnectionLimits()
        limits.connections = max(1, flags[RegistryFlags.maxConnections])
        limits.headTime = .seconds(30)
        limits.idleTime = .seconds(60)
        limits.bodyTime = .seconds(120)
        limits.uploadTime = .seconds(120)
        limits.answerTime = .seconds(60)
        limits.streamTime = .seconds(120)
        return limits
    }

    private static func access(_ flags: ParsedFlags, _ store: RegistryStore) async throws -> AccessControl {
        let path = flags[RegistryFlags.passwords]
        guard !path.isEmpty else {
            guard !flags[RegistryFlags.anonymousPull], flags[RegistryFlags.method] == "basic" else {
                throw ProgramError("--auth=token and --anonymous-pull need users: name their file with --passwords")
            }
            return .open
        }
        return AccessControl(
            passwords: try PasswordFile(FilePath(path)),
            method: AccessControl.Method(rawValue: flags[RegistryFlags.method]) ?? .basic,
            anonymousPull: flags[RegistryFlags.anonymousPull], key: try await store.secret("token"))
    }

    private static func upstream(_ flags: ParsedFlags, _ store: RegistryStore, _ logger: Logger) throws -> PullThrough?
    {
        let (text, user) = (flags[RegistryFlags.proxy], flags[RegistryFlags.proxyUser])
        let file = flags[RegistryFlags.proxyPassword]
        guard !text.isEmpty else {
            guard user.isEmpty, file.isEmpty else { throw ProgramError("--proxy-user needs --proxy") }
            return nil
        }
        guard user.isEmpty == file.isEmpty else {
            throw ProgramError("--proxy-user and --proxy-password-file need each other")
        }
        var credentials = RegistryCredentials.anonymous
        if !user.isEmpty {
            let content: String
            do {
                content = try Files.readText(FilePath(file))
            } catch {
                throw ProgramError("cannot read \(file) (--proxy-password-file): \(error)")
            }
            credentials = .password(user: user, password: String(content.prefix { !$0.isNewline }))
        }
        var settings = RegistrySettings()
        settings.userAgent = "masu-registry/\(MasuVersion.version)"
        settings.proxies = ProxySettings { name in getenv(name).map { String(cString: $0) } }
        guard let address = WebAddress(text.contains("://") ? text : "https://" + text), address.target == "/" else {
            throw ProgramError("invalid registry \"\(text)\" (--proxy): expected docker.io or http(s)://host[:port]")
        }
        let isHub = ["docker.io", "index.docker.io", "registry-1.docker.io"].contains(address.authority)
        if address.scheme == .http { settings.insecureRegistries.append(address.authority) }
        return PullThrough(
            of: store, domain: isHub ? "docker.io" : address.authority, credentials: credentials,
            registries: Registries(settings), logger: logger)
    }

    private static func tls(_ certificate: String, _ key: String) throws -> TLSContext? {
        if certificate.isEmpty, key.isEmpty { return nil }
        guard !certificate.isEmpty, !key.isEmpty else {
            throw ProgramError("--tls-certificate and --tls-key need each other")
        }
        do {
            return try TLSContext(
                server: TLSIdentity(chainFile: FilePath(certificate), keyFile: FilePath(key)))
        } catch {
            throw ProgramError("cannot use the certificate \(certificate) with the key \(key): \(error)")
        }
    }

    private static func address(_ text: String) throws -> (host: String, port: Int) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            throw ProgramError("invalid address \"\(text)\": expected host:port (--listen)")
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        return (host.isEmpty ? "0.0.0.0" : String(host), Int(port))
    }

    /// Serves until `stop` returns.
    func run(until stop: @Sendable () async -> Void) async throws {
        for (host, port) in addresses {
            let actual = try await server.listen(host: host, port: port)
            logger.info("listening", metadata: ["address": "\(host.contains(":") ? "[\(host)]" : host):\(actual)"])
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await settle() }
            group.addTask { await collect() }
            await stop()
            group.cancelAll()
        }
        logger.info("stopping")
        await server.stop(grace: .seconds(10))
        // The next start would have to read all of it.
        do { try await store.settle() } catch { warn("cannot flush pushed blobs to the disk", error) }
    }

    private func settle() async {
        while (try? await Task.sleep(for: .seconds(10))) != nil {  // until it is cancelled
            do { try await store.settle() } catch { warn("cannot flush pushed blobs to the disk", error) }
        }
    }

    private func collect() async {
        guard let interval else { return }
        while (try? await Task.sleep(for: interval)) != nil {  // until it is cancelled
            do {
                try await uploads.expire(startedBefore: Int64(time(nil)) - 7 * 86400)
                let report = try await store.collect(grace: grace, removesUntagged: removesUntagged)
                guard report != CollectionReport() else { continue }
                logger.info(
                    "collected",
                    metadata: [
                        "manifests": "\(report.manifests)", "blobs": "\(report.blobs)", "bytes": "\(report.freed)",
                    ])
            } catch {
                warn("cannot collect unused blobs", error)
            }
        }
    }

    private func warn(_ message: Logger.Message, _ error: any Error) {
        logger.warning(message, metadata: ["error": "\(error)"])
    }
}
