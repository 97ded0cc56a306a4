import ContainerRuntime
import Flags
import LinuxKernel
import OCISpec
import SystemPackage

/// `create` and `run`.
enum CreationCommands {
    static let bundle = Flag.string("bundle", short: "b", type: "path", "The bundle's directory", default: ".")
    static let consoleSocket = Flag.string(
        "console-socket", type: "path", "Unix socket to send the master side of the terminal to")
    static let pidFile = Flag.string("pid-file", type: "path", "File to write the pid of the first process to")
    static let noPivot = Flag.boolean("no-pivot", "Use MS_MOVE and chroot instead of pivot_root")
    static let noNewKeyring = Flag.boolean("no-new-keyring", "Keep the caller's session keyring")
    static let noSubreaper = Flag.boolean("no-subreaper", "Accepted for compatibility").hidden()
    static let preserveFDs = Flag.integer(
        "preserve-fds", "Number of extra descriptors, from 3 on, to pass to the container")
    static let detach = Flag.boolean("detach", short: "d", "Do not wait for the container's end")
    static let keep = Flag.boolean("keep", "Keep the container after its end")

    /// The kernel's own limit, unless fs.nr_open has been changed.
    private static let mostDescriptors = 1 << 20

    private static let common: [any FlagDeclaration] = [
        bundle, consoleSocket, pidFile, noPivot, noNewKeyring, preserveFDs, PIDFDSocket.flag,
    ]

    static let create = Command(
        "create", operands: "CONTAINER", arity: .exactly(1), "Create a container, to be started by \"start\"",
        flags: { common },
        action: reporting { invocation in
            let (spec, directory, options) = try arguments(invocation)
            try ConsoleSocket.check(
                terminal: spec.process?.terminal == true, detached: true, socket: invocation.flags[consoleSocket])
            let process = try RuntimeCommands.runtime(invocation).create(
                id: invocation.operands[0], bundle: directory, spec: spec, options: options)
            try handOver(process, socket: invocation.flags[consoleSocket], options, invocation)
            return 0
        })

    static let run = Command(
        "run", operands: "CONTAINER", arity: .exactly(1), "Create and start a container, and wait for its end",
        examples: [.init("Run the bundle in the working directory", "\(ProgramName.current) run demo")],
        flags: { common + [detach, keep, noSubreaper] },
        action: reporting { invocation in
            let (spec, directory, options) = try arguments(invocation)
            let socket = invocation.flags[consoleSocket]
            let isDetached = invocation.flags[detach]
            try ConsoleSocket.check(terminal: spec.process?.terminal == true, detached: isDetached, socket: socket)
            let runtime = try RuntimeCommands.runtime(invocation)
            let id = invocation.operands[0]
            let foreground = isDetached ? nil : try Foreground()
            let log = ErrorLog(invocation.flags)
            let process = try runtime.run(
                id: id, bundle: directory, spec: spec, options: options, warn: { log.warn($0) })
            try handOver(process, socket: socket, options, invocation)
            guard let foreground else { return 0 }
            if invocation.flags[keep] { return try foreground.follow(process).status() }
            // Now there is time for it.
            let removal = runtime.prepareRemoval(of: id)
            let ending = try foreground.follow(process)
            try runtime.delete(id, force: true, spec: spec, prepared: removal, warn: { log.warn($0) })
            return try ending.status()
        })

    /// `action`, which makes a container, with its errors told as callers know them from runc.
    static func reporting(_ action: @escaping Command.Action) -> Command.Action {
        { invocation in
            do {
                return try action(invocation)
            } catch let error as RuntimeError where error.stage == .execution {
                // Said by the process itself, as it were, where a shell would have said it.
                ErrorLog(invocation.flags).report(error.message, isBare: true)
                return 255
            } catch {
                let text = (error as? RuntimeError)?.contextualized() ?? "\(error)"
                let command = invocation.command.name
                ErrorLog(invocation.flags).report("\(ProgramName.current) \(command) failed: \(text)")
                return 1
            }
        }
    }

    /// Sends the terminal and the pidfd of a new container to the sockets that the caller named. If that fails, removes
    /// the container.
    private static func handOver(
        _ process: StartedProcess, socket: String, _ options: CreateOptions, _ invocation: Invocation
    ) throws {
        do {
            try PIDFDSocket.send(process, invocation, name: "standard")
            if let console = process.console, !socket.isEmpty { try ConsoleSocket.send(console, to: socket) }
        } catch {
            // The error says what went wrong; what cannot be removed is still listed.
            try? RuntimeCommands.runtime(invocation).delete(invocation.operands[0], force: true)
            if let file = options.pidFile { try? Files.remove(file) }  // As above.
            throw error
        }
    }

    /// The configuration, the bundle and what the flags say.
    static func arguments(_ invocation: Invocation) throws -> (Spec, FilePath, CreateOptions) {
        let flags = invocation.flags
        let directory = RuntimeCommands.absolute(flags[bundle])
        let spec = try ContainerRuntime.configuration(of: directory)
        var options = CreateOptions()
        options.pidFile = RuntimeCommands.optionalPath(pidFile, invocation)
        guard flags[preserveFDs] <= mostDescriptors else {
            throw RuntimeError(.invalid, "--preserve-fds \(flags[preserveFDs]) is more than a process can have")
        }
        options.preservedDescriptors = max(0, flags[preserveFDs])
        // Without one the terminal's other side is ours, and copied to what may be none.
        options.keepsLineEnds = flags[consoleSocket].isEmpty
        let log = ErrorLog(flags).runtimeLog
        Sealing.note(in: log)
        options.log = log
        options.noPivot = flags[noPivot]
        options.noNewKeyring = flags[noNewKeyring]
        options.rootlessCgroups = try RuntimeCommands.rootlessCgroups(invocation)
        if flags[RuntimeCommands.systemdCgroup] {
            options.cgroupDriver = .systemd(isUser: RuntimeCommands.usesOwnSystemd(flags))
        }
        options.withoutCgroup = flags[RuntimeCommands.cgroupManager] == "disabled"
        return (spec, directory, options)
    }
}
