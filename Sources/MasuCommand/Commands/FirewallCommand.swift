import EngineAPIModel
import Flags
import JSON
import Text

/// `masu network firewall`, which docker has not.
enum FirewallCommand {
    private static let format = Flag.string(
        "format",
        """
        Format output using a custom template:
        'table':            Print a table, and what to type where a port is closed (default)
        'table TEMPLATE':   Print output in table format using the given Go template
        'json':             Print in JSON format, one port and kind of senders a line
        'TEMPLATE':         Print output using the given Go template
        """)

    static let command = Command(
        "firewall", operands: "[CONTAINER...]", arity: .any,
        "Show who may reach published ports, and what to type where the host's firewall closes them",
        discussion: """
            Asks the host's own chains of nf_tables about each published port of these containers, or of all that \
            run. Changes nothing. Prints which rule decides for the host's own programs, for other machines and for \
            containers; and for each port that is closed the line that opens it, for the tool whose table it is: nft, \
            iptables, ufw or firewall-cmd.
            """,
        examples: [
            .init("See why a port cannot be reached", "masu network firewall web"),
            .init(
                "Print what opens the ports that are closed",
                "masu network firewall --format '{{.Remedy}}' | grep . | sort -u"),
        ],
        flags: { [format] },
        action: { invocation in
            let query = invocation.operands.map { ("container", $0) }
            let report = try DaemonClient(invocation).call(
                HTTPRequest("GET", "/masu/networks/firewall", query: query), as: NetworkFirewall.self)
            let listing = FirewallListing(report)
            let text = invocation.flags[format]
            try Console.write(
                text.isEmpty || text == "table" ? listing.text() : listing.rendered(format: text))
            return 0
        })
}

