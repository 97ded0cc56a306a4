import EngineAPIModel
import Flags
import Glibc
import JSON
import Text

extension ContainerCommands {
    private static let execDetach = Flag.boolean("detach", short: "d", "Detached mode: run command in the background")
    private static let privileged = Flag.boolean("privileged", "Give extended privileges to the command")

    static func exec(_ placement: Placement) -> Command {
        Command(
            "exec", operands: "CONTAINER COMMAND [ARG...]", arity: .atLeast(2),
            "Execute a command in a running container",
            discussion: "Run another command in a running container. This program ends with its exit status.",
            examples: [
                .init("Run a shell in a running container", "masu exec -it web sh"),
                .init("Pass data to a command", "masu exec -i db psql < dump.sql"),
            ],
            spellings: ["masu container exec", "masu exec"], group: placement.heading, interspersed: false,
            flags: {
                [
                    execDetach, detachKeys, ContainerFlags.env, ContainerFlags.envFile, ContainerFlags.interactive,
                    privileged,
                    ContainerFlags.tty, ContainerFlags.user, ContainerFlags.workdir,
                ]
            }, action: { try Exec($0).execute() })
    }

    private struct Exec {
        private let flags: ParsedFlags
        private let operands: [String]
        private let client: DaemonClient
        private let keys: DetachKeys

        init(_ invocation: Invocation) throws {
            flags = invocation.flags
            keys = try DetachKeys(flags)
            operands = invocation.operands
            client = try DaemonClient(invocation)
        }

        func execute() throws -> Int32 {
            let isDetached = flags[execDetach]
            let request = try self.request(attaches: !isDetached)
            if !isDetached { try Terminal.check(attachesInput: request.attachStdin, tty: request.tty) }
            let id = try client.call(
                HTTPRequest("POST", path(operands[0], "/exec"), body: try JSON.encode(request)), as: IDResponse.self
            ).id
            guard !id.isEmpty else { throw CommandError("exec ID empty") }
            var start = ExecStartRequest()
            start.detach = isDetached
            start.tty = request.tty
            start.consoleSize = request.consoleSize
            let call = HTTPRequest("POST", "/exec/\(id)/start", body: try JSON.encode(start))
            do {
                if isDetached {
                    try client.call(call)
                    return 0
                }
                try stream(id, call, request)
            } catch let error as DaemonError {
                let status = StartStatus.of(error.message)
                throw CommandError(error.description, status: status == 125 ? 1 : status)
            }
            let end = try client.call(HTTPRequest("GET", "/exec/\(id)/json"), as: ExecInspection.self)
            return end.running ? 0 : Int32(truncatingIfNeeded: end.exitCode ?? 0)
        }

        private func request(attaches: Bool) throws -> ExecCreateRequest {
            var request = ExecCreateRequest()
            request.user = flags[ContainerFlags.user]
            request.privileged = flags[privileged]
            request.tty = flags[ContainerFlags.tty]
            request.attachStdin = attaches && flags[ContainerFlags.interactive]
            request.attachStdout = attaches
            request.attachStderr = attaches
            request.detachKeys = keys.text
            var env: [String] = []
            for file in flags[ContainerFlags.envFile] {
                env += try KeyValueTexts.parseFile(
                    try LocalFile.read(file), path: file, environment: { Console.environment($0) })
            }
            env += flags[ContainerFlags.env].map {
                KeyValueTexts.resolved($0, environment: { Console.environment($0) })
            }
            request.env = env
            request.workingDir = flags[ContainerFlags.workdir]
            request.cmd = Array(operands.dropFirst())
            if request.tty, let size = Terminal.size() { request.consoleSize = [size.rows, size.columns] }
            return request
        }

        private func stream(_ id: String, _ call: HTTPRequest, _ request: ExecCreateRequest) throws {
            let stream = try client.hijack(call)
            var terminal: RawTerminal?
            defer { terminal?.restore() }
            guard request.tty else {
                _ = try StreamSession(stream: stream, tty: false, forwardsInput: request.attachStdin).run()
                return
            }
            let resizer = WindowResizer { size in
                try client.call(
                    HTTPRequest(
                        "POST", "/exec/\(id)/resize", query: [("h", String(size.rows)), ("w", String(size.columns))]))
            }
            let signals = try SignalRelay(SignalNames.fatal + [SIGWINCH]) { number in
                if number == SIGWINCH {
                    resizer.resize()
                } else {
                    terminal?.restore()
                    SignalRelay.die(of: number)
                }
            }
            if request.attachStdin { terminal = RawTerminal() }
            resizer.resize()
            let session = StreamSession(
                stream: stream, tty: true, forwardsInput: request.attachStdin,
                detachKeys: request.attachStdin ? keys : .none, signals: signals, resizer: resizer)
            let ending: StreamSession.Ending
            do {
                ending = try session.run()
            } catch let error as OutputError where error.isBrokenPipe {
                // The signal was taken to put the terminal back first. Without a terminal, it ends this program itself.
                terminal?.restore()
                SignalRelay.die(of: SIGPIPE)
            }
            if ending == .detached { throw StreamSession.detached }
        }
    }
}
