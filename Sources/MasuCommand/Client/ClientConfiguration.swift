import JSON

/// What a user has written down for docker's clients: `config.json` in `$DOCKER_CONFIG` or `~/.docker`.
package struct ClientConfiguration: Sendable {
    /// The file's path.
    let path: String
    /// What the file holds, including what this program does not know.
    var document: JSONObject

    /// The configuration of the user of this program. If the file cannot be read, a warning says so once and the
    /// command goes on without it, as with docker.
    static let user: ClientConfiguration = {
        do throws(CommandError) {
            return try ClientConfiguration(path: standardPath)
        } catch {
            Console.complain("WARNING: Error \(error.message)")
            return ClientConfiguration()
        }
    }()

    /// Where the file of this program's user is.
    static var standardPath: String {
        (Console.environment("DOCKER_CONFIG") ?? (Console.environment("HOME") ?? "/root") + "/.docker") + "/config.json"
    }

    private init() {
        path = Self.standardPath
        document = JSONObject()
    }

    /// Reads a file; one that is not there or is empty is an empty configuration.
    ///
    /// - Throws: ``CommandError`` with the path and the reason.
    package init(path: String) throws(CommandError) {
        self.path = path
        guard LocalFile.exists(path) else {
            document = JSONObject()
            return
        }
        let bytes = try LocalFile.read(path)
        guard bytes.contains(where: { $0 > 0x20 }) else {
            document = JSONObject()
            return
        }
        do throws(JSONError) {
            guard let object = try JSON.parse(bytes).object else {
                throw JSONError.value(path: "", reason: "must be an object")
            }
            document = object
        } catch {
            throw CommandError("loading config file: \(path): \(error)")
        }
    }

    /// The name of the context in use; empty for `default`.
    package var currentContext: String {
        get { document["currentContext"]?.string ?? "" }
        set { document["currentContext"] = newValue.isEmpty ? nil : .string(newValue) }
    }

    /// The format of a list whose command has no `--format`, by its key: `psFormat`; empty for the standard one.
    package func format(_ key: String) -> String { document[key]?.string ?? "" }

    /// What prune commands filter by: what is given, and `pruneFilters` of the file, but for those that contradict.
    package func pruneFilters(_ given: [String]) -> [String] {
        let opposites = ["label": "label!", "label!": "label"]
        let own = (document["pruneFilters"]?.array ?? []).compactMap(\.string).filter { text in
            let (name, value, hasValue) = KeyValueTexts.divide(text)
            guard hasValue else { return false }
            return !given.contains {
                Filters.name(of: $0) == opposites[name] && KeyValueTexts.divide($0).value == value
            }
        }
        return given + own
    }

    /// Headers of every request to a daemon, in the order of the file. Docker's clients name their program themselves.
    package var headers: [(String, String)] {
        (document["HttpHeaders"]?.object ?? JSONObject()).compactMap { name, value in
            guard let text = value.string, name.lowercased() != "user-agent" else { return nil }
            let isPlain = !(name + text).unicodeScalars.contains { $0.value < 0x20 }
            return isPlain ? (name, text) : nil
        }
    }

    /// Another name of a plugin that commands are handed to; docker knows `builder`.
    package func alias(_ name: String) -> String? { document["aliases"]?[name]?.string }

    /// Directories in which plugins of the command line are, beside the usual ones.
    package var pluginDirectories: [String] {
        (document["cliPluginsExtraDirs"]?.array ?? []).compactMap(\.string)
    }

    /// What is set up for plugins, by their names: `hooks` and others.
    package var plugins: JSONObject { document["plugins"]?.object ?? JSONObject() }

    /// Writes the file, with all that this program does not know, at once and as a whole.
    ///
    /// - Parameter isPrivate: whether only its owner may read it from now on.
    package func write(isPrivate: Bool = false) throws(CommandError) {
        let bytes = JSONValue.object(document).serialized(pretty: true) + [10]
        try LocalFile.replace(path, with: bytes, keepsMode: !isPrivate)
    }

    /// The keys that detach from a container where no `--detach-keys` is given; empty for docker's default.
    package var detachKeys: String { document["detachKeys"]?.string ?? "" }

    /// The variables that tell a container's programs which proxies to use, for containers of one daemon: those of
    /// `proxies` under the daemon's address, or else under `default`, each in upper and in lower case.
    ///
    /// - Parameters:
    ///   - address: the daemon's, such as `unix:///run/masu/masu.sock`.
    ///   - given: variables that the user has set; those keep what they are.
    package func proxyVariables(for address: String, besides given: [String]) -> [String] {
        let all = document["proxies"]
        guard let proxies = all?[address] ?? all?["default"] else { return [] }
        let names = Set(given.map { KeyValueTexts.divide($0).name })
        let members = [
            ("httpProxy", "HTTP_PROXY"), ("httpsProxy", "HTTPS_PROXY"), ("noProxy", "NO_PROXY"),
            ("ftpProxy", "FTP_PROXY"), ("allProxy", "ALL_PROXY"),
        ]
        return members.flatMap { member, name -> [String] in
            guard let value = proxies[member]?.string, !value.isEmpty else { return [] }
            return [name, name.lowercased()].filter { !names.contains($0) }.map { "\($0)=\(value)" }
        }
    }
}
