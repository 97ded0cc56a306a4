import EngineAPIModel
import Flags
import Glibc
import JSON
import Text

/// The commands about containers.
enum ContainerCommands {
    static let signal = Flag.string("signal", short: "s", "Signal to send to the container")
    static let timeout = Flag.integer("timeout", short: "t", "Seconds to wait before killing the container")
    static let time = Flag.integer("time", "Seconds to wait before killing the container").hidden()

    /// Does one thing to each container in turn, prints each name that worked and each error that came.
    ///
    /// - Parameter stopsAfter: whether the others are left, after an error or a success. Without a daemon they would
    ///   fail the same way.
    static func each(
        _ names: [String], stopsAfter: ((any Error)?) -> Bool = { $0 is CommandError },
        _ work: (String) throws -> String?
    ) throws -> Int32 {
        var status: Int32 = 0
        var lines = ResultLines()
        for name in names {
            var failure: (any Error)?
            do {
                if let text = try work(name) { lines.print(text) }
            } catch {
                Console.complain(describe(error))
                status = 1
                failure = error
            }
            if stopsAfter(failure) { break }
        }
        try lines.finish()
        return status
    }

    /// The same with a request for each, many of which are under way at once, as docker's are.
    ///
    /// - Parameter forgives: whether an error is none; it is printed all the same.
    private static func eachAtOnce(
        _ names: [String], _ client: DaemonClient, _ request: (String) throws -> HTTPRequest,
        forgives: (DaemonError) -> Bool = { _ in false }
    ) throws -> Int32 {
        var waiting = names[...]
        var sent: [Result<DaemonClient.PendingCall, any Error>] = []
        // What cannot be sent is told before anything else is done.
        var goesOn = true
        // A connection has broken: no more is sent, but what the daemon has done by then is told.
        var isBroken = false
        return try each(names) { error in
            if error is CommandError { isBroken = true }
            return isBroken && sent.isEmpty
        } _: { name in
            while goesOn, !isBroken, sent.count < client.window, let next = waiting.popFirst() {
                let call = Result { try client.begin(try request(next)) }
                if case .failure = call { goesOn = false }
                sent.append(call)
            }
            // This one is told now.
            goesOn = goesOn || sent.count == 1
            do {
                try client.end(sent.removeFirst().get())
            } catch let error as DaemonError where forgives(error) {
                Console.complain(error.description)
                return nil
            }
            return name
        }
    }

    /// The path of a container's resource.
    static func path(_ name: String, _ rest: String = "") -> String {
        "/containers/\(PercentEncoding.encode(name))\(rest)"
    }

    private static func simple(
        _ name: String, _ summary: String, spellings: [String], example: Command.Example,
        flags: @escaping @Sendable () -> [any FlagDeclaration] = { [] }, isOneByOne: Bool = false,
        request: @escaping @Sendable (String, ParsedFlags) throws -> HTTPRequest
    ) -> Command {
        Command(
            name, operands: "CONTAINER [CONTAINER...]", arity: .atLeast(1), summary, examples: [example],
            spellings: spellings, flags: flags,
            action: { invocation in
                let client = try DaemonClient(invocation)
                guard isOneByOne else {
                    return try eachAtOnce(invocation.operands, client) { try request($0, invocation.flags) }
                }
                return try each(invocation.operands) { container in
                    try client.call(try request(container, invocation.flags))
                    return container
                }
            })
    }

    static func stop(_ placement: Placement) -> Command {
        simple(
            "stop", "Stop one or more running containers", spellings: ["masu container stop", "masu stop"],
            example: .init("Wait 30 seconds for the container, then kill it", "masu stop -t 30 web"),
            flags: { [signal, timeout, time] },
            request: { HTTPRequest("POST", path($0, "/stop"), query: stopQuery($1)) })
    }

    static func restart(_ placement: Placement) -> Command {
        simple(
            "restart", "Restart one or more containers", spellings: ["masu container restart", "masu restart"],
            example: .init("Restart a container", "masu restart web"), flags: { [signal, timeout, time] },
            isOneByOne: true,
            request: { HTTPRequest("POST", path($0, "/restart"), query: stopQuery($1)) })
    }

    private static func stopQuery(_ flags: ParsedFlags) -> [(String, String?)] {
        let seconds = flags.given(timeout) ?? flags.given(time)
        return [("signal", flags.given(signal)), ("t", seconds.map { String($0) })]
    }

    static func kill(_ placement: Placement) -> Command {
        simple(
            "kill", "Kill one or more running containers", spellings: ["masu container kill", "masu kill"],
            example: .init("Make a service read its configuration again", "masu kill -s HUP web"), flags: { [signal] },
            request: { HTTPRequest("POST", path($0, "/kill"), query: [("signal", $1.given(signal))]) })
    }

