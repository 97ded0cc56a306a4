import EngineAPIModel
import Flags
import Glibc
import JSON
import Text

extension ContainerCommands {
    static let detach = Flag.boolean("detach", short: "d", "Run container in background and print container ID")
    static let detachKeys = Flag.string("detach-keys", "Override the key sequence for detaching a container")
    static let sigProxy = Flag.boolean("sig-proxy", "Proxy received signals to the process", default: true)

    static func run(_ placement: Placement) -> Command {
        Command(
            "run", operands: "IMAGE [COMMAND] [ARG...]", arity: .atLeast(1),
            "Create and run a new container from an image",
            discussion: """
                Create a container from an image and run a command in it.
                Everything after the image is the command. Without -d, this program prints the command's output, \
                passes signals on to it, and ends with its exit status.
                """,
            examples: [
                .init("Run a shell in a Debian that is removed afterwards", "masu run --rm -it debian bash"),
                .init(
                    "Run a service in the background with at most 256 MiB of memory",
                    "masu run -d --name web -m 256m nginx"),
            ],
            spellings: ["masu container run", "masu run"], group: placement.heading, interspersed: false,
            flags: { ContainerFlags.all + [detach, detachKeys, sigProxy] }, action: { try Run($0).execute() })
    }

    static func create(_ placement: Placement) -> Command {
        Command(
            "create", operands: "IMAGE [COMMAND] [ARG...]", arity: .atLeast(1), "Create a new container",
            discussion: "Create a container without starting it, and print its ID. Takes the same options as run.",
            examples: [
                .init(
                    "Create a container now, start it later", "masu create --name job debian true && masu start -a job")
            ],
            spellings: ["masu container create", "masu create"], interspersed: false, flags: { ContainerFlags.all },
            action: { invocation in
                let creation = ContainerCreation(invocation, name: "create")
                let request = try creation.request()
                try Console.print(creation.create(request).id)
                return 0
            })
    }
}

/// Makes a container from an image, and pulls the image first if necessary.
struct ContainerCreation {
    let invocation: Invocation
    /// `run` or `create`, for messages.
    let name: String

    init(_ invocation: Invocation, name: String) {
        self.invocation = invocation
        self.name = name
    }

    /// Everything the flags say, checked as far as the client can.
    func request() throws -> ContainerCreateRequest {
        do {
            let pull = invocation.flags[ContainerFlags.pull]
            guard ["always", "missing", "never"].contains(pull) else {
                throw CommandError(
                    "invalid pull option: '\(pull)': must be one of \"always\", \"missing\" or \"never\"")
            }
            return try ContainerRequest(invocation).created()
        } catch {
            throw withHelp(error, 125)
        }
    }

    /// Makes the container.
    func create(_ request: ContainerCreateRequest) throws -> ContainerCreateResponse {
        let client = try DaemonClient(invocation)
        return try create(request, with: client)
    }

    /// Makes the container; fetches the image when it is missing and that is wanted.
    func create(_ request: ContainerCreateRequest, with client: DaemonClient) throws -> ContainerCreateResponse {
        let flags = invocation.flags
        let image = request.config.image
        try ImageText.check(image)
        try ContentTrust.check(flags)
        var request = request
        let socket = flags[ContainerFlags.apiSocket] ? try APISocket(of: client, for: &request) : nil
        let identity = try ContainerIDFile(flags[ContainerFlags.cidfile])
        let pull = flags[ContainerFlags.pull]
        if pull == "always" { try fetch(image, client) }
        let call = HTTPRequest(
            "POST", "/containers/create",
            query: [
                ("name", flags.given(ContainerFlags.name)),
                ("platform", PlatformText.chosen(ContainerFlags.platform, flags)),
            ],
            body: try JSON.encode(request))
        let answer: ContainerCreateResponse
        do {
            answer = try client.call(call, as: ContainerCreateResponse.self)
        } catch let error as DaemonError where error.httpStatus == 404 && pull == "missing" {
            guard error.message.lowercased().holds("no such image") else { throw error }
            Console.complain("Unable to find image '\(ImageText.familiar(image))' locally")
            try fetch(image, client)
            answer = try client.call(call, as: ContainerCreateResponse.self)
        }
        for warning in answer.warnings { Console.complain("WARNING: \(warning)") }
        try socket?.inject(into: answer.id, client)
        try identity.write(answer.id)
        return answer
    }

