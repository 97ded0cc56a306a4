import Flags

/// The flags of `masu-registry`.
enum RegistryFlags {
    static let root = Flag.string("root", "Directory of blobs and the database", default: "/var/lib/masu-registry")
        .persistent()
    static let listen = Flag.list(
        "listen", type: "address", "Address to listen on: host:port (default \"127.0.0.1:5000\")")
    static let certificate = Flag.string("tls-certificate", type: "file", "Certificate chain (PEM); with --tls-key")
    static let key = Flag.string("tls-key", type: "file", "Private key of the certificate (PEM)")
    static let passwords = Flag.string(
        "passwords", type: "file",
        "File of users and password hashes, made by htpasswd -B; without it, every client can push")
    static let method = Flag.choice(
        "auth", "How clients authenticate: basic or token", among: ["basic", "token"], default: "basic")
    static let anonymousPull = Flag.boolean("anonymous-pull", "Let every client pull; only users can push and delete")
    static let publicURL = Flag.string(
        "public-url", type: "url", "Scheme and host that clients use, if a proxy is in front of the registry")
    static let proxy = Flag.string(
        "proxy", type: "registry",
        "Be a read-only cache of another registry: docker.io, https://host[:port] or http://host[:port]"
    )
    static let proxyUser = Flag.string(
        "proxy-user", type: "name", "User at the other registry; with --proxy-password-file")
    static let proxyPassword = Flag.string(
        "proxy-password-file", type: "file", "File with that user's password in its first line")
    static let interval = Flag.integer(
        "collect-interval", "Minutes between two collections of unused blobs; 0 turns them off", default: 60)
    static let grace = Flag.integer(
        "grace-period", "Minutes that a pushed blob waits for its manifest before it counts as unused", default: 60)
    static let untagged = Flag.boolean("delete-untagged", "Remove manifests without a tag, too")
    static let maxConnections = Flag.integer(
        "max-connections", "Connections at a time; one more is closed at once", default: 4096)
    static let logLevel = Flag.choice(
        "log-level", "Lowest level to log: debug, info, warn or error", among: ["debug", "info", "warn", "error"],
        default: "info"
    ).persistent()
    static let logFormat = Flag.choice(
        "log-format", "Format of the log: text or json", among: ["text", "json"], default: "text"
    ).persistent()
    static let version = Flag.boolean("version", short: "v", "Print version information and quit")

    static let serving: [any FlagDeclaration] = [
        root, listen, certificate, key, passwords, method, anonymousPull, publicURL, proxy, proxyUser, proxyPassword,
        interval, grace, untagged, maxConnections,
        logLevel, logFormat, version,
    ]

    static let command = Command(
        "masu-registry", "A registry for container images: OCI distribution-spec 1.1",
        discussion:
            "Serves pushes and pulls from one directory, which it makes if needed. Stops on SIGTERM; after the next "
            + "start, clients can resume their pushes.",
        examples: [
            .init("a registry for this machine", "masu-registry --root /srv/registry --listen 127.0.0.1:5000"),
            .init(
                "one for others, with users",
                "masu-registry --listen 0.0.0.0:443 --tls-certificate cert.pem --tls-key key.pem --passwords users"),
            .init(
                "a cache for the images of Docker Hub",
                "masu-registry --root /srv/hub --listen 127.0.0.1:5001 --proxy docker.io"),
            .init(
                "remove unused blobs, also while the registry runs",
                "masu-registry collect --root /srv/registry"),
        ],
        flags: { serving },
        subcommands: {
            [
                Command(
                    "collect", "Remove blobs that no manifest uses, then exit",
                    flags: { [grace, untagged] })
            ]
        })
}
