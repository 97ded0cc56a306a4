import Base64
import EngineAPIModel
import Glibc
import JSON

/// The credentials that docker's clients share: `config.json` in `$DOCKER_CONFIG` or `~/.docker`, and the helper
/// programs that it names.
package struct CredentialFile {
    /// The key of Docker Hub, which is not its name.
    package static let hub = "https://index.docker.io/v1/"

    private var configuration: ClientConfiguration
    private var document: JSONObject { configuration.document }

    /// Reads the user's file; none is an empty one.
    package init() throws(CommandError) {
        try self.init(path: ClientConfiguration.standardPath)
    }

    /// Reads a file; none is an empty one.
    package init(path: String) throws(CommandError) {
        configuration = try ClientConfiguration(path: path)
    }

    /// What has been read already.
    package init(_ configuration: ClientConfiguration) {
        self.configuration = configuration
    }

    /// The key under which the file keeps the credentials of a registry.
    ///
    /// - Parameter server: the first part of an image name, or the argument of `login`.
    package static func key(_ server: String) -> String {
        var text = server[...]
        for scheme in ["https://", "http://"] where text.hasPrefix(scheme) { text = text.dropFirst(scheme.count) }
        let host = String(text.prefix { $0 != "/" })
        return ["", "docker.io", "index.docker.io", "registry-1.docker.io"].contains(host) ? hub : host
    }

    /// The credentials of a registry, or `nil`.
    package func credentials(for key: String) throws(CommandError) -> AuthConfig? {
        if let helper = helper(for: key) { return try CredentialHelper(helper).get(key) }
        guard let entry = entry(key) else { return nil }
        var config = AuthConfig()
        config.serverAddress = key
        config.identityToken = entry["identitytoken"]?.string ?? ""
        config.registryToken = entry["registrytoken"]?.string ?? ""
        config.username = entry["username"]?.string ?? ""
        config.password = entry["password"]?.string ?? ""
        if let bytes = entry["auth"]?.string.flatMap({ Base64.decode($0) }),
            let colon = bytes.firstIndex(of: UInt8(ascii: ":"))
        {
            config.username = String(decoding: bytes[..<colon], as: UTF8.self)
            // Old clients ended it with a zero.
            config.password = String(decoding: bytes[(colon + 1)...].prefix { $0 != 0 }, as: UTF8.self)
        }
        let isEmpty = config.username.isEmpty && config.identityToken.isEmpty && config.registryToken.isEmpty
        return isEmpty ? nil : config
    }

    /// Keeps credentials. Returns whether they are in the file itself, unencrypted, and not with a helper program.
    package mutating func store(_ config: AuthConfig, for key: String) throws(CommandError) -> Bool {
        if let helper = helper(for: key) {
            try CredentialHelper(helper).store(config, key)
            // Docker notes that there is something.
            try change(key, to: .object(JSONObject()))
            return false
        }
        try change(key, to: .object(Self.entry(config)))
        return true
    }

    /// Credentials as the file has them.
    private static func entry(_ config: AuthConfig) -> JSONObject {
        var entry = JSONObject()
        if config.identityToken.isEmpty {
            entry["auth"] = .string(Base64.encode(Array("\(config.username):\(config.password)".utf8)))
        } else {
            entry["auth"] = .string(Base64.encode(Array("\(config.username):".utf8)))
            entry["identitytoken"] = .string(config.identityToken)
        }
        return entry
    }

    /// The credentials of all registries, those of helper programs too, as the file would have them.
    ///
    /// A helper that is for one registry and does not answer is a warning, as with docker.
    package func all() throws(CommandError) -> JSONObject {
        var result = JSONObject()
        let store = document["credsStore"]?.string ?? ""
        let names = store.isEmpty ? document["auths"]?.object?.keys ?? [] : try CredentialHelper(store).list()
        for name in names {
            let own = document["credHelpers"]?[name] != nil
            if !own, let config = try credentials(for: name) { result[name] = .object(Self.entry(config)) }
        }
        for name in document["credHelpers"]?.object?.keys ?? [] {
            do throws(CommandError) {
                if let config = try credentials(for: name) { result[name] = .object(Self.entry(config)) }
            } catch {
                Console.complain("WARNING: Failed to get credentials for registry: \(name): \(error.message)")
            }
        }
        return result
    }

    /// Forgets credentials.
    package mutating func erase(_ key: String) throws(CommandError) {
        if let helper = helper(for: key) { try CredentialHelper(helper).erase(key) }
        try change(key, to: nil)
    }

    /// The file's path.
    package var location: String { configuration.path }

    private func helper(for key: String) -> String? {
        let name = document["credHelpers"]?[key]?.string ?? document["credsStore"]?.string ?? ""
        return name.isEmpty ? nil : name
    }

    private func entry(_ key: String) -> JSONValue? {
        guard let all = document["auths"]?.object else { return nil }
        if let exact = all[key] { return exact }
        return all.first { Self.key($0.0) == key }?.1
    }

    private mutating func change(_ key: String, to entry: JSONValue?) throws(CommandError) {
        var all = JSONObject()
        for (name, value) in document["auths"]?.object ?? JSONObject() where Self.key(name) != key { all[name] = value }
        if let entry { all[key] = entry }
        configuration.document["auths"] = .object(all)
        // Whoever could read the file before, credentials are for its owner.
        try configuration.write(isPrivate: true)
    }
}

extension LocalFile {
    /// Replaces a file at once and as a whole. Owner and mode of the old one stay, and a link to it stays one.
    ///
    /// - Parameters:
    ///   - mode: of a file that did not exist; only its owner may read it if nothing else is said.
    ///   - keepsMode: false gives also a file that existed this mode.
    package static func replace(
        _ path: String, with bytes: [UInt8], mode: mode_t = 0o600, keepsMode: Bool = true
    ) throws(CommandError) {
        var target = path
        if let real = realpath(path, nil) {
            target = String(cString: real)
            free(real)
        }
        let folder = target.lastIndex(of: "/").map { String(target[..<$0]) } ?? "."
        guard mkdir(folder, 0o700) == 0 || errno == EEXIST else {
            throw CommandError("mkdir \(folder): \(Console.words(errno))")
        }
        let temporary = "\(target).\(getpid())"
        let descriptor = Glibc.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw CommandError("open \(temporary): \(Console.words(errno))") }
        var old = stat()
        if stat(target, &old) == 0, old.st_mode & S_IFMT == S_IFREG {
            // Only root can give a file away. The mode comes second, because a change of the owner takes bits of it.
            _ = fchown(descriptor, old.st_uid, old.st_gid)
            if keepsMode { _ = fchmod(descriptor, old.st_mode & 0o7777) }
        }
        let isWritten = Glibc.write(descriptor, bytes, bytes.count) == bytes.count && fsync(descriptor) == 0
        let code = errno
        close(descriptor)
        guard isWritten, rename(temporary, target) == 0 else {
            let reason = isWritten ? errno : code
            unlink(temporary)
            throw CommandError("write \(target): \(Console.words(reason))")
        }
    }
}
