import Flags
import JSON

/// The commands about swarms. Masu is no node of one: the daemon refuses, in the words that scripts know from docker.
enum SwarmCommands {
    static let heading = "Swarm Commands"

    /// The groups of commands by their names.
    static func group(_ name: String) -> Command {
        Command(
            name, summaries[name] ?? "",
            discussion: "Masu is no part of a swarm: these commands end with the daemon's refusal.",
            examples: [.init("See why", "masu \(name) \(name == "swarm" ? "leave" : "ls")")], group: heading,
            subcommands: { commands.filter { $0.group == name }.map(\.command) })
    }

    private static let summaries = [
        "config": "Manage Swarm configs", "node": "Manage Swarm nodes", "secret": "Manage Swarm secrets",
        "service": "Manage Swarm services", "stack": "Manage Swarm stacks", "swarm": "Manage Swarm",
    ]

    private struct Entry: Sendable {
        let group: String
        let name: String
        let aliases: [String]
        let operands: String
        let arity: Command.Arity
        let flags: String

        init(
            _ group: String, _ name: String, aliases: [String] = [], _ operands: String = "",
            _ arity: Command.Arity = .none, _ flags: String = ""
        ) {
            self.group = group
            self.name = name
            self.aliases = aliases
            self.operands = operands
            self.arity = arity
            self.flags = flags
        }

        var command: Command {
            let (group, name, flags) = (group, name, flags)
            return Command(
                name, aliases: aliases, operands: operands, arity: arity, "Needs a swarm, which Masu is no part of",
                interspersed: name != "create", flags: { FlagTable.flags(flags) },
                action: { try refuse(group, name, $0) })
        }
    }

    private static func refuse(_ group: String, _ name: String, _ invocation: Invocation) throws -> Int32 {
        let unsupported = CommandError(
            "masu: '\(invocation.commandPath)' is not supported by this version of masu: use docker for swarms")
        if group == "swarm", ["init", "join", "unlock"].contains(name) { throw unsupported }
        let client = try DaemonClient(invocation)
        if group == "swarm", name == "leave" {
            try client.call(
                HTTPRequest("POST", "/swarm/leave", query: [("force", invocation.flags[force] ? "1" : nil)]))
            try Console.print("Node left the swarm.")
            return 0
        }
        let paths = ["node": "/nodes", "secret": "/secrets", "config": "/configs", "swarm": "/swarm"]
        // The daemon says why not; one that is part of a swarm does not, and needs another client.
        try client.call(HTTPRequest("GET", paths[group] ?? "/services"))
        throw unsupported
    }

    private static let force = Flag.boolean("force", short: "f", "Force this node to leave the swarm")

    private static let lists = "filter:f:filter format::string quiet:q"
    private static let tasks = "filter:f:filter format::string no-resolve no-trunc quiet:q"
    private static let inspection = "format:f:string pretty"

    private static var commands: [Entry] {
        [
            Entry("config", "create", "CONFIG file|-", .exactly(2), "label:l:list template-driver::string"),
            Entry("config", "inspect", "CONFIG [CONFIG...]", .atLeast(1), inspection),
            Entry("config", "ls", aliases: ["list"], "", .none, lists),
            Entry("config", "rm", aliases: ["remove"], "CONFIG [CONFIG...]", .atLeast(1)),
            Entry("node", "demote", "NODE [NODE...]", .atLeast(1)),
            Entry("node", "inspect", "self|NODE [NODE...]", .atLeast(1), inspection),
            Entry("node", "ls", aliases: ["list"], "", .none, lists),
            Entry("node", "promote", "NODE [NODE...]", .atLeast(1)),
            Entry("node", "ps", "[NODE...]", .any, tasks),
            Entry("node", "rm", aliases: ["remove"], "NODE [NODE...]", .atLeast(1), "force:f"),
            Entry(
                "node", "update", "NODE", .exactly(1),
                "availability::string label-add::list label-rm::list role::string"),
            Entry(
                "secret", "create", "SECRET [file|-]", .between(1, 2),
                "driver:d:string label:l:list template-driver::string"),
            Entry("secret", "inspect", "SECRET [SECRET...]", .atLeast(1), inspection),
            Entry("secret", "ls", aliases: ["list"], "", .none, lists),
            Entry("secret", "rm", aliases: ["remove"], "SECRET [SECRET...]", .atLeast(1)),
            Entry("service", "create", "IMAGE [COMMAND] [ARG...]", .atLeast(1), creation + " " + serviceCommon),
            Entry("service", "inspect", "SERVICE [SERVICE...]", .atLeast(1), inspection),
            Entry(
                "service", "logs", "SERVICE|TASK", .exactly(1),
                "details follow:f no-resolve no-task-ids no-trunc raw since::string tail:n:string timestamps:t"),
            Entry("service", "ls", aliases: ["list"], "", .none, lists),
            Entry("service", "ps", "SERVICE [SERVICE...]", .atLeast(1), tasks),
            Entry("service", "rm", aliases: ["remove"], "SERVICE [SERVICE...]", .atLeast(1)),
            Entry("service", "rollback", "SERVICE", .exactly(1), "detach:d quiet:q"),
            Entry("service", "scale", "SERVICE=REPLICAS [SERVICE=REPLICAS...]", .atLeast(1), "detach:d"),
            Entry("service", "update", "SERVICE", .exactly(1), change + " " + serviceCommon),
            Entry("stack", "config", "", .none, "compose-file:c:strings skip-interpolation"),
            Entry(
                "stack", "deploy", aliases: ["up"], "STACK", .exactly(1),
                "compose-file:c:strings detach:d prune quiet:q resolve-image::string with-registry-auth"),
            Entry("stack", "ls", aliases: ["list"], "", .none, "format::string"),
            Entry("stack", "ps", "STACK", .exactly(1), tasks),
            Entry("stack", "rm", aliases: ["remove", "down"], "STACK [STACK...]", .atLeast(1), "detach:d"),
            Entry("stack", "services", "STACK", .exactly(1), lists),
            Entry(
                "swarm", "ca", "", .none,
                "ca-cert::pem-file ca-key::pem-file cert-expiry::duration detach:d external-ca::external-ca quiet:q "
                    + "rotate"),
            Entry("swarm", "init", "", .none, founding),
            Entry(
                "swarm", "join", "HOST:PORT", .exactly(1),
                "advertise-addr::string availability::string data-path-addr::string listen-addr::node-addr "
                    + "token::string"),
            Entry("swarm", "join-token", "(worker|manager)", .exactly(1), "quiet:q rotate"),
            Entry("swarm", "leave", "", .none, "force:f"),
            Entry("swarm", "unlock"),
            Entry("swarm", "unlock-key", "", .none, "quiet:q rotate"),
            Entry("swarm", "update", "", .none, policy),
        ]
    }