/// What `network firewall` prints.
package struct FirewallListing {
    private let report: NetworkFirewall

    /// A report as the daemon gives it.
    package init(_ report: NetworkFirewall) { self.report = report }

    private static let columns = Listing(
        columns: [
            .init("Container", "CONTAINER"), .init("ContainerID", "CONTAINER ID"), .init("Port", "PORT"),
            .init("HostIP", "HOST IP"), .init("HostPort", "HOST PORT"), .init("ContainerPort", "CONTAINER PORT"),
            .init("Protocol", "PROTOCOL"), .init("From", "FROM"), .init("Interface", "INTERFACE"),
            .init("Verdict", "VERDICT"), .init("Rule", "DECIDED BY"), .init("Remedy", "TO OPEN IT"),
            .init("Mode", "MODE"),
        ], defaultTable: "{{.Container}}\t{{.Port}}\t{{.From}}\t{{.Verdict}}\t{{.Rule}}")

    /// All that is known, a line for each port and kind of senders.
    ///
    /// - Parameter format: `json`, a template, or `table` and a template.
    package func rendered(format: String) throws(CommandError) -> String {
        let rows = sorted.map { entry -> Listing.Row in
            var values = JSONObject()
            values["Container"] = .string(entry.container)
            values["ContainerID"] = .string(entry.containerID)
            values["ContainerPort"] = .int(Int64(entry.containerPort))
            values["From"] = .string(entry.from)
            values["HostIP"] = .string(entry.hostIP)
            values["HostPort"] = .int(Int64(entry.hostPort))
            values["Interface"] = .string(entry.interface)
            values["Mode"] = .string(report.mode)
            values["Port"] = .string(Self.place(entry) + Self.target(entry))
            values["Protocol"] = .string(entry.transport)
            values["Remedy"] = .string(entry.remedy)
            values["Rule"] = .string(entry.rule)
            values["Verdict"] = .string(entry.verdict)
            return Listing.Row(values)
        }
        return try Self.columns.rendered(rows, format: format)
    }

    // MARK: For people

    /// A table in which what is the same for several is said once, and what to type below it.
    package func text() -> String {
        var text = modeText + "\n\n"
        var lines = ["CONTAINER\tPORT\tFROM\tIS\tDECIDED BY"]
        let rows = merged
        for row in rows {
            lines.append(
                "\(row.container)\t\(row.places.joined(separator: ", "))\(row.target)\t"
                    + "\(row.senders.joined(separator: ", "))\t\(Self.word(row.verdict))\t"
                    + (row.rule.isEmpty ? "-" : row.rule))
        }
        text += Listing.aligned(lines)
        let closed = remedies
        if !closed.isEmpty { text += "\nWhat is closed is opened by:\n" }
        for (ports, line) in closed { text += "\n  # \(ports.joined(separator: ", "))\n  \(line)\n" }
        if !report.notes.isEmpty { text += "\n" + report.notes.map { "Note: \($0)\n" }.joined() }
        return text
    }

    private var modeText: String {
        let decides =
            report.mode == "nat"
            ? "the kernel carries packets, and the host's forward chains decide"
            : "the containers' shims carry packets, and the host's input chains decide"
        return "Mode \(report.mode)\(report.modeChosen ? ", chosen by masud" : ""): \(decides)."
    }

    /// A line of the table.
    private struct Row {
        let container: String
        var places: [String]
        let target: String
        var senders: [String]
        let verdict: String
        let rule: String
    }

    private var merged: [Row] {
        var rows: [Row] = []
        for entry in sorted {
            let sender = Self.sender(entry)
            let last = rows.lastIndex { row in
                row.container == entry.container && row.target == Self.target(entry) && row.verdict == entry.verdict
                    && row.rule == entry.rule && row.places == [Self.place(entry)]
            }
            if let last {
                rows[last].senders.append(sender)
            } else {
                rows.append(
                    Row(
                        container: entry.container, places: [Self.place(entry)], target: Self.target(entry),
                        senders: [sender], verdict: entry.verdict, rule: entry.rule))
            }
        }
        var result: [Row] = []
        for row in rows {
            let same = result.firstIndex { other in
                other.container == row.container && other.target == row.target && other.senders == row.senders
                    && other.verdict == row.verdict && other.rule == row.rule
            }
            if let same { result[same].places += row.places } else { result.append(row) }
        }
        return result.map { row in
            var row = row
            if row.senders == ["host", "machines", "containers"] { row.senders = ["everybody"] }
            return row
        }
    }

    /// Each line that opens something, with what it opens.
    private var remedies: [(ports: [String], line: String)] {
        var result: [(ports: [String], line: String)] = []
        for entry in sorted where !entry.remedy.isEmpty {
            let port = "\(entry.container) \(Self.place(entry))/\(entry.transport)"
            if let index = result.firstIndex(where: { $0.line == entry.remedy }) {
                if !result[index].ports.contains(port) { result[index].ports.append(port) }
            } else {
                result.append(([port], entry.remedy))
            }
        }
        return result
    }

    private var sorted: [FirewallEntry] {
        report.ports.enumerated().sorted { left, right in
            let (first, second) = (left.element, right.element)
            if first.container != second.container {
                return NaturalOrder.precedes(first.container, second.container)
            }
            return (first.containerPort, first.transport, first.hostPort, left.offset)
                < (second.containerPort, second.transport, second.hostPort, right.offset)
        }.map(\.element)
    }

    private static func word(_ verdict: String) -> String {
        switch verdict {
        case "accept": "open"
        case "drop": "closed"
        default: "unknown"
        }
    }

    private static func sender(_ entry: FirewallEntry) -> String {
        entry.interface.isEmpty ? entry.from : "\(entry.from) by \(entry.interface)"
    }

    private static func place(_ entry: FirewallEntry) -> String {
        HumanText.joined(host: entry.hostIP, port: String(entry.hostPort))
    }

    private static func target(_ entry: FirewallEntry) -> String { "->\(entry.containerPort)/\(entry.transport)" }
}
