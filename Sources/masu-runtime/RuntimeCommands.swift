import BuildInformation
import ContainerRuntime
import Flags
import Glibc
import LinuxKernel
import OCISpec
import SystemPackage

/// The program's commands, and what they have in common.
enum RuntimeCommands {
    static let rootDirectory = Flag.string(
        "root", type: "path", "Directory for the state of containers", default: "/run/masu-runtime")
    static let log = Flag.string("log", type: "path", "File that errors are written to as well")
    static let logFormat = Flag.choice("log-format", "Format of the log", among: ["text", "json"], default: "text")
    static let debug = Flag.boolean("debug", "Tell the steps of create, run and exec")
    static let systemdCgroup = Flag.boolean("systemd-cgroup", "Not supported: control groups are made directly")
    static let cgroupManager = Flag.choice(
        "cgroup-manager", "How control groups are made; \"disabled\" leaves containers in the caller's",
        among: ["cgroupfs", "disabled"], default: "cgroupfs")
    static let rootless = Flag.string("rootless", type: "value", "Accepted for compatibility").hidden()
    static let version = Flag.boolean("version", short: "v", "Print the version")

    static let root = Command(
        "masu-runtime", "Run containers as the Open Container Initiative's runtime specification describes them",
        discussion: """
            Run containers as the Open Container Initiative's runtime specification describes them. The command line is \
            that of runc, so that programs which drive runc can drive this.
            """,
        examples: [
            .init("Write a configuration into a new bundle, then run it", "masu-runtime spec && masu-runtime run demo")
        ],
        flags: { [rootDirectory, log, logFormat, debug, systemdCgroup, cgroupManager, rootless, version] },
        subcommands: {
            [
                CreationCommands.create, CreationCommands.run, ExecCommand.exec, LifeCommands.start, LifeCommands.kill,
                LifeCommands.delete, LifeCommands.pause, LifeCommands.resume, UpdateCommand.update, QueryCommands.state,
                QueryCommands.list, PsCommand.ps, EventsCommand.events, SpecCommand.spec, FeaturesCommand.features,
                CheckpointCommands.checkpoint, CheckpointCommands.restore,
            ]
        })

    /// Runs what was asked for. Gives the exit status.
    static func execute(_ invocation: Invocation) -> Int32 {
        let output = FileDescriptor.standardOutput
        if invocation.wantsHelp {
            output.print(invocation.help())
            return 0
        }
        if invocation.flags[version] {
            output.print(
                """
                masu-runtime version \(MasuVersion.version)
                spec: \(MasuVersion.runtimeSpecification)

                """)
            return 0
        }
        guard let action = invocation.command.action else {
            output.print(invocation.help())
            return invocation.path.count == 1 && invocation.operands.isEmpty ? 0 : 1
        }
        do {
            if invocation.flags[systemdCgroup] {
                throw RuntimeError(
                    .invalid, "--systemd-cgroup is not supported; containers' cgroupsPath must be a path")
            }
            return try action(invocation)
        } catch {
            ErrorLog(invocation).report("\(error)")
            return 1
        }
    }

    /// The runtime on the root that was asked for.
    static func runtime(_ invocation: Invocation) -> ContainerRuntime {
        ContainerRuntime(root: absolute(invocation.flags[rootDirectory]))
    }

    /// `path`, from the working directory if it is relative.
    static func absolute(_ path: String) -> FilePath {
        let path = FilePath(path)
        if path.isAbsolute { return path }
        // Without a working directory the path stays relative, and whoever opens it says what is wrong.
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

    /// Signals, processes and files that commands share.
    static func optionalPath(_ flag: Flag<String>, _ invocation: Invocation) -> FilePath? {
        let text = invocation.flags[flag]
        return text.isEmpty ? nil : absolute(text)
    }
}

extension FileDescriptor {
    /// Writes text for people. If nobody reads it, there is nobody to tell.
    func print(_ text: String) {
        try? writeEntire(Array(text.utf8))
    }
}
