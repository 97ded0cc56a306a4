import NIOHTTP1

/// What Docker's API has and this engine refuses.
extension APITable {
    static let builds: [APIEndpoint] = [
        APIEndpoint(
            .POST, "/build", "builds an image", answer: .anything(), refusal: .notYet("building images")),
        APIEndpoint(
            .POST, "/build/prune", "removes what builds keep for the next ones", versions: .from(31),
            [
                .integer("keep-storage", "bytes to keep", .before(52)),
                .integer("reserved-space", "bytes to keep", .from(48)),
                .integer("max-used-space", "bytes that may be in use", .from(48)),
                .integer("min-free-space", "bytes that have to be free", .from(48)),
                .flag("all", "also what is in use"), .filters("those of BuildKit"),
            ], answer: .anything()),
        APIEndpoint(
            .POST, "/build/cancel", "ends a build", [.text("id", "which")], refusal: .notYet("building images")),
        APIEndpoint(
            .POST, "/session", "a connection for a build", answer: .connection, refusal: .notYet("building images")),
        APIEndpoint(
            .POST, "/grpc", "a connection to BuildKit", answer: .connection, refusal: .notYet("building images")),
    ]

    static let plugins: [APIEndpoint] = [
        APIEndpoint(.GET, "/plugins", "lists managed plugins: there are none", answer: .anything()),
        APIEndpoint(
            .GET, "/plugins/privileges", "tells what a plugin wants", [.text("remote", "which")],
            answer: .anything(), refusal: .notYet("using plugins")),
        APIEndpoint(
            .POST, "/plugins/pull", "installs a plugin", [.text("remote", "which"), .text("name", "its name here")],
            refusal: .notYet("using plugins")),
        APIEndpoint(
            .POST, "/plugins/create", "makes a plugin", [.text("name", "its name")], body: .archive,
            refusal: .notYet("using plugins")),
        APIEndpoint(
            .GET, "/plugins/{name}/json", "tells all about a plugin", answer: .anything(), refusal: .noPlugin),
        APIEndpoint(
            .DELETE, "/plugins/{name}", "removes a plugin", [.flag("force", "also a running one")],
            answer: .anything(), refusal: .noPlugin),
        APIEndpoint(
            .POST, "/plugins/{name}/enable", "starts a plugin", [.integer("timeout", "seconds")],
            answer: .nothing(200), refusal: .noPlugin),
        APIEndpoint(
            .POST, "/plugins/{name}/disable", "ends a plugin", [.flag("force", "also while it is used")],
            answer: .nothing(200), refusal: .noPlugin),
        APIEndpoint(
            .POST, "/plugins/{name}/push", "pushes a plugin", answer: .nothing(200), refusal: .noPlugin),
        APIEndpoint(
            .POST, "/plugins/{name}/upgrade", "takes a newer plugin", versions: .from(26),
            [.text("remote", "which")], refusal: .noPlugin),
        APIEndpoint(.POST, "/plugins/{name}/set", "configures a plugin", refusal: .noPlugin),
    ]

    static let swarm: [APIEndpoint] =
        [
            APIEndpoint(
                .POST, "/swarm/init", "begins a swarm", answer: .anything(), refusal: .notYet("Swarm")),
            APIEndpoint(
                .POST, "/swarm/join", "joins a swarm", answer: .nothing(200), refusal: .notYet("Swarm")),
            APIEndpoint(
                .POST, "/swarm/leave", "leaves the swarm", [.flag("force", "in any case")], answer: .nothing(200),
                refusal: .noSwarm),
        ]
        + [
            (.GET, "/swarm"), (.POST, "/swarm/update"), (.GET, "/swarm/unlockkey"), (.POST, "/swarm/unlock"),
            (.GET, "/services"), (.POST, "/services/create"), (.GET, "/services/{name}"),
            (.DELETE, "/services/{name}"), (.POST, "/services/{name}/update"), (.GET, "/services/{name}/logs"),
            (.GET, "/nodes"), (.GET, "/nodes/{name}"), (.DELETE, "/nodes/{name}"), (.POST, "/nodes/{name}/update"),
            (.GET, "/tasks"), (.GET, "/tasks/{name}"), (.GET, "/tasks/{name}/logs"),
        ].map { object($0, $1, .all) }
        + [
            (.GET, "/secrets"), (.POST, "/secrets/create"), (.GET, "/secrets/{name}"), (.DELETE, "/secrets/{name}"),
            (.POST, "/secrets/{name}/update"),
        ].map { object($0, $1, .from(25)) }
        + [
            (.GET, "/configs"), (.POST, "/configs/create"), (.GET, "/configs/{name}"), (.DELETE, "/configs/{name}"),
            (.POST, "/configs/{name}/update"),
        ].map { object($0, $1, .from(30)) }

    private static func object(_ method: HTTPMethod, _ path: String, _ versions: VersionRange) -> APIEndpoint {
        APIEndpoint(
            method, path, "is for a swarm's managers", versions: versions, answer: .anything(),
            refusal: .noSwarmManager)
    }
}
