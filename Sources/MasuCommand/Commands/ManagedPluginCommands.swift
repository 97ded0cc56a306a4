import EngineAPIModel
import Flags
import JSON
import Text

/// `masu plugin`: plugins that a daemon runs itself. masud runs none; another daemon may.
enum ManagedPluginCommands {
    static var all: [Command] {
        [
            refused("create", "PLUGIN PLUGIN-DATA-DIR", .exactly(2), "compress", "Create a plugin"),
            change("disable", "force:f", "Disable a plugin") { [("force", $0.isSet(force) ? "1" : nil)] },
            change("enable", "timeout::int", "Enable a plugin") { [("timeout", $0.given(timeout) ?? "30")] },
            InspectCommands.plugin,
            refused(
                "install", "PLUGIN [KEY=VALUE...]", .atLeast(1),
                "alias::string disable disable-content-trust grant-all-permissions", "Install a plugin"),
            list, refused("push", "PLUGIN[:TAG]", .exactly(1), "disable-content-trust", "Push a plugin to a registry"),
            remove, set,
            refused(
                "upgrade", "PLUGIN [REMOTE]", .between(1, 2),
                "disable-content-trust grant-all-permissions skip-remote-check", "Upgrade a plugin"),
        ]
    }

    private static let force = Flag.boolean("force", short: "f", "Force it")
    private static let timeout = Flag.string("timeout", type: "int", "HTTP client timeout (in seconds)")
    private static let noTrunc = Flag.boolean("no-trunc", "Don't truncate output")
    private static let quiet = Flag.boolean("quiet", short: "q", "Only display plugin IDs")
    private static let filter = Flag.list(
        "filter", short: "f", type: "filter", "Provide filter values (e.g. \"enabled=true\")", check: Filters.check)

    static func path(_ name: String, _ rest: String = "") -> String {
        "/plugins/\(PercentEncoding.encode(name))\(rest)"
    }

    private static func refused(
        _ name: String, _ operands: String, _ arity: Command.Arity, _ flags: String, _ summary: String
    ) -> Command {
        Command(
            name, operands: operands, arity: arity, summary, flags: { FlagTable.flags(flags) },
            action: { invocation in
                // The daemon's own refusal is better than ours.
                try DaemonClient(invocation).call(
                    HTTPRequest("GET", "/plugins/privileges", query: [("remote", invocation.operands[0])]))
                throw CommandError(
                    "masu: '\(invocation.commandPath)' is not supported by this version of masu: use docker for it")
            })
    }

    private static func change(
        _ name: String, _ flags: String, _ summary: String,
        query: @escaping @Sendable (ParsedFlags) -> [(String, String?)]
    ) -> Command {
        Command(
            name, operands: "PLUGIN", arity: .exactly(1), summary, flags: { FlagTable.flags(flags) },
            action: { invocation in
                let plugin = invocation.operands[0]
                try DaemonClient(invocation).call(
                    HTTPRequest("POST", path(plugin, "/\(name)"), query: query(invocation.flags)))
                try Console.print(plugin)
                return 0
            })
    }

    private static let remove = Command(
        "rm", aliases: ["remove"], operands: "PLUGIN [PLUGIN...]", arity: .atLeast(1), "Remove one or more plugins",
        spellings: ["masu plugin rm", "masu plugin remove"], flags: { [force] },
        action: { invocation in
            let client = try DaemonClient(invocation)
            return try ContainerCommands.each(invocation.operands) { name in
                try client.call(
                    HTTPRequest("DELETE", path(name), query: [("force", invocation.flags[force] ? "1" : nil)]))
                return name
            }
        })

    private static let set = Command(
        "set", operands: "PLUGIN KEY=VALUE [KEY=VALUE...]", arity: .atLeast(2), "Change settings for a plugin",
        action: { invocation in
            let values = JSONValue.array(invocation.operands.dropFirst().map { .string($0) })
            try DaemonClient(invocation).call(
                HTTPRequest("POST", path(invocation.operands[0], "/set"), body: values.serialized()))
            return 0
        })

    private static let list = Command(
        "ls", aliases: ["list"], "List plugins", spellings: ["masu plugin ls", "masu plugin list"],
        flags: { [filter, FormatFlags.list, noTrunc, quiet] },
        action: { invocation in
            let flags = invocation.flags
            let answer = try DaemonClient(invocation).value(
                HTTPRequest("GET", "/plugins", query: [("filters", Filters.query(flags[filter]))]))
            let rows = (answer.array ?? []).map { plugin in
                var values = JSONObject()
                let id = plugin["Id"]?.string ?? ""
                let text = (plugin["Config"]?["Description"]?.string ?? "").map { $0.isNewline ? " " : String($0) }
                values["Description"] = .string(
                    flags[noTrunc] ? text.joined() : HumanText.ellipsis(text.joined(), 45))
                values["Enabled"] = .bool(plugin["Enabled"]?.bool ?? false)
                values["ID"] = .string(flags[noTrunc] ? id : HumanText.shortID(id))
                values["Name"] = .string(plugin["Name"]?.string ?? "")
                values["PluginReference"] = .string(plugin["PluginReference"]?.string ?? "")
                return Listing.Row(values)
            }
            let format = FormatFlags.chosen(flags[FormatFlags.list], "pluginsFormat", isQuiet: flags[quiet])
            if flags[quiet], format.isEmpty || format == "table" {
                try Console.write(rows.map { ($0.values["ID"]?.string ?? "") + "\n" }.joined())
                return 0
            }
            let listing = Listing(
                columns: [
                    .init("ID", "ID"), .init("Name", "NAME"), .init("Description", "DESCRIPTION"),
                    .init("Enabled", "ENABLED"), .init("PluginReference", "PLUGIN REFERENCE"),
                ],
                defaultTable: "{{.ID}}\t{{.Name}}\t{{.Description}}\t{{.Enabled}}")
            try Console.write(listing.rendered(rows, format: format))
            return 0
        })
}
