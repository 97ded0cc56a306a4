import EngineAPIModel
import Flags
import Glibc
import JSON

/// The commands about registries.
enum RegistryCommands {
    private static let user = Flag.string("username", short: "u", "Username")
    private static let password = Flag.string("password", short: "p", "Password or Personal Access Token (PAT)")
    private static let fromInput = Flag.boolean(
        "password-stdin", "Take the Password or Personal Access Token (PAT) from stdin")

    static let logIn = Command(
        "login", operands: "[SERVER]", arity: .atMost(1), "Authenticate to a registry",
        discussion: """
            Check a user's password with a registry, and keep it for pulls and pushes: in ~/.docker/config.json, \
            or with the helper program that this file names (credsStore, credHelpers). The default server is Docker Hub.
            """,
        examples: [
            .init(
                "Read the password from a file",
                "masu login -u me --password-stdin registry.example.org < password")
        ], flags: { [password, fromInput, user] }, action: logIn)

    static let logOut = Command(
        "logout", operands: "[SERVER]", arity: .atMost(1), "Log out from a registry",
        examples: [.init("Remove the password", "masu logout registry.example.org")],
        action: { invocation in
            let key = CredentialFile.key(invocation.operands.first ?? "")
            try Console.print("Removing login credentials for \(key)")
            var file = try CredentialFile()
            do throws(CommandError) {
                try file.erase(key)
            } catch {
                Console.complain("WARNING: could not erase credentials:\n\(key): \(error.message)")
            }
            return 0
        })

    private static func logIn(_ invocation: Invocation) throws -> Int32 {
        let flags = invocation.flags
        if flags.isSet(password) {
            if flags[fromInput] { throw CommandError("--password and --password-stdin are mutually exclusive") }
            Console.complain("WARNING! Using --password via the CLI is insecure. Use --password-stdin.")
        }
        if flags[fromInput], flags[user].isEmpty {
            throw CommandError("Must provide --username with --password-stdin")
        }
        let key = CredentialFile.key(invocation.operands.first ?? "")
        var file = try CredentialFile()
        let client = try DaemonClient(invocation)
        var config = AuthConfig()
        if flags[user].isEmpty, flags[password].isEmpty, let known = try file.credentials(for: key) {
            try Console.print("Authenticating with existing credentials...")
            config = known
            do {
                return try finish(config, key, &file, client, isKnown: true)
            } catch let error as DaemonError where error.httpStatus == 401 {
                Console.complain("Login did not succeed, error: \(error.description)")
            }
        }
        config = AuthConfig()
        config.serverAddress = key
        config.username = flags[user]
        config.password = flags[password]
        if flags[fromInput] { config.password = try LineInput.all().trimmingLineFeeds() }
        if config.username.isEmpty || config.password.isEmpty {
            guard Terminal.isTerminal(STDIN_FILENO) else {
                throw CommandError("Error: Cannot perform an interactive login from a non TTY device")
            }
            if config.username.isEmpty { config.username = try LineInput.ask("Username: ") }
            guard !config.username.isEmpty else { throw CommandError("Error: Non-null Username Required") }
            if config.password.isEmpty { config.password = try LineInput.ask("Password: ", isHidden: true) }
            guard !config.password.isEmpty else { throw CommandError("Error: Password Required") }
        }
        return try finish(config, key, &file, client)
    }

    private static func finish(
        _ config: AuthConfig, _ key: String, _ file: inout CredentialFile, _ client: DaemonClient, isKnown: Bool = false
    ) throws -> Int32 {
        var config = config
        config.serverAddress = key
        let answer = try client.call(
            HTTPRequest("POST", "/auth", body: try JSON.encode(config)), as: AuthResponse.self)
        if !answer.identityToken.isEmpty {
            config.password = ""
            config.identityToken = answer.identityToken
        }
        let isNew = !isKnown || !answer.identityToken.isEmpty
        if isNew, try file.store(config, for: key) {
            Console.complain(
                """

                WARNING! Your credentials are stored unencrypted in '\(file.location)'.
                Configure a credential helper to remove this warning. See
                https://docs.docker.com/go/credential-store/

                """)
        }
        try Console.print(answer.status)
        return 0
    }

    // MARK: Search

    private static let filter = Flag.list(
        "filter", short: "f", type: "filter", "Filter output based on conditions provided", check: Filters.check)
    private static let limit = Flag.integer("limit", "Max number of search results")
    private static let noTrunc = Flag.boolean("no-trunc", "Don't truncate output")

    static let search = Command(
        "search", operands: "TERM", arity: .exactly(1), "Search Docker Hub for images",
        examples: [.init("List official images only", "masu search --filter is-official=true debian")],
        flags: { [filter, FormatFlags.list, limit, noTrunc] },
        action: { invocation in
            let flags = invocation.flags
            let term = invocation.operands[0]
            var request = HTTPRequest(
                "GET", "/images/search",
                query: [
                    ("term", term), ("limit", flags[limit] == 0 ? nil : String(flags[limit])),
                    ("filters", Filters.query(flags[filter])),
                ])
            if let header = try RegistryAccess.header(for: term) { request.headers.append(header) }
            let results = try DaemonClient(invocation).call(request, as: [ImageSearchResult].self)
            let rows = results.sorted { $0.stars > $1.stars }.map { row($0, truncates: !flags[noTrunc]) }
            let listing = Listing(
                columns: [
                    .init("Name", "NAME"), .init("Description", "DESCRIPTION"), .init("StarCount", "STARS"),
                    .init("IsOfficial", "OFFICIAL"), .init("IsAutomated", "AUTOMATED"),
                ], defaultTable: "{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}")
            try Console.write(listing.rendered(rows, format: flags[FormatFlags.list]))
            return 0
        })

    private static func row(_ result: ImageSearchResult, truncates: Bool) -> Listing.Row {
        var values = JSONObject()
        values["Name"] = .string(result.name)
        let text = String(result.description.map { $0.isNewline ? " " : $0 })
        values["Description"] = .string(truncates && text.count > 45 ? text.prefix(44) + "…" : text)
        values["StarCount"] = .string(String(result.stars))
        values["IsOfficial"] = .string(result.isOfficial ? "[OK]" : "")
        values["IsAutomated"] = .string(result.isAutomated ? "[OK]" : "")
        return Listing.Row(values)
    }
}

/// What a user types in.
enum LineInput {
    /// All of standard input.
    static func all() throws(CommandError) -> String {
        String(decoding: try LocalFile.read("/dev/stdin"), as: UTF8.self)
    }

    /// One line after a question; hidden: without showing it.
    static func ask(_ question: String, isHidden: Bool = false) throws -> String {
        try Console.write(question)
        var settings = termios()
        let isTerminal = isHidden && tcgetattr(STDIN_FILENO, &settings) == 0
        let saved = settings
        if isTerminal {
            settings.c_lflag &= ~tcflag_t(ECHO)
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings)
        }
        let line = readLine() ?? ""
        if isTerminal {
            var old = saved
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &old)
            try Console.print("")
        }
        return line
    }
}
