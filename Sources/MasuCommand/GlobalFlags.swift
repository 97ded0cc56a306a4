import Flags

/// Flags of the program itself, before the command.
enum GlobalFlags {
    static let host = Flag.list("host", short: "H", "Daemon socket to connect to: unix://PATH or tcp://ADDRESS:PORT")
    static let debug = Flag.boolean("debug", short: "D", "Enable debug mode")
    static let version = Flag.boolean("version", short: "v", "Print version information and quit")
    static let logLevel = Flag.string(
        "log-level", short: "l", "Set the logging level (\"debug\", \"info\", \"warn\", \"error\", \"fatal\")",
        default: "info"
    ).hidden()

    static var all: [any FlagDeclaration] {
        [host.definition, debug.definition, version.definition, logLevel.definition]
    }
}