    static func pause(_ placement: Placement) -> Command {
        simple(
            "pause", "Pause all processes within one or more containers",
            spellings: ["masu container pause", "masu pause"], example: .init("Freeze a container", "masu pause web"),
            request: { name, _ in HTTPRequest("POST", path(name, "/pause")) })
    }

    static func unpause(_ placement: Placement) -> Command {
        simple(
            "unpause", "Unpause all processes within one or more containers",
            spellings: ["masu container unpause", "masu unpause"],
            example: .init("Resume a paused container", "masu unpause web"),
            request: { name, _ in HTTPRequest("POST", path(name, "/unpause")) })
    }

    static func rename(_ placement: Placement) -> Command {
        Command(
            "rename", operands: "CONTAINER NEW_NAME", arity: .exactly(2), "Rename a container",
            examples: [.init("Keep the old container under another name", "masu rename web web-old")],
            spellings: ["masu container rename", "masu rename"],
            action: { invocation in
                let (old, new) = (invocation.operands[0], invocation.operands[1])
                guard !old.isEmpty, !new.isEmpty else {
                    throw CommandError("Error: Neither old nor new names may be empty")
                }
                do {
                    try DaemonClient(invocation).call(HTTPRequest("POST", path(old, "/rename"), query: [("name", new)]))
                } catch let error as DaemonError {
                    throw CommandError("\(error.description)\nError: failed to rename container named \(old)")
                }
                return 0
            })
    }

    private static let force = Flag.boolean(
        "force", short: "f", "Force the removal of a running container (uses SIGKILL)")
    private static let volumes = Flag.boolean(
        "volumes", short: "v", "Remove anonymous volumes associated with the container")
    private static let link = Flag.boolean("link", short: "l", "Remove the specified link")

    static func remove(_ placement: Placement) -> Command {
        Command(
            "rm", aliases: ["remove"], operands: "CONTAINER [CONTAINER...]", arity: .atLeast(1),
            "Remove one or more containers",
            examples: [.init("Remove all containers, running or not", "masu rm -f $(masu ps -aq)")],
            spellings: ["masu container rm", "masu container remove", "masu rm"], flags: { [force, volumes, link] },
            action: { invocation in
                let client = try DaemonClient(invocation)
                let flags = invocation.flags
                let query = [
                    ("force", flags[force] ? "1" : nil), ("v", flags[volumes] ? "1" : nil),
                    ("link", flags[link] ? "1" : nil),
                ]
                return try eachAtOnce(invocation.operands, client) { container in
                    let name = container.hasPrefix("/") ? String(container.dropFirst()) : container
                    guard !name.isEmpty else { throw CommandError("Container name cannot be empty") }
                    return HTTPRequest("DELETE", path(name), query: query)
                } forgives: { error in
                    // With -f, a container that does not exist is a success.
                    error.httpStatus == 404 && flags[force]
                }
            })
    }

    static func wait(_ placement: Placement) -> Command {
        Command(
            "wait", operands: "CONTAINER [CONTAINER...]", arity: .atLeast(1),
            "Block until one or more containers stop, then print their exit codes",
            examples: [.init("Wait for a job and print its exit code", "masu wait job")],
            spellings: ["masu container wait", "masu wait"],
            action: { invocation in
                let client = try DaemonClient(invocation)
                return try each(invocation.operands) { container in
                    let answer = try client.call(
                        HTTPRequest("POST", path(container, "/wait")), as: ContainerWaitResponse.self)
                    if let failure = answer.error, !failure.message.isEmpty { throw CommandError(failure.message) }
                    return String(answer.statusCode)
                }
            })
    }

    static func top(_ placement: Placement) -> Command {
        Command(
            "top", operands: "CONTAINER [ps OPTIONS]", arity: .atLeast(1),
            "Display the running processes of a container",
            examples: [.init("Choose the columns", "masu top web -o pid,user,args")],
            spellings: ["masu container top", "masu top"], interspersed: false,
            action: { invocation in
                let arguments = invocation.operands.dropFirst().joined(separator: " ")
                let answer = try DaemonClient(invocation).call(
                    HTTPRequest(
                        "GET", path(invocation.operands[0], "/top"),
                        query: [("ps_args", arguments.isEmpty ? nil : arguments)]),
                    as: ContainerTop.self)
                let rows = ([answer.titles] + answer.processes).map { $0.map(Console.cell) }
                for line in Columns.aligned(rows, minimum: 20, gap: 3) { try Console.print(line) }
                return 0
            })
    }
}
