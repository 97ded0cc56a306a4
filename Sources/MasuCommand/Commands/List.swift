import EngineAPIModel
import Flags
import JSON
import Text

extension ContainerCommands {
    private static let all = Flag.boolean("all", short: "a", "Show all containers (default shows just running)")
    private static let filter = Flag.list(
        "filter", short: "f", type: "filter", "Filter output based on conditions provided", check: Filters.check)
    private static let format = FormatFlags.list
    private static let last = Flag.integer(
        "last", short: "n", "Show n last created containers (includes all states)", default: -1)
    private static let latest = Flag.boolean(
        "latest", short: "l", "Show the latest created container (includes all states)")
    private static let noTrunc = Flag.boolean("no-trunc", "Don't truncate output")
    private static let quiet = Flag.boolean("quiet", short: "q", "Only display container IDs")
    private static let size = Flag.boolean("size", short: "s", "Display total file sizes")

    static func list(_ placement: Placement) -> Command {
        Command(
            placement == .grouped ? "ls" : "ps", aliases: placement == .grouped ? ["list", "ps"] : [],
            "List containers",
            examples: [
                .init("List containers that ended with exit code 1", "masu ps -a --filter exited=1"),
                .init("Choose the columns", "masu ps --format 'table {{.Names}}\\t{{.Status}}'"),
            ],
            spellings: ["masu container ls", "masu container list", "masu container ps", "masu ps"],
            group: placement.heading, flags: { [all, filter, format, last, latest, noTrunc, quiet, size] },
            action: { invocation in
                let flags = invocation.flags
                let format = FormatFlags.chosen(flags[self.format], "psFormat", isQuiet: flags[quiet])
                let limit = flags[latest] && !flags.isSet(last) ? 1 : flags[last]
                // The size is asked for where it is shown; `json` shows everything.
                let showsSize = [".Size", "json"].contains { format.holds($0) }
                let needsSize = flags[size] || (showsSize && !flags[quiet])
                let summaries = try DaemonClient(invocation).call(
                    HTTPRequest(
                        "GET", "/containers/json",
                        query: [
                            ("all", flags[all] ? "1" : nil), ("limit", limit > 0 ? String(limit) : nil),
                            ("size", needsSize ? "1" : nil), ("filters", Filters.query(flags[filter])),
                        ]), as: [ListedContainer].self)
                let isBare = flags[quiet] && (format.isEmpty || format == "table")
                let listing = ContainerRow.listing(showsSize: flags[size], isQuiet: flags[quiet])
                let columns = isBare ? ["ID"] : listing.shownColumns(format)
                let now = HumanText.now()
                let rows = summaries.map {
                    ContainerRow($0.summary, truncates: !flags[noTrunc], now: now).row(columns)
                }
                if isBare {
                    try Console.write(rows.map { ($0.values["ID"]?.string ?? "") + "\n" }.joined())
                    return 0
                }
                try Console.write(listing.rendered(rows, format: format))
                return 0
            })
    }
}

/// The `--format` flags, whose help is long.
enum FormatFlags {
    static let list = Flag.string(
        "format",
        """
        Format output using a custom template:
        'table':            Print output in table format with column headers (default)
        'table TEMPLATE':   Print output in table format using the given Go template
        'json':             Print in JSON format
        'TEMPLATE':         Print output using the given Go template
        """)

    /// The format that a list gets: that of `--format`, or else the one that the user has written down for this list,
    /// which does not matter where only ids are wanted.
    ///
    /// - Parameter key: of `config.json`, such as `psFormat`.
    static func chosen(_ given: String, _ key: String, isQuiet: Bool = false) -> String {
        given.isEmpty && !isQuiet ? ClientConfiguration.user.format(key) : given
    }

    static let object = Flag.string(
        "format", short: "f",
        """
        Format output using a custom template:
        'json':             Print in JSON format
        'TEMPLATE':         Print output using the given Go template
        """)
}

