import ContainerRuntime
import Flags
import JSON
import LinuxKernel
import OCISpec
import SystemPackage

/// `exec`.
enum ExecCommand {
    private static let processFile = Flag.string("process", short: "p", type: "path", "File with the process as JSON")
    private static let tty = Flag.boolean("tty", short: "t", "Give the process a terminal")
    private static let cwd = Flag.string("cwd", type: "path", "The working directory in the container")
    private static let env = Flag.list("env", short: "e", "Set an environment variable (NAME=value)")
    private static let user = Flag.string("user", short: "u", type: "uid[:gid]", "The user as uid[:gid]")
    private static let additionalGids = Flag.list("additional-gids", short: "g", "A supplementary group id")
    private static let cap = Flag.list("cap", short: "c", "Add a capability")
    private static let noNewPrivs = Flag.boolean("no-new-privs", "Forbid the process to gain privileges")
    private static let apparmor = Flag.string("apparmor", "AppArmor profile")
    private static let cgroup = Flag.list(
        "cgroup", "Run in this group below the container's ([CONTROLLER[,CONTROLLER...]:]PATH)")
    private static let ignorePaused = Flag.boolean("ignore-paused", "Wait in a paused container until it is resumed")
    private static let processLabel = Flag.string("process-label", "SELinux label")

    static let exec = Command(
        "exec", operands: "CONTAINER COMMAND [ARG...]", arity: .atLeast(1), "Run a process in a running container",
        examples: [.init("A shell in the container \"demo\"", "\(ProgramName.current) exec -t demo sh")],
        interspersed: false,
        flags: {
            [
                processFile, tty, cwd, env, user, additionalGids, cap, noNewPrivs, apparmor, processLabel,
                CreationCommands.detach, CreationCommands.consoleSocket, CreationCommands.pidFile,
                CreationCommands.preserveFDs, CreationCommands.noSubreaper, cgroup, ignorePaused, PIDFDSocket.flag,
            ]
        },
        action: { invocation in
            do {
                return try run(invocation)
            } catch {
                // A status that programs seldom end with: callers can tell that theirs has not been run.
                let text = (error as? RuntimeError)?.contextualized(isAdded: true) ?? "\(error)"
                ErrorLog(invocation.flags).report("exec failed: \(text)")
                return 255
            }
        })

    private static func run(_ invocation: Invocation) throws -> Int32 {
        let flags = invocation.flags
        let runtime = try RuntimeCommands.runtime(invocation)
        let container = try runtime.find(invocation.operands[0])
        var options = ExecOptions()
        let process = try process(invocation, container, &options)
        let socket = flags[CreationCommands.consoleSocket]
        let isDetached = flags[CreationCommands.detach]
        try ConsoleSocket.check(terminal: process.terminal == true, detached: isDetached, socket: socket)
        options.pidFile = RuntimeCommands.optionalPath(CreationCommands.pidFile, invocation)
        options.preservedDescriptors = max(0, flags[CreationCommands.preserveFDs])
        options.keepsLineEnds = socket.isEmpty
        let log = ErrorLog(flags).runtimeLog
        Sealing.note(in: log)
        options.log = log
        options.ignoresPause = flags[ignorePaused]
        options.subgroups = try subgroups(flags[cgroup])
        let foreground = isDetached ? nil : try Foreground()
        let started = try runtime.exec(in: container, process: process, options: options)
        do {
            try PIDFDSocket.send(started, invocation, name: "setns")
            if let console = started.console, !socket.isEmpty { try ConsoleSocket.send(console, to: socket) }
        } catch {
            // It may have ended by itself; the error says what went wrong.
            try? Signals.send(9, to: started.pid)
            throw error
        }
        guard let foreground else { return 0 }
        return try foreground.follow(started).status()
    }

    /// The groups below the container's to join: `PATH` everywhere, `CONTROLLER[,CONTROLLER...]:PATH` for some.
    private static func subgroups(_ values: [String]) throws(RuntimeError) -> [String: String] {
        var groups: [String: String] = [:]
        for value in values {
            let parts = value.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let path = parts[parts.count - 1]
            guard !path.split(separator: "/").contains("..") else {
                throw RuntimeError(.invalid, "bad sub cgroup path: \(path)")
            }
            let controllers = parts.count == 2 ? parts[0].split(separator: ",").map(String.init) : [""]
            for controller in controllers where groups.updateValue(path, forKey: controller) != nil {
                throw RuntimeError(.invalid, "--cgroup names two paths for the same controller")
            }
        }
        return groups
    }

    /// The process of `--process`, or the container's own with what the flags change.
    private static func process(
        _ invocation: Invocation, _ container: FoundContainer, _ options: inout ExecOptions
    ) throws -> Process {
        let flags = invocation.flags
        let arguments = Array(invocation.operands.dropFirst())
        if let file = RuntimeCommands.optionalPath(processFile, invocation) {
            var process = try Process(json: JSON.parse(RuntimeCommands.content(of: file.string)))
            if flags[tty] { process.terminal = true }
            return process
        }
        guard !arguments.isEmpty else { throw RuntimeError(.invalid, "exec needs a command or --process") }
        let spec = try ContainerRuntime.configuration(of: container.bundle)
        options.spec = spec
        var process = spec.process ?? Process()
        process.args = arguments
        process.terminal = flags[tty]
        process.consoleSize = nil
        if !flags[cwd].isEmpty { process.cwd = flags[cwd] }
        // getenv(3) finds the first one.
        process.env = flags[env] + (process.env ?? [])
        if flags.isSet(user) { process.user = try parseUser(flags[user], umask: process.user.umask) }
        for text in flags[additionalGids] {
            guard let gid = UInt32(text) else { throw RuntimeError(.invalid, "\"\(text)\" is not a group's number") }
            process.user.additionalGids = (process.user.additionalGids ?? []) + [gid]
        }
        if flags[noNewPrivs] { process.noNewPrivileges = true }
        if !flags[apparmor].isEmpty { process.apparmorProfile = flags[apparmor] }
        if !flags[processLabel].isEmpty { process.selinuxLabel = flags[processLabel] }
        add(flags[cap], to: &process)
        return process
    }

    private static func parseUser(_ text: String, umask: UInt32?) throws(RuntimeError) -> User {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map { UInt32($0) }
        guard parts.count <= 2, let uid = parts[0], let gid = parts.count == 2 ? parts[1] : 0 else {
            throw RuntimeError(.invalid, "\"\(text)\" is not a user (uid[:gid], by numbers)")
        }
        return User(uid: uid, gid: gid, umask: umask)
    }

    private static func add(_ names: [String], to process: inout Process) {
        guard !names.isEmpty else { return }
        var sets = process.capabilities ?? LinuxCapabilities()
        sets.bounding = (sets.bounding ?? []) + names
        sets.effective = (sets.effective ?? []) + names
        sets.permitted = (sets.permitted ?? []) + names
        // What a program passes on to others is for the configuration to say; only what it says can be ambient.
        if sets.inheritable != nil { sets.ambient = (sets.ambient ?? []) + names }
        process.capabilities = sets
    }
}