    private func fetch(_ image: String, _ client: DaemonClient) throws {
        let flags = invocation.flags
        try RegistryAccess.pull(
            ImageText.familiar(image), tag: nil, platform: PlatformText.chosen(ContainerFlags.platform, flags),
            client: client,
            isQuiet: flags[ContainerFlags.quiet], on: STDERR_FILENO)
    }

    /// An error as `masu run` reports it: prefixed, with a pointer to help.
    func withHelp(_ error: any Error, _ status: Int32) -> CommandError {
        CommandError("masu: \(describe(error))\n\nRun 'masu \(name) --help' for more information", status: status)
    }
}

/// The `--cidfile`: reserved before anything is made, removed again when nothing was.
final class ContainerIDFile {
    private let path: String
    /// Whether the file is ours and still empty.
    private var isReserved = false

    /// - Parameter path: empty for none.
    init(_ path: String) throws(CommandError) {
        self.path = path
        guard !path.isEmpty else { return }
        if LocalFile.exists(path) {
            throw CommandError("container ID file found, make sure the other container isn't running or delete \(path)")
        }
        do {
            try LocalFile.write("", to: path)
        } catch {
            throw CommandError("failed to create the container ID file: \(error.message)")
        }
        isReserved = true
    }

    func write(_ id: String) throws(CommandError) {
        guard !path.isEmpty else { return }
        try LocalFile.write(id, to: path)
        isReserved = false
    }

    deinit {
        if isReserved { unlink(path) }
    }
}

private struct Run {
    private let invocation: Invocation
    private let creation: ContainerCreation

    init(_ invocation: Invocation) {
        self.invocation = invocation
        creation = ContainerCreation(invocation, name: "run")
    }

    func execute() throws -> Int32 {
        let flags = invocation.flags
        let isDetached = flags[ContainerCommands.detach]
        var request = try creation.request()
        if isDetached {
            if !flags[ContainerFlags.attach].isEmpty {
                throw CommandError("conflicting options: cannot specify both --attach and --detach")
            }
            request.config.attachStdin = false
            request.config.attachStdout = false
            request.config.attachStderr = false
            request.config.stdinOnce = false
        } else {
            try Terminal.check(attachesInput: request.config.attachStdin, tty: request.config.tty)
        }
        if let size = Terminal.size() { request.hostConfig.consoleSize = [size.rows, size.columns] }

        do {
            let client = try DaemonClient(invocation)
            let id = try creation.create(request, with: client).id
            if isDetached {
                try start(id, client)
                try Console.print(id)
                return 0
            }
            let session = ContainerSession(
                client: client, id: id, tty: request.config.tty, stdin: request.config.attachStdin,
                stdout: request.config.attachStdout, stderr: request.config.attachStderr,
                detachKeys: try DetachKeys(flags),
                proxiesSignals: flags[ContainerCommands.sigProxy],
                condition: request.hostConfig.autoRemove ? "removed" : "next-exit")
            return try session.run { try start(id, client, wait: $0) } ?? 0
        } catch let error as ContainerSession.NotStarted {
            throw creation.withHelp(error.underlying, Self.status(of: error.underlying))
        } catch let error as OutputError {
            throw error
        } catch let error as CommandError where error.status == 125 {
            throw error
        } catch {
            throw creation.withHelp(error, Self.status(of: error))
        }
    }

    private func start(_ id: String, _ client: DaemonClient, wait: ((Int32) -> Void)? = nil) throws {
        try client.call(HTTPRequest("POST", "/containers/\(id)/start"), wait: wait)
    }

    /// 127 for a command that is not there, 126 for one that cannot be run, 125 for everything else: told apart by
    /// the text, as docker does, since the API has no other way to say it.
    private static func status(of error: any Error) -> Int32 {
        guard let error = error as? DaemonError else { return 125 }
        return StartStatus.of(error.message)
    }
}

/// What the text of a failed start says about the command.
package enum StartStatus {
    /// The exit status that a shell would give.
    package static func of(_ message: String) -> Int32 {
        if message.holds("executable file not found") || message.holds("no such file or directory")
            || message.holds("system cannot find the file specified")
        {
            return 127
        }
        if message.holds("permission denied") || message.holds("is a directory") { return 126 }
        return 125
    }
}
