import EngineAPIModel
import Flags
import JSON
import Text

/// `masu build`, `masu builder`, `masu bake`: the work of Docker's plugin buildx, where it is installed.
enum BuildCommands {
    static func build(_ placement: Placement) -> Command {
        Command(
            "build", operands: "PATH | URL | -", "Build an image from a Dockerfile (with the plugin buildx)",
            examples: [.init("Build the image of a directory", "masu build -t site .")],
            spellings: ["masu image build", "masu build", "masu builder build"], group: placement.heading,
            takesRawArguments: true, action: { try forward($0, as: ["build"]) })
    }

    static let bake = Command(
        "bake", operands: "[TARGET...]", "Build from a file (with the plugin buildx)",
        examples: [.init("Build the targets of docker-bake.hcl", "masu bake")], takesRawArguments: true,
        action: { try forward($0, as: ["bake"]) })

    static let builder = Command(
        "builder", "Manage builds (with the plugin buildx)", group: "Management Commands", takesRawArguments: true,
        action: { try forward($0, as: []) })

    /// Hands a command on to the plugin, with the flags before it.
    private static func forward(_ invocation: Invocation, as words: [String]) throws -> Int32 {
        let arguments = ProcessArguments.all
        let before = arguments.dropLast(invocation.operands.count + invocation.path.count - 1)
        let alias = ClientConfiguration.user.alias("builder")
        let name = alias ?? "buildx"
        if words == ["build"], let text = Console.environment("DOCKER_BUILDKIT") {
            guard let isEnabled = GoBoolean.parse(text) else {
                throw CommandError(
                    "DOCKER_BUILDKIT environment variable expects boolean value: strconv.ParseBool: "
                        + "parsing \"\(text)\": invalid syntax")
            }
            guard isEnabled else {
                throw CommandError("masu: builds without BuildKit (DOCKER_BUILDKIT=0) are not supported by masu")
            }
        }
        guard let plugin = CommandPlugin.usable(name) else {
            if words.isEmpty { return try withoutPlugin(arguments) }
            if invocation.operands.contains(where: { ["--help", "-h"].contains($0) }) {
                try Console.write(invocation.help(width: MasuProgram.helpWidth))
                return 0
            }
            throw missing(name, invocation.commandPath)
        }
        var variables: [(String, String)] = []
        let isNamed =
            Console.environment("BUILDX_BUILDER")?.isEmpty == false
            || invocation.operands.contains { $0 == "--builder" || $0.hasPrefix("--builder=") }
        if alias == nil, !isNamed {
            // What is built becomes an image of this daemon, whatever builder buildx would take else.
            let context = try DaemonSelection.contextName(invocation.flags, in: .own)
            variables.append(("BUILDX_BUILDER", context))
        }
        return try PluginRun.run(
            plugin, Array(before) + [name] + words + invocation.operands, invocation.flags, variables: variables)
    }

    private static func missing(_ plugin: String, _ command: String) -> CommandError {
        CommandError(
            """
            masu: '\(command)' needs the plugin \(plugin) of docker's command line, which is missing or broken
            Hint: put docker-\(plugin) into ~/.docker/cli-plugins; Masu itself does not build images yet.
            """)
    }

    // MARK: Without the plugin

    private static let all = Flag.boolean("all", short: "a", "Remove all unused build cache, not just dangling ones")
    private static let keepStorage = Flag.string("keep-storage", type: "bytes", "Amount of disk space to keep").hidden()

    /// The daemon's own cache is the one thing that needs no plugin.
    private static let prune = Command(
        "prune", "Remove build cache", flags: { [all, PruneCommands.filter, PruneCommands.force, keepStorage] },
        action: { invocation in
            let isAll = invocation.flags[all]
            let warning = "WARNING! This will remove all \(isAll ? "" : "dangling ")build cache."
            guard try PruneCommands.confirm(warning + " Are you sure you want to continue?", invocation) else {
                return 0
            }
            let report = try DaemonClient(invocation).value(
                HTTPRequest(
                    "POST", "/build/prune",
                    query: [
                        ("all", isAll ? "1" : nil), ("filters", Filters.query(invocation.flags[PruneCommands.filter])),
                        ("keep-storage", invocation.flags.given(keepStorage)),
                    ]))
            let deleted = (report["CachesDeleted"]?.array ?? []).compactMap(\.string)
            if !deleted.isEmpty {
                try Console.print("Deleted build cache objects:\n" + deleted.map { $0 + "\n" }.joined())
            }
            try PruneCommands.printTotal(report["SpaceReclaimed"]?.int ?? 0)
            return 0
        })

    private static let refusedBuild = Command(
        "build", operands: "PATH | URL | -", "Build an image from a Dockerfile (with the plugin buildx)",
        takesRawArguments: true, action: { throw missing("buildx", $0.commandPath) })

    private static func withoutPlugin(_ arguments: [String]) throws -> Int32 {
        let root = Command(
            "masu", "", flags: { GlobalFlags.all },
            subcommands: {
                [
                    Command(
                        "builder", "Manage builds",
                        discussion: "Without the plugin buildx of docker's command line, only the cache is managed.",
                        subcommands: { [refusedBuild, prune] })
                ]
            })
        return try MasuProgram.perform(try root.parse(arguments))
    }
}
