import Flags

/// Flags of the program itself, before the command.
enum GlobalFlags {
    static let config = Flag.string("config", "Location of client config files (default \"~/.docker\")")
    static let context = Flag.string(
        "context", short: "c",
        "Name of the context to use to connect to the daemon (overrides MASU_HOST, DOCKER_HOST and \"context use\")")
    static let host = Flag.list(
        "host", short: "H",
        "Daemon socket to connect to: unix://PATH, tcp://ADDRESS:PORT or ssh://[USER@]HOST[:PORT][/PATH]")
    static let debug = Flag.boolean("debug", short: "D", "Enable debug mode")
    static let version = Flag.boolean("version", short: "v", "Print version information and quit")
    static let logLevel = Flag.string(
        "log-level", short: "l", "Set the logging level (\"debug\", \"info\", \"warn\", \"error\", \"fatal\")",
        default: "info"
    ).hidden()
    static let tls = Flag.boolean("tls", "Use TLS; implied by --tlsverify")
    static let tlsVerify = Flag.boolean("tlsverify", "Use TLS and verify the remote")
    static let tlsAuthority = Flag.string(
        "tlscacert", "Trust certs signed only by this CA (default \"~/.docker/ca.pem\")")
    static let tlsCertificate = Flag.string(
        "tlscert", "Path to TLS certificate file (default \"~/.docker/cert.pem\")")
    static let tlsKey = Flag.string("tlskey", "Path to TLS key file (default \"~/.docker/key.pem\")")

    static var all: [any FlagDeclaration] {
        [
            config.definition, context.definition, host.definition, debug.definition, version.definition,
            logLevel.definition, tls.definition, tlsVerify.definition, tlsAuthority.definition,
            tlsCertificate.definition, tlsKey.definition,
        ]
    }
}
