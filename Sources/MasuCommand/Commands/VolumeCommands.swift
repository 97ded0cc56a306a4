import EngineAPIModel
import Flags
import JSON
import Text

/// `masu volume …`.
enum VolumeCommands {
    static var all: [Command] {
        [create, InspectCommands.volume, list, prune, remove, update]
    }

    /// The path of a volume's resource.
    static func path(_ name: String) -> String { "/volumes/\(PercentEncoding.encode(name))" }

    // MARK: create

    private static let driver = Flag.string("driver", short: "d", "Specify volume driver name", default: "local")
    private static let label = Flag.list("label", "Set metadata for a volume", check: KeyValueTexts.checkLabel)
    /// The name as docker took it before it was an operand.
    private static let name = Flag.string("name", "Specify volume name").hidden()
    private static let option = Flag.list("opt", short: "o", type: "map", "Set driver specific options")

    private static let create = Command(
        "create", operands: "[VOLUME]", arity: .atMost(1), "Create a volume",
        examples: [
            .init("Create a volume", "masu volume create data"),
            .init(
                "Create a volume on a server",
                "masu volume create --opt type=nfs --opt o=addr=10.0.0.2,rw --opt device=:/exports/data shared"),
        ],
        flags: { [driver, label, name, option] },
        action: { invocation in
            let flags = invocation.flags
            var request = VolumeCreateRequest()
            request.name = flags[name]
            if let operand = invocation.operands.first {
                guard request.name.isEmpty else {
                    throw CommandError(
                        "conflicting options: cannot specify a volume-name through both --name and as a positional arg")
                }
                request.name = operand
            }
            request.driver = flags[driver]
            // As docker does, none are left out: a volume without labels shows `null`, not `{}`.
            if !flags[option].isEmpty { request.driverOpts = KeyValueTexts.dictionary(flags[option]) }
            if !flags[label].isEmpty { request.labels = KeyValueTexts.dictionary(flags[label]) }
            let volume = try DaemonClient(invocation).call(
                HTTPRequest("POST", "/volumes/create", body: try JSON.encode(request)), as: VolumeInspection.self)
            try Console.print(volume.name)
            return 0
        })

    // MARK: ls

    private static let filter = Flag.list(
        "filter", short: "f", type: "filter", "Provide filter values (e.g. \"dangling=true\")", check: Filters.check)
    private static let quiet = Flag.boolean("quiet", short: "q", "Only display volume names")

    private static let list = Command(
        "ls", aliases: ["list"], "List volumes",
        examples: [.init("List volumes that no container uses", "masu volume ls --filter dangling=true")],
        spellings: ["masu volume ls", "masu volume list"],
        flags: { [filter, FormatFlags.list, quiet] },
        action: { invocation in
            let flags = invocation.flags
            let answer = try DaemonClient(invocation).call(
                HTTPRequest("GET", "/volumes", query: [("filters", Filters.query(flags[filter]))]),
                as: VolumeList.self)
            for warning in answer.warnings ?? [] { Console.complain("WARNING: \(warning)") }
            let rows = (answer.volumes ?? []).sorted { NaturalOrder.precedes($0.name, $1.name) }
                .map { VolumeRow($0).row }
            let format = FormatFlags.chosen(flags[FormatFlags.list], "volumesFormat", isQuiet: flags[quiet])
            if flags[quiet], format.isEmpty || format == "table" {
                try Console.write(rows.map { ($0.values["Name"]?.string ?? "") + "\n" }.joined())
                return 0
            }
            try Console.write(VolumeRow.listing(isQuiet: flags[quiet]).rendered(rows, format: format))
            return 0
        })

    // MARK: rm, prune and update

    private static let force = Flag.boolean("force", short: "f", "Force the removal of one or more volumes")

    private static let remove = Command(
        "rm", aliases: ["remove"], operands: "VOLUME [VOLUME...]", arity: .atLeast(1), "Remove one or more volumes",
        discussion: "Remove one or more volumes. You cannot remove a volume that is in use by a container.",
        examples: [.init("Remove a volume", "masu volume rm data")],
        spellings: ["masu volume rm", "masu volume remove"], flags: { [force] },
        action: { invocation in
            let client = try DaemonClient(invocation)
            return try ContainerCommands.each(invocation.operands) { name in
                try client.call(
                    HTTPRequest("DELETE", path(name), query: [("force", invocation.flags[force] ? "1" : nil)]))
                return name
            }
        })

    private static var prune: Command { PruneCommands.volumeCommand }

    private static let availability = Flag.string(
        "availability", "Cluster Volume availability (\"active\", \"pause\", \"drain\")", default: "active")

    private static let update = Command(
        "update", operands: "VOLUME", arity: .exactly(1), "Update a volume (cluster volumes only)",
        examples: [.init("Take a volume of a swarm out of use", "masu volume update --availability drain data")],
        flags: { [availability] },
        action: { invocation in
            _ = try DaemonClient(invocation).call(
                HTTPRequest("GET", path(invocation.operands[0])), as: VolumeInspection.self)
            // There is no swarm, and so none that is a cluster's.
            throw CommandError("can only update cluster volumes")
        })
}

/// A volume as a row of `volume ls`.
package struct VolumeRow {
    private let volume: VolumeInspection

    /// A row for a volume.
    package init(_ volume: VolumeInspection) { self.volume = volume }

    /// All columns there are.
    package static func listing(isQuiet: Bool = false) -> Listing {
        Listing(
            columns: [
                .init("Availability", "AVAILABILITY"), .init("Driver", "DRIVER"), .init("Group", "GROUP"),
                .init("Labels", "LABELS"), .init("Links", "LINKS"), .init("Mountpoint", "MOUNTPOINT"),
                .init("Name", "VOLUME NAME"), .init("Scope", "SCOPE"), .init("Size", "SIZE"),
                .init("Status", "STATUS"),
            ], defaultTable: "{{.Driver}}\t{{.Name}}",
            raw: isQuiet ? "name: {{.Name}}" : "name: {{.Name}}\ndriver: {{.Driver}}\n")
    }

    /// The row; its members are in the order in which docker prints them as JSON.
    package var row: Listing.Row {
        let labels = volume.labels ?? [:]
        var values = JSONObject()
        values["Availability"] = "N/A"
        values["Driver"] = .string(volume.driver)
        values["Group"] = "N/A"
        values["Labels"] = .string(labels.sorted { $0.key < $1.key }.map { "\($0)=\($1)" }.joined(separator: ","))
        values["Links"] = .string(volume.usageData.map { String($0.refCount) } ?? "N/A")
        values["Mountpoint"] = .string(volume.mountpoint)
        values["Name"] = .string(volume.name)
        values["Scope"] = .string(volume.scope)
        values["Size"] = .string(volume.usageData.map { HumanText.size(Double($0.size), digits: 4) } ?? "N/A")
        values["Status"] = "N/A"
        return Listing.Row(values, labels: labels)
    }
}
