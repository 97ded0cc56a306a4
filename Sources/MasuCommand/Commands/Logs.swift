import EngineAPIModel
import Flags

extension ContainerCommands {
    private static let details = Flag.boolean("details", "Show extra details provided to logs")
    private static let follow = Flag.boolean("follow", short: "f", "Follow log output")
    private static let since = Flag.string(
        "since", "Show logs since timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. \"42m\" for 42 minutes)")
    private static let until = Flag.string(
        "until",
        "Show logs before a timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. \"42m\" for 42 minutes)")
    private static let tail = Flag.string(
        "tail", short: "n", "Number of lines to show from the end of the logs", default: "all")
    private static let timestamps = Flag.boolean("timestamps", short: "t", "Show timestamps")

    static func logs(_ placement: Placement) -> Command {
        Command(
            "logs", operands: "CONTAINER", arity: .exactly(1), "Fetch the logs of a container",
            examples: [.init("Print the last ten lines and follow the log", "masu logs -f -n 10 web")],
            spellings: ["masu container logs", "masu logs"],
            flags: { [details, follow, since, until, tail, timestamps] },
            action: { invocation in
                let flags = invocation.flags
                let container = invocation.operands[0]
                let client = try DaemonClient(invocation)
                let response = try client.open(
                    HTTPRequest(
                        "GET", path(container, "/logs"),
                        query: [
                            ("stdout", "1"), ("stderr", "1"), ("follow", flags[follow] ? "1" : nil),
                            ("timestamps", flags[timestamps] ? "1" : nil), ("details", flags[details] ? "1" : nil),
                            ("since", try time(flags[since], "since")), ("until", try time(flags[until], "until")),
                            ("tail", flags[tail]),
                        ]))
                var sink = OutputSink(isMultiplexed: try isMultiplexed(response, container, client))
                while let piece = try response.next() { try sink.write(piece) }
                return 0
            })
    }

    private static func time(_ text: String, _ name: String) throws -> String? {
        do {
            return text.isEmpty ? nil : try TimeText.apiTimestamp(text)
        } catch {
            throw CommandError("invalid value for \"\(name)\": \(error.message)")
        }
    }

    /// Since API 1.42 the content's type tells; before, only the container knows whether it has a terminal.
    private static func isMultiplexed(
        _ response: HTTPResponse, _ container: String, _ client: DaemonClient
    ) throws -> Bool {
        if response.head["content-type"] == "application/vnd.docker.multiplexed-stream" { return true }
        let version = response.head["api-version"]?.split(separator: ".").compactMap { Int($0) } ?? [1, 0]
        if version.lexicographicallyPrecedes([1, 42]) { return try !inspect(container, client).config.tty }
        return false
    }
}
