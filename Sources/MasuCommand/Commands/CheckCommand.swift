import EngineAPIModel
import Flags
import JSON
import Text

/// `masu system check`, which docker has not.
enum CheckCommand {
    private static let quiet = Flag.boolean("quiet", short: "q", "Only print problems")
    private static let limits = Flag.boolean("limits", "Only tell the machine's limits, and do not read what is stored")
    private static let containers = Flag.unsigned(
        "containers", "Tell the machine's limits for so many containers", default: 1000)
    private static let tune = Flag.boolean(
        "tune-host", "Raise kernel parameters that are short, until the machine's next start")

    static let command = Command(
        "check", "Verify everything that is stored, and the machine's limits",
        discussion: """
            Tells the limits of the daemon's machine: what there is, what a number of containers needs, and the line \
            that raises what is short. Then compares every blob with its digest, the files of every layer with the \
            layer, and the database with the disk. Prints one problem a line, and ends with exit status 1 if there \
            is one. Limits count as a problem if one of --limits, --containers and --tune-host is given.

            Changes nothing, except with --tune-host: that raises the kernel parameters that are short to what is \
            needed, never lowers one, says what it did, and ends with exit status 1 if something is still short. It \
            writes no file; what it sets is gone with the machine's next start. The daemon must be root.
            """,
        examples: [
            .init("Check everything after a power failure", "masu system check"),
            .init(
                "See whether this machine is ready for 3,000 containers",
                "masu system check --limits --containers 3000"),
            .init("Make it ready", "masu system check --limits --containers 3000 --tune-host"),
        ],
        flags: { [quiet, limits, containers, tune] },
        action: { invocation in
            let flags = invocation.flags
            let counts = flags[limits] || flags.isSet(containers) || flags[tune]
            var problems = 0
            if counts || !flags[quiet] {
                let short = try tellLimits(invocation)
                if counts { problems += short }
            }
            if !flags[limits] { problems += try checkStore(invocation) }
            return problems == 0 ? 0 : 1
        })

    // MARK: Limits

    /// Prints the limits, after raising them if that is asked for; how many are short then.
    private static func tellLimits(_ invocation: Invocation) throws -> Int {
        let flags = invocation.flags
        let report: HostLimitReport = try DaemonClient(invocation).call(
            HTTPRequest(
                flags[tune] ? "POST" : "GET", "/masu/limits", query: [("containers", String(flags[containers]))]),
            as: HostLimitReport.self)
        for change in report.changes {
            if !change.error.isEmpty {
                try Console.print("\(change.name): cannot be raised from \(change.from): \(change.error)")
            } else if !flags[quiet] {
                try Console.print("\(change.name): raised from \(change.from) to \(change.to)")
            }
        }
        for line in HostLimitText.lines(report, onlyShort: flags[quiet]) { try Console.print(line) }
        return report.limits.count { $0.isShort }
    }

    // MARK: The store

    /// Prints what is wrong; how many problems there are.
    private static func checkStore(_ invocation: Invocation) throws -> Int {
        let response = try DaemonClient(invocation).open(HTTPRequest("POST", "/masu/check"))
        var lines = JSONLines()
        var summary: CheckSummary?
        while let piece = try response.next() {
            for bytes in lines.take(piece) {
                let line = try JSON.decode(CheckLine.self, from: bytes)
                if !line.problem.isEmpty { try Console.print(line.problem) }
                if !line.error.isEmpty { throw CommandError("cannot finish the check: \(line.error)") }
                summary = line.summary ?? summary
            }
        }
        guard let summary else { throw CommandError("the daemon ended the check without a result") }
        if !invocation.flags[quiet] {
            let size = HumanText.size(Double(summary.bytes), digits: 4)
            try Console.print(
                "\(summary.images) images, \(summary.blobs) blobs (\(size)), \(summary.snapshots) snapshots, "
                    + "\(summary.containers) containers: "
                    + (summary.problems == 0
                        ? "no problems" : "\(summary.problems) problem\(summary.problems == 1 ? "" : "s")"))
        }
        return summary.problems
    }
}
