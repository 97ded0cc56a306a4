import EngineAPIModel
import Flags
import JSON
import Text

extension ContainerCommands {
    private static let attachAll = Flag.boolean("attach", short: "a", "Attach STDOUT/STDERR and forward signals")
    private static let interactive = Flag.boolean("interactive", short: "i", "Attach container's STDIN")
    private static let noStdin = Flag.boolean("no-stdin", "Do not attach STDIN")

    static func start(_ placement: Placement) -> Command {
        Command(
            "start", operands: "CONTAINER [CONTAINER...]", arity: .atLeast(1), "Start one or more stopped containers",
            discussion: """
                Start containers that are created or have ended. With -a or -i, this program prints the container's \
                output and ends with its exit status.
                """,
            examples: [.init("Start a shell again and attach to it", "masu start -ai box")],
            spellings: ["masu container start", "masu start"],
            flags: { [attachAll, interactive, detachKeys, checkpoint, ContainerCheckpoints.directory] },
            action: { invocation in
                let flags = invocation.flags
                if flags[attachAll] || flags[interactive] { return try startAttached(invocation) }
                if !flags[checkpoint].isEmpty, invocation.operands.count > 1 {
                    throw CommandError("you cannot restore multiple containers at once")
                }
                let client = try DaemonClient(invocation)
                var failed: [String] = []
                var lines = ResultLines()
                for container in invocation.operands {
                    do {
                        try client.call(startRequest(container, flags))
                        lines.print(container)
                    } catch let error as DaemonError {
                        Console.complain(error.description)
                        failed.append(container)
                    }
                }
                guard failed.isEmpty else {
                    throw CommandError("Error: failed to start containers: \(failed.joined(separator: ", "))")
                }
                try lines.finish()
                return 0
            })
    }

    private static let checkpoint = Flag.string("checkpoint", "Restore from this checkpoint")

    private static func startRequest(_ container: String, _ flags: ParsedFlags) -> HTTPRequest {
        HTTPRequest(
            "POST", path(container, "/start"),
            query: [
                ("checkpoint", flags.given(checkpoint)),
                ("checkpoint-dir", flags.given(ContainerCheckpoints.directory)),
            ])
    }

    private static func startAttached(_ invocation: Invocation) throws -> Int32 {
        guard invocation.operands.count == 1 else {
            throw CommandError("you cannot start and attach multiple containers at once")
        }
        let client = try DaemonClient(invocation)
        let container = try inspect(invocation.operands[0], client)
        let stdin = container.config.openStdin && invocation.flags[interactive]
        try Terminal.check(attachesInput: stdin, tty: container.config.tty)
        let session = ContainerSession(
            client: client, id: container.id, tty: container.config.tty, stdin: stdin, stdout: true, stderr: true,
            detachKeys: try DetachKeys(invocation.flags), proxiesSignals: !container.config.tty,
            condition: container.hostConfig.autoRemove ? "removed" : "next-exit")
        do {
            return try session.run { wait in
                try client.call(startRequest(container.id, invocation.flags), wait: wait)
            } ?? 0
        } catch let error as ContainerSession.NotStarted {
            throw CommandError(describe(error.underlying))
        }
    }

    static func attach(_ placement: Placement) -> Command {
        Command(
            "attach", operands: "CONTAINER", arity: .exactly(1),
            "Attach local standard input, output, and error streams to a running container",
            discussion: """
                Join the streams of a running container. With a terminal, ctrl-p ctrl-q detaches, and the container \
                runs on.
                """,
            examples: [.init("Attach, and choose ctrl-x to detach", "masu attach --detach-keys ctrl-x box")],
            spellings: ["masu container attach", "masu attach"], flags: { [noStdin, sigProxy, detachKeys] },
            action: { invocation in
                let client = try DaemonClient(invocation)
                let container = try inspect(invocation.operands[0], client)
                try requireAttachable(container)
                let stdin = container.config.openStdin && !invocation.flags[noStdin]
                try Terminal.check(attachesInput: stdin, tty: container.config.tty)
                let session = ContainerSession(
                    client: client, id: container.id, tty: container.config.tty, stdin: stdin, stdout: true,
                    stderr: true,
                    detachKeys: try DetachKeys(invocation.flags),
                    proxiesSignals: invocation.flags[sigProxy] && !container.config.tty, condition: nil)
                do {
                    let status = try session.run { _ in
                        // What ended before the daemon had the request would be waited for until it is started again.
                        try requireAttachable(inspect(container.id, client))
                        guard container.config.tty, let size = Terminal.size() else { return }
                        // A program draws its screen again when the size changes: change it, so that the
                        // following real size does so.
                        try client.call(
                            HTTPRequest(
                                "POST", path(container.id, "/resize"),
                                query: [("h", String(size.rows + 1)), ("w", String(size.columns + 1))]))
                    }
                    guard let status else { throw StreamSession.detached }
                    return status
                } catch let error as ContainerSession.NotStarted {
                    throw error.underlying
                }
            })
    }

    /// Refuses to attach to a container that does not run.
    private static func requireAttachable(_ container: ContainerInspection) throws {
        if !container.state.running {
            throw CommandError("You cannot attach to a stopped container, start it first")
        }
        if container.state.paused {
            throw CommandError("You cannot attach to a paused container, unpause it first")
        }
        if container.state.restarting {
            throw CommandError("You cannot attach to a restarting container, wait until it is running")
        }
    }

    static func inspect(_ name: String, _ client: DaemonClient) throws -> ContainerInspection {
        try client.call(HTTPRequest("GET", path(name, "/json")), as: ContainerInspection.self)
    }
}
