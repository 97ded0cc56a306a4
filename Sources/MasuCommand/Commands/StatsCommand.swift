import Flags
import Glibc

extension ContainerCommands {
    private static let all = Flag.boolean("all", short: "a", "Show all containers (default shows just running)")
    private static let noStream = Flag.boolean(
        "no-stream", "Disable streaming stats and only pull the first result")
    private static let noTrunc = Flag.boolean("no-trunc", "Do not truncate output")

    static func stats(_ placement: Placement) -> Command {
        Command(
            "stats", operands: "[CONTAINER...]", arity: .any,
            "Display a live stream of container(s) resource usage statistics",
            examples: [
                .init("See what containers use, as they come and go", "masu stats"),
                .init("Print what one uses now", "masu stats --no-stream --format '{{.MemUsage}}' web"),
            ],
            spellings: ["masu container stats", "masu stats"],
            flags: { [all, FormatFlags.list, noStream, noTrunc] },
            action: { invocation in
                let flags = invocation.flags
                let format = FormatFlags.chosen(flags[FormatFlags.list], "statsFormat")
                let client = try DaemonClient(invocation)
                let feeds =
                    invocation.operands.isEmpty
                    ? try StatisticsFeeds(of: client, includesStopped: flags[all])
                    : try StatisticsFeeds(of: client, names: invocation.operands)
                func table() throws -> String {
                    try StatisticsRow.listing.rendered(feeds.rows(truncated: !flags[noTrunc]), format: format)
                }
                if flags[noStream] {
                    try feeds.waitForRates()
                    try Console.write(try table())
                    return 0
                }
                try feeds.waitForFirst()
                while !feeds.isOver {
                    try Console.pass(frame(try table()), to: STDOUT_FILENO)
                    try feeds.receive(for: 0.5)
                }
                return 0
            })
    }

    /// A table in the place of the one before. Nothing is cleared before it is written again, so nothing flickers.
    private static func frame(_ table: String) -> String {
        let lines = table.split(separator: "\n", omittingEmptySubsequences: false)
        return "\u{1B}[H" + lines.joined(separator: "\u{1B}[K\n") + "\u{1B}[K\u{1B}[J"
    }
}
