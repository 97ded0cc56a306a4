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
        "Users and password hashes, as htpasswd -B writes them; without it everybody may push")
    static let method = Flag.choice(
        "auth", "How clients authenticate: basic or token", among: ["basic", "token"], default: "basic")
    static let anonymousPull = Flag.boolean("anonymous-pull", "Let everybody pull; only users push and delete")
    static let publicURL = Flag.string(
        "public-url", type: "url", "Scheme and host by which clients come, where a proxy stands before the registry")
    static let proxy = Flag.string(
        "proxy", type: "registry",
        "Be a cache of another registry: docker.io, https://host[:port] or http://host[:port]; nothing can be pushed then"
    )
    static let proxyUser = Flag.string(
        "proxy-user", type: "name", "User at the other registry; with --proxy-password-file")
    static let proxyPassword = Flag.string(
        "proxy-password-file", type: "file", "File with that user's password in its first line")
    static let interval = Flag.integer(
        "collect-interval", "Minutes between two collections of what nothing needs any more; 0 for none", default: 60)
    static let grace = Flag.integer(
        "grace-period", "Minutes that a pushed blob may wait for its manifest", default: 60)
    static let untagged = Flag.boolean("delete-untagged", "Collect manifests without a tag as well")
    static let logLevel = Flag.choice(
        "log-level", "How much to log: debug, info, warn or error", among: ["debug", "info", "warn", "error"],
        default: "info"
    ).persistent()
    static let logFormat = Flag.choice(
        "log-format", "How to log: text or json", among: ["text", "json"], default: "text"
    ).persistent()
    static let version = Flag.boolean("version", short: "v", "Print version information and quit")

    static let serving: [any FlagDeclaration] = [
        root, listen, certificate, key, passwords, method, anonymousPull, publicURL, proxy, proxyUser, proxyPassword,
        interval, grace, untagged,
        logLevel, logFormat, version,
    ]

    static let command = Command(
        "masu-registry", "A registry for container images: OCI distribution-spec 1.1",
        discussion:
            "Serves pushes and pulls from one directory, which is made if it is not there. Stops on SIGTERM; what "
            + "clients were pushing goes on where it was after the next start.",
        examples: [
            .init("a registry for this machine", "masu-registry --root /srv/registry --listen 127.0.0.1:5000"),
            .init(
                "one for others, with users",
                "masu-registry --listen 0.0.0.0:443 --tls-certificate cert.pem --tls-key key.pem --passwords users"),
            .init(
                "a cache for the images of Docker Hub",
                "masu-registry --root /srv/hub --listen 127.0.0.1:5001 --proxy docker.io"),
            .init(
                "remove what nothing needs, also beside a running registry",
                "masu-registry collect --root /srv/registry"),
        ],
        flags: { serving },
        subcommands: {
            [
                Command(
                    "collect", "Remove blobs that no manifest needs any more, then exit",
                    flags: { [grace, untagged] })
            ]
        })
}
