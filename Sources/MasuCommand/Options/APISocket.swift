import EngineAPIModel
import JSON
import Tar

/// `--use-api-socket`: a container that talks to the daemon, with the user's credentials for registries.
struct APISocket {
    /// Where docker's clients in the container look for the socket.
    private static let place = "/var/run/docker.sock"
    /// The directory of their `config.json`.
    private static let directory = "/run/secrets/docker"
    private static let variable = "DOCKER_CONFIG="

    /// The credentials as `config.json` has them; empty for none.
    private let credentials: JSONObject

    /// Adds the socket to a container that is to be made.
    ///
    /// - Throws: ``CommandError`` where the daemon has no socket of this machine, and for credentials that cannot be
    ///   read.
    init(of client: DaemonClient, for request: inout ContainerCreateRequest) throws {
        guard case .unix(let path) = client.address else {
            throw CommandError(
                "flag --use-api-socket can only be used with unix sockets: docker endpoint "
                    + "\(client.address.description) incompatible")
        }
        var mount = Mount()
        mount.type = "bind"
        mount.source = path
        mount.target = Self.place
        mount.bindOptions = BindOptions()
        request.hostConfig.mounts.append(mount)
        // Whoever names a configuration of their own has its credentials.
        let variables = request.config.env ?? []
        guard !variables.contains(where: { $0.hasPrefix(Self.variable) }) else {
            credentials = JSONObject()
            return
        }
        do throws(CommandError) {
            credentials = try CredentialFile(ClientConfiguration.user).all()
        } catch {
            throw CommandError("resolving credentials failed: \(error.message)")
        }
        if !credentials.keys.isEmpty { request.config.env = variables + [Self.variable + Self.directory] }
    }

    /// Puts the credentials into the container, in a file that only root may read.
    func inject(into id: String, _ client: DaemonClient) throws {
        guard !credentials.keys.isEmpty else { return }
        var configuration = JSONObject()
        configuration["auths"] = .object(credentials)
        let bytes = JSONValue.object(configuration).serialized(pretty: true)
        do {
            var archive: [UInt8] = []
            var writer = TarWriter { archive += $0 }
            var entry = TarEntry(
                kind: .file, name: Array("\(Self.directory.dropFirst())/config.json".utf8), mode: 0o600)
            entry.size = Int64(bytes.count)
            try writer.add(entry)
            try writer.write(bytes)
            try writer.finish()
            var request = HTTPRequest("PUT", "/containers/\(id)/archive", query: [("path", "/")])
            request.headers.append(("Content-Type", "application/x-tar"))
            request.body = archive
            try client.call(request)
        } catch {
            throw CommandError("injecting docker config.json into container failed: \(describe(error))")
        }
    }
}
