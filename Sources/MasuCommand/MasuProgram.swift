import BuildInformation
import Flags
import Glibc
import LinuxKernel

/// The `masu` program.
package enum MasuProgram {
    /// Runs the program.
    ///
    /// - Parameter arguments: the command line without the program's name.
    /// - Returns: the exit status.
    package static func run(_ arguments: [String]) -> Int32 {
        Descriptors.secureStandardStreams()
        let status = reporting { try execute(arguments) }
        let ending = reporting {
            try Console.finish()
            return 0
        }
        return status == 0 ? ending : status
    }

    private static func execute(_ arguments: [String]) throws -> Int32 {
        do {
            let invocation = try root.parse(arguments)
            return try perform(invocation)
        } catch let error as UsageError where error.kind == .unknownCommand && error.path.count == 1 {
            useConfiguration(error.flags)
            guard let plugin = CommandPlugin.usable(error.complaint) else {
                if CommandPlugin.wellKnown.contains(error.complaint) {
                    throw CommandError(
                        """
                        \(error.description)
                        Hint: '\(error.complaint)' is a plugin of docker's command line: put docker-\(error.complaint) \
                        into ~/.docker/cli-plugins.
                        """)
                }
                throw error
            }
            return try PluginRun.run(plugin, arguments, error.flags)
        }
    }

    /// Does what a command line says.
    static func perform(_ invocation: Invocation) throws -> Int32 {
        useConfiguration(invocation.flags)
        if !invocation.wantsHelp, invocation.flags[GlobalFlags.version] {
            // Some programs look for this line of docker's; a link of that name is enough for them.
            try Console.print(
                ProcessArguments.isCalledDocker
                    ? "Docker version \(MasuVersion.compatibleEngine), build masu-\(MasuVersion.version)"
                    : "Masu version \(MasuVersion.version)")
            return 0
        }
        guard !invocation.wantsHelp, let action = invocation.command.action else {
            let isRoot = invocation.path.count == 1
            try Console.write(
                isRoot ? rootWithPlugins.help(width: helpWidth) : invocation.help(width: helpWidth))
            return 0
        }
        return try PluginHooks.around(invocation) { try action(invocation) }
    }

    /// The programs that this one starts find the same files.
    private static func useConfiguration(_ flags: ParsedFlags) {
        if let directory = flags.given(GlobalFlags.config) { setenv("DOCKER_CONFIG", directory, 1) }
    }

    /// Does something, and tells an error on standard error. Gives the exit status.
    private static func reporting(_ work: () throws -> Int32) -> Int32 {
        do {
            return try work()
        } catch let error as UsageError {
            Console.complain(error.description)
            return error.exitStatus
        } catch let error as CommandError {
            if !error.message.isEmpty { Console.complain(error.message) }
            return error.status
        } catch {
            Console.complain(describe(error))
            return 1
        }
    }

    static var helpWidth: Int { min(max(Terminal.size()?.columns ?? 80, 60), 120) }

    /// The program's command with all its subcommands.
    package static let root = command { [] }

    /// The same as help shows it: with the plugins that are installed.
    private static var rootWithPlugins: Command {
        command {
            let plugins = CommandPlugin.all()
            let usable = plugins.compactMap { plugin in
                (try? plugin.description.get()).map { _ in  // one that cannot be used stands in the other list
                    Command(plugin.name + "*", plugin.summary, group: "Management Commands")
                }
            }
            let broken = plugins.compactMap { plugin -> Command? in
                guard case .failure(let error) = plugin.description else { return nil }
                return Command(plugin.name, error.reason, group: "Invalid Plugins")
            }
            return usable + broken
        }
    }

    /// Whether a command of this program's own has a name.
    static func hasBuiltIn(_ name: String) -> Bool { commands.contains { $0.name == name } }

    private static func command(_ more: @escaping @Sendable () -> [Command]) -> Command {
        Command(
            "masu", "Build, ship and run containers: the same commands and flags as docker's",
            discussion: """
                Masu runs containers, with the commands and flags of docker.
                This program talks to the daemon, 'masud', over a socket (see -H).
                """,
            examples: [
                .init("Run a command in a fresh container and remove it afterwards", "masu run --rm debian echo hello"),
                .init("See what runs", "masu ps"),
            ],
            flags: { GlobalFlags.all },
            subcommands: { commands.map { $0.make() } + CompletionCommands.all + more() },
            findSubcommand: { word in commands.first { $0.name == word }?.make() })
    }

    /// A command by its name, made when it is needed: a start of this program needs one of them.
    private struct Entry: Sendable {
        let name: String
        let make: @Sendable () -> Command

        init(_ name: String, _ make: @escaping @Sendable () -> Command) {
            self.name = name
            self.make = make
        }
    }

    private static var commands: [Entry] {
        [
            Entry("run") { ContainerCommands.run(.common) }, Entry("exec") { ContainerCommands.exec(.common) },
            Entry("ps") { ContainerCommands.list(.common) }, Entry("images") { ImageCommands.list(.common) },
            Entry("pull") { ImageCommands.pull(.common) }, Entry("push") { ImageCommands.push(.common) },
            Entry("login") { RegistryCommands.logIn }, Entry("logout") { RegistryCommands.logOut },
            Entry("search") { RegistryCommands.search },
            Entry("build") { BuildCommands.build(.common) }, Entry("bake") { BuildCommands.bake },
            Entry("builder") { BuildCommands.builder },
            Entry("checkpoint") {
                management("checkpoint", "Manage checkpoints") { ContainerCheckpoints.all }
            },
            Entry("plugin") { management("plugin", "Manage plugins of a daemon") { ManagedPluginCommands.all } },
            Entry("trust") { TrustCommands.group },
            Entry("config") { SwarmCommands.group("config") }, Entry("node") { SwarmCommands.group("node") },
            Entry("secret") { SwarmCommands.group("secret") }, Entry("service") { SwarmCommands.group("service") },
            Entry("stack") { SwarmCommands.group("stack") }, Entry("swarm") { SwarmCommands.group("swarm") },
            Entry("manifest") {
                management("manifest", "Manage image manifests and manifest lists") { ManifestCommands.all }
            },
            Entry("version") { SystemCommands.version }, Entry("info") { SystemCommands.info(.common) },
            Entry("container") { management("container", "Manage containers") { containerCommands } },
            Entry("image") { management("image", "Manage images") { imageCommands } },
            Entry("network") { management("network", "Manage networks") { NetworkCommands.all } },
            Entry("volume") { management("volume", "Manage volumes") { VolumeCommands.all } },
            Entry("context") { management("context", "Manage contexts") { ContextCommands.all } },
            Entry("system") { management("system", "Manage Masu") { systemCommands } },
            Entry("attach") { ContainerCommands.attach(.plain) }, Entry("commit") { ContainerCommands.commit(.plain) },
            Entry("cp") { ContainerCommands.copy(.plain) }, Entry("create") { ContainerCommands.create(.plain) },
            Entry("diff") { ContainerCommands.diff(.plain) }, Entry("export") { ContainerCommands.export(.plain) },
            Entry("events") { SystemCommands.events(.plain) }, Entry("help") { HelpCommand.command },
            Entry("history") { ImageCommands.history(.plain) }, Entry("import") { ImageCommands.importImage(.plain) },
            Entry("inspect") { InspectCommands.any }, Entry("kill") { ContainerCommands.kill(.plain) },
            Entry("load") { ImageCommands.load(.plain) }, Entry("logs") { ContainerCommands.logs(.plain) },
            Entry("pause") { ContainerCommands.pause(.plain) }, Entry("port") { ContainerCommands.port(.plain) },
            Entry("rename") { ContainerCommands.rename(.plain) },
            Entry("restart") { ContainerCommands.restart(.plain) }, Entry("rm") { ContainerCommands.remove(.plain) },
            Entry("rmi") { ImageCommands.remove(.plain) }, Entry("save") { ImageCommands.save(.plain) },
            Entry("start") { ContainerCommands.start(.plain) }, Entry("stats") { ContainerCommands.stats(.plain) },
            Entry("stop") { ContainerCommands.stop(.plain) }, Entry("tag") { ImageCommands.tag(.plain) },
            Entry("top") { ContainerCommands.top(.plain) }, Entry("unpause") { ContainerCommands.unpause(.plain) },
            Entry("update") { ContainerCommands.update(.plain) }, Entry("wait") { ContainerCommands.wait(.plain) },
        ]
    }

    private static var containerCommands: [Command] {
        [
            ContainerCommands.attach(.grouped), ContainerCommands.commit(.grouped), ContainerCommands.copy(.grouped),
            ContainerCommands.create(.grouped), ContainerCommands.diff(.grouped), ContainerCommands.exec(.grouped),
            ContainerCommands.export(.grouped), InspectCommands.container, ContainerCommands.kill(.grouped),
            ContainerCommands.logs(.grouped),
            ContainerCommands.list(.grouped), ContainerCommands.pause(.grouped),
            ContainerCommands.port(.grouped), PruneCommands.containers, ContainerCommands.rename(.grouped),
            ContainerCommands.restart(.grouped), ContainerCommands.remove(.grouped), ContainerCommands.run(.grouped),
            ContainerCommands.start(.grouped), ContainerCommands.stats(.grouped), ContainerCommands.stop(.grouped),
            ContainerCommands.top(.grouped),
            ContainerCommands.unpause(.grouped), ContainerCommands.update(.grouped), ContainerCommands.wait(.grouped),
        ]
    }

    private static var imageCommands: [Command] {
        [
            ImageCommands.history(.grouped), ImageCommands.importImage(.grouped), InspectCommands.image,
            ImageCommands.load(.grouped), ImageCommands.list(.grouped), PruneCommands.images,
            ImageCommands.pull(.grouped), ImageCommands.push(.grouped), ImageCommands.remove(.grouped),
            ImageCommands.save(.grouped), ImageCommands.tag(.grouped), BuildCommands.build(.grouped),
        ]
    }

    private static var systemCommands: [Command] {
        [
            CheckCommand.command, DiskUsageCommand.command, SystemCommands.events(.grouped),
            SystemCommands.info(.grouped), PruneCommands.system, DialCommand.command,
        ]
    }

    private static func management(
        _ name: String, _ summary: String, _ subcommands: @escaping @Sendable () -> [Command]
    ) -> Command {
        Command(name, summary, group: "Management Commands", subcommands: subcommands)
    }
}

/// Where in the tree a command stands: many stand twice (`masu ps`, `masu container ls`).
enum Placement {
    /// At the root, among those used every day.
    case common
    /// At the root.
    case plain
    /// Below `container`, `image` or `system`.
    case grouped

    /// The heading in the root's help.
    var heading: String? { self == .common ? "Common Commands" : nil }
}

/// `masu help`.
enum HelpCommand {
    static let command = Command(
        "help", operands: "[COMMAND]", arity: .any, "Help about any command",
        examples: [.init("Read about run", "masu help run")],
        action: { invocation in
            if let name = invocation.operands.first, !MasuProgram.hasBuiltIn(name),
                let plugin = CommandPlugin.usable(name)
            {
                return try PluginRun.run(plugin, ProcessArguments.all, invocation.flags)
            }
            return try MasuProgram.perform(try MasuProgram.root.parse(invocation.operands + ["--help"]))
        })
}