/// A container as a row of `ps`.
package struct ContainerRow {
    private let summary: ContainerSummary
    private let truncates: Bool
    private let now: Double

    /// A row for a container.
    ///
    /// - Parameters:
    ///   - truncates: whether ids, commands and mounts are shortened.
    ///   - now: seconds since 1970.
    package init(_ summary: ContainerSummary, truncates: Bool, now: Double = HumanText.now()) {
        self.summary = summary
        self.truncates = truncates
        self.now = now
    }

    /// All columns there are.
    package static func listing(showsSize: Bool, isQuiet: Bool = false) -> Listing {
        let columns: [Listing.Column] = [
            .init("ID", "CONTAINER ID"), .init("Image", "IMAGE"), .init("Command", "COMMAND"),
            .init("CreatedAt", "CREATED AT"), .init("RunningFor", "CREATED"), .init("Ports", "PORTS"),
            .init("State", "STATE"), .init("Status", "STATUS"), .init("Size", "SIZE"), .init("Names", "NAMES"),
            .init("Labels", "LABELS"), .init("Mounts", "MOUNTS"), .init("LocalVolumes", "LOCAL VOLUMES"),
            .init("Networks", "NETWORKS"), .init("Platform", "PLATFORM"),
        ]
        let table =
            "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}"
            + (showsSize ? "\t{{.Size}}" : "")
        let raw = """
            container_id: {{.ID}}
            image: {{.Image}}
            command: {{.Command}}
            created_at: {{.CreatedAt}}
            state: {{.State}}
            status: {{.Status}}
            names: {{.Names}}
            labels: {{.Labels}}
            ports: {{.Ports}}

            """
        return Listing(
            columns: columns, defaultTable: table,
            raw: isQuiet ? "container_id: {{.ID}}" : raw + (showsSize ? "size: {{.Size}}\n" : ""))
    }

    /// The row; its members are in the order in which docker prints them as JSON.
    package var row: Listing.Row { row(nil) }

    /// The row with these columns alone; nil: with all.
    package func row(_ columns: Set<String>?) -> Listing.Row {
        var values = JSONObject()
        func set(_ name: String, _ text: @autoclosure () -> String) {
            if columns?.contains(name) ?? true { values[name] = .string(text()) }
        }
        set("Command", command)
        set("CreatedAt", LocalTime.goString(summary.created))
        set("ID", truncates ? HumanText.shortID(summary.id) : summary.id)
        set("Image", image)
        set("Labels", summary.labels.sorted { $0.key < $1.key }.map { "\($0)=\($1)" }.joined(separator: ","))
        set("LocalVolumes", String(summary.mounts.count { $0.driver == "local" }))
        set("Mounts", mounts)
        set("Names", names)
        set("Networks", summary.networkSettings.networks.keys.sorted().joined(separator: ","))
        if columns == nil { values["Platform"] = .null }
        set("Ports", Self.ports(summary.ports))
        set("RunningFor", HumanDuration.words(seconds: now - Double(summary.created)) + " ago")
        set("Size", size)
        set("State", summary.state)
        set("Status", summary.status)
        return Listing.Row(values, labels: summary.labels)
    }

    private var names: String {
        let own = summary.names.map { $0.removing(prefix: "/") ?? $0 }
        return (truncates ? own.filter { !$0.contains("/") } : own).joined(separator: ",")
    }

    private var image: String {
        if summary.image.isEmpty { return "<no image>" }
        if truncates, summary.image == summary.imageID { return HumanText.shortID(summary.image) }
        return summary.image
    }

    private var command: String {
        JSONValue.string(truncates ? HumanText.ellipsis(summary.command, 20) : summary.command).text()
    }

    private var mounts: String {
        summary.mounts.map { mount in
            let name = mount.name.isEmpty ? mount.source : mount.name
            return truncates ? HumanText.ellipsis(name, 15) : name
        }.joined(separator: ",")
    }

    private var size: String {
        let own = HumanText.size(Double(summary.sizeRw))
        return summary.sizeRootFs > 0 ? "\(own) (virtual \(HumanText.size(Double(summary.sizeRootFs))))" : own
    }

    /// `443/tcp, 0.0.0.0:80-82->80-82/tcp, 0.0.0.0:8080->80/tcp` as docker has it: neighbouring ports are ranges
    /// where they have the same number on both sides or are not published; the others follow one by one.
    package static func ports(_ ports: [PortSummary]) -> String {
        let sorted = ports.sorted {
            ($0.privatePort, $0.ip, $0.publicPort, $0.type) < ($1.privatePort, $1.ip, $1.publicPort, $1.type)
        }
        var finished: [String] = []
        var groups: [PortGroup] = []
        var mappings: [String] = []
        for port in sorted {
            if !port.ip.isEmpty, port.publicPort != port.privatePort {
                let host = HumanText.joined(host: port.ip, port: String(port.publicPort))
                mappings.append("\(host)->\(port.privatePort)/\(port.type)")
                continue
            }
            let group = PortGroup(host: port.ip, transport: port.type, first: port.privatePort, last: port.privatePort)
            guard let place = groups.firstIndex(where: { $0.host == port.ip && $0.transport == port.type }) else {
                groups.append(group)
                continue
            }
            if groups[place].last + 1 == port.privatePort {
                groups[place].last = port.privatePort
            } else {
                finished.append(groups[place].text)
                groups[place] = group
            }
        }
        return (finished + groups.map(\.text) + mappings).joined(separator: ", ")
    }
}

/// Neighbouring ports of one address and protocol.
private struct PortGroup {
    /// Empty for ports that are not published.
    let host: String
    let transport: String
    let first: Int
    var last: Int

    var text: String {
        let range = first == last ? String(first) : "\(first)-\(last)"
        return (host.isEmpty ? range : "\(HumanText.joined(host: host, port: range))->\(range)") + "/" + transport
    }
}
