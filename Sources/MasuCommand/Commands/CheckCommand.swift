import EngineAPIModel
import Flags
import JSON

/// `masu system check`, which docker has not.
enum CheckCommand {
    private static let quiet = Flag.boolean("quiet", short: "q", "Only print problems")

    static let command = Command(
        "check", "Verify everything that is stored",
        discussion: """
            Compares every blob with its digest, the files of every layer with the layer, and the database with the \
            disk. Changes nothing. Prints one problem a line, and ends with exit status 1 if there is one.
            """,
        examples: [.init("Check everything after a power failure", "masu system check")],
        flags: { [quiet] },
        action: { invocation in
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
            return summary.problems == 0 ? 0 : 1
        })
}
