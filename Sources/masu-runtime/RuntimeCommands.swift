import BuildInformation
import ContainerRuntime
import Flags
import Glibc
import LinuxKernel
import OCISpec
import Seccomp
import SystemPackage

/// The program's commands, and what they have in common.
enum RuntimeCommands {
    static let rootDirectory = Flag.string(
        "root", type: "path", "Directory for the state of containers", default: "/run/masu-runtime")
    static let log = Flag.string("log", type: "path", "File for errors, which also go to standard error")
    static let logFormat = Flag.choice("log-format", "Format of the log", among: ["text", "json"], default: "text")
    static let debug = Flag.boolean("debug", "Log the steps of create, run and exec")
    static let systemdCgroup = Flag.boolean(
        "systemd-cgroup", "Make control groups through systemd; cgroupsPath has the form \"slice:prefix:name\"")
    static let cgroupManager = Flag.choice(
        "cgroup-manager", "How to make control groups; \"disabled\" leaves containers in the caller's",
        among: ["cgroupfs", "disabled"], default: "cgroupfs")
    static let rootless = Flag.string(
        "rootless", type: "value",
        "Do without a control group if it cannot be made: true, false, or auto (true for users other than root)",
        default: "auto")
    static let version = Flag.boolean("version", short: "v", "Print the version")

    static let root: Command = Command(
        ProgramName.current, "Open Container Initiative runtime",
        discussion: """
            Run containers as the Open Container Initiative's runtime specification describes them. The command line \
            is that of runc, so that programs that drive runc can drive this program.
            """,
        examples: [
            .init(
                "Write a configuration into a new bundle, then run it",
                "\(ProgramName.current) spec && \(ProgramName.current) run demo")
        ],
        flags: { [rootDirectory, log, logFormat, debug, systemdCgroup, cgroupManager, rootless, version] },
        subcommands: {
            [
                CreationCommands.create, CreationCommands.run, ExecCommand.exec, LifeCommands.start, LifeCommands.kill,
                LifeCommands.delete, LifeCommands.pause, LifeCommands.resume, UpdateCommand.update, QueryCommands.state,
                QueryCommands.list, PsCommand.ps, EventsCommand.events, SpecCommand.spec, FeaturesCommand.features,
                CheckpointCommands.checkpoint, CheckpointCommands.restore,
                help,
            ]
        },
        // Not all of them are made to find one.
        findSubcommand: { word in
            switch word {
            case "create": CreationCommands.create
            case "run": CreationCommands.run
            case "exec": ExecCommand.exec
            case "start": LifeCommands.start
            case "kill": LifeCommands.kill
            case "delete": LifeCommands.delete
            case "state": QueryCommands.state
            default: nil
            }
        })

    private static let help: Command = Command(
        "help", aliases: ["h"], operands: "[COMMAND]", arity: .any, "Show all commands, or the help of one",
        action: { invocation in
            guard let topic = invocation.operands.first else {
                try Output.write(HelpPage(path: [root]).text)
                return 0
            }
            guard let command = root.subcommands().first(where: { $0.answers(to: topic) }) else {
                ErrorLog(invocation.flags).report("No help topic for '\(topic)'")
                return 3
            }
            try Output.write(HelpPage(path: [root, command]).text)
            return 0
        })

    /// Runs the command. Gives the exit status.
    static func execute(_ invocation: Invocation) -> Int32 {
        do {
            if invocation.wantsHelp {
                try Output.write(HelpPage(path: invocation.path).text)
                return 0
            }
            if invocation.flags[version] {
                try Output.write(
                    """
                    \(ProgramName.current) version \(MasuVersion.version)
                    commit: unknown
                    spec: \(MasuVersion.runtimeSpecification)
                    libseccomp: \(SeccompLibrary.version)

                    """)
                return 0
            }
            guard let action = invocation.command.action else {
                try Output.write(HelpPage(path: [root]).text)
                return 0
            }
            return try action(invocation)
        } catch {
            ErrorLog(invocation.flags).report("\(error)")
            return 1
        }
    }

    /// The runtime on the root that was asked for.
    static func runtime(_ invocation: Invocation) throws(RuntimeError) -> ContainerRuntime {
        let root =
            try invocation.flags.isSet(rootDirectory)
            ? absolute(invocation.flags[rootDirectory]) : UserDirectory.root()
        // No container can have such a name.
        return ContainerRuntime(root: root, filterCache: root.appending("@seccomp"))
    }

    /// How errors of permission with control groups are taken.
    static func rootlessCgroups(_ invocation: Invocation) throws(RuntimeError) -> RootlessCgroups {
        switch invocation.flags[rootless].lowercased() {
        case "", "auto": return .automatic
        case "1", "t", "true": return .yes
        case "0", "f", "false": return .no
        default:
            throw RuntimeError(
                .invalid, "invalid value \"\(invocation.flags[rootless])\" for flag --rootless: true, false or auto")
        }
    }

    /// Whether `--systemd-cgroup` means the user's own instance of systemd. `--rootless` decides, or else the user id.
    static func usesOwnSystemd(_ flags: ParsedFlags) -> Bool {
        switch flags[rootless] {
        case "true": return true
        case "false": return false
        default: break
        }
        if ProcessAttributes.uid != 0 { return true }
        // Root of a user namespace cannot reach the machine's systemd, but perhaps that of the user who made the
        // namespace. Without the file there are no user namespaces.
        let map = (try? Files.readText("/proc/self/uid_map")) ?? ""
        let isWholeMachine = map.isEmpty || map.split(separator: " ") == ["0", "0", "4294967295"]
        return !isWholeMachine && ProcessAttributes.environment.contains { $0.hasPrefix("XDG_RUNTIME_DIR=/run/user/") }
    }

    /// `path`, from the working directory if it is relative.
    static func absolute(_ path: String) -> FilePath {
        let path = FilePath(path)
        if path.isAbsolute { return path }
        // Without a working directory the path stays relative, and opening it reports the error.
        guard let current = try? WorkingDirectory.current() else { return path }
        return FilePath(current).appending(path.components).lexicallyNormalized()
    }

    /// What the file `path` holds.
    static func content(of path: String) throws(RuntimeError) -> [UInt8] {
        do throws(Errno) {
            return try Files.read(absolute(path))
        } catch {
            throw RuntimeError(.invalid, "open \(path): \(error)")
        }
    }

    /// The path in a flag; nil if the flag is not given.
    static func optionalPath(_ flag: Flag<String>, _ invocation: Invocation) -> FilePath? {
        let text = invocation.flags[flag]
        return text.isEmpty ? nil : absolute(text)
    }
}