    private static let policy = """
        autolock cert-expiry::duration dispatcher-heartbeat::duration external-ca::external-ca max-snapshots::uint \
        snapshot-interval::uint task-history-limit::int
        """
    private static let founding = """
        advertise-addr::string availability::string data-path-addr::string data-path-port::uint32 \
        default-addr-pool::ipNetSlice default-addr-pool-mask-length::uint32 force-new-cluster listen-addr::node-addr \
        \(policy)
        """
    private static let serviceCommon = """
        cap-add::list cap-drop::list credential-spec::credential-spec detach:d endpoint-mode::string \
        entrypoint::command health-cmd::string health-interval::duration health-retries::int \
        health-start-interval::duration health-start-period::duration health-timeout::duration hostname::string init \
        isolation::string limit-cpu::decimal limit-memory::bytes limit-pids::int log-driver::string log-opt::list \
        max-concurrent::uint no-healthcheck no-resolve-image oom-score-adj::int quiet:q read-only replicas::uint \
        replicas-max-per-node::uint reserve-cpu::decimal reserve-memory::bytes restart-condition::string \
        restart-delay::duration restart-max-attempts::uint restart-window::duration rollback-delay::duration \
        rollback-failure-action::string rollback-max-failure-ratio::float rollback-monitor::duration \
        rollback-order::string rollback-parallelism::uint stop-grace-period::duration stop-signal::string tty:t \
        update-delay::duration update-failure-action::string update-max-failure-ratio::float \
        update-monitor::duration update-order::string update-parallelism::uint user:u:string with-registry-auth \
        workdir:w:string memory-swap::bytes memory-swappiness::int
        """
    private static let creation = """
        config::config constraint::list container-label::list dns::list dns-option::list dns-search::list env:e:list \
        env-file::list generic-resource::list group::list host::list label:l:list mode::string mount::mount \
        name::string network::network placement-pref::pref publish:p:port secret::secret sysctl::list ulimit::ulimit
        """
    private static let change = """
        args::command config-add::config config-rm::list constraint-add::list constraint-rm::list \
        container-label-add::list container-label-rm::list dns-add::list dns-option-add::list dns-option-rm::list \
        dns-rm::list dns-search-add::list dns-search-rm::list env-add::list env-rm::list force \
        generic-resource-add::list generic-resource-rm::list group-add::list group-rm::list host-add::list \
        host-rm::list image::string label-add::list label-rm::list mount-add::mount mount-rm::list \
        network-add::network network-rm::list placement-pref-add::pref placement-pref-rm::pref publish-add::port \
        publish-rm::port rollback secret-add::secret secret-rm::list sysctl-add::list sysctl-rm::list \
        ulimit-add::ulimit ulimit-rm::list
        """
}

/// Flags of commands that always refuse, written as `name:letter:type`: their grammar matters, their values do not.
package enum FlagTable {
    /// The flags of a text such as `quiet:q format::string no-trunc`.
    package static func flags(_ text: String) -> [any FlagDeclaration] {
        text.split(separator: " ").map { word in
            let parts = word.split(separator: ":", omittingEmptySubsequences: false)
            let letter = parts.count > 1 ? parts[1].unicodeScalars.first : nil
            guard parts.count > 2 else { return Flag.boolean(String(parts[0]), short: letter, "") }
            return Flag.string(String(parts[0]), short: letter, type: String(parts[2]), "")
        }
    }
}
