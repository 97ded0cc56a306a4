import EngineAPIModel
import Flags
import Glibc

/// The `prune` commands.
enum PruneCommands {
    static let force = Flag.boolean("force", short: "f", "Do not prompt for confirmation")
    static let filter = Flag.list(
        "filter", type: "filter", "Provide filter values (e.g. \"until=<timestamp>\")", check: Filters.check)
    private static func filters(_ flags: ParsedFlags, _ flag: Flag<[String]> = filter) -> [String] {
        ClientConfiguration.user.pruneFilters(flags[flag])
    }

    private static let allImages = Flag.boolean("all", short: "a", "Remove all unused images, not just dangling ones")
    private static let volumes = Flag.boolean("volumes", "Prune anonymous volumes")

    static let containers = Command(
        "prune", "Remove all stopped containers",
        examples: [.init("Remove containers older than a day", "masu container prune --filter until=24h")],
        flags: { [force, filter] },
        action: { invocation in
            let warning = """
                WARNING! This will remove all stopped containers.
                Are you sure you want to continue?
                """
            guard try confirm(warning, invocation) else { return 0 }
            let reclaimed = try pruneContainers(filters(invocation.flags), DaemonClient(invocation))
            try printTotal(reclaimed)
            return 0
        })

    static let images = Command(
        "prune", "Remove unused images",
        examples: [.init("Remove all images that no container uses", "masu image prune -a")],
        flags: { [allImages, force, filter] },
        action: { invocation in
            let isAll = invocation.flags[allImages]
            let warning =
                isAll
                ? "WARNING! This will remove all images without at least one container associated to them."
                : "WARNING! This will remove all dangling images."
            guard try confirm(warning + "\nAre you sure you want to continue?", invocation) else { return 0 }
            let reclaimed = try pruneImages(filters(invocation.flags), all: isAll, DaemonClient(invocation))
            try printTotal(reclaimed)
            return 0
        })

    static let networks = Command(
        "prune", "Remove all unused networks",
        examples: [.init("Remove unused networks older than a day", "masu network prune --filter until=24h")],
        flags: { [force, filter] },
        action: { invocation in
            let warning = """
                WARNING! This will remove all custom networks not used by at least one container.
                Are you sure you want to continue?
                """
            guard try confirm(warning, invocation) else { return 0 }
            try pruneNetworks(filters(invocation.flags), DaemonClient(invocation))
            return 0
        })

    private static let allVolumes = Flag.boolean(
        "all", short: "a", "Remove all unused volumes, not just anonymous ones")
    private static let volumeFilter = Flag.list(
        "filter", type: "filter", "Provide filter values (e.g. \"label=<label>\")", check: Filters.check)

    static let volumeCommand = Command(
        "prune", "Remove unused local volumes",
        examples: [.init("Remove all volumes that no container uses", "masu volume prune -a")],
        flags: { [allVolumes, force, volumeFilter] },
        action: { invocation in
            var filters = filters(invocation.flags, volumeFilter)
            let isAll = invocation.flags[allVolumes]
            if isAll {
                guard !filters.contains(where: { Filters.name(of: $0) == "all" }) else {
                    throw CommandError("conflicting options: cannot specify both --all and --filter all=1")
                }
                filters.append("all=true")
            }
            let warning =
                isAll
                ? "WARNING! This will remove all local volumes not used by at least one container."
                : "WARNING! This will remove anonymous local volumes not used by at least one container."
            guard try confirm(warning + "\nAre you sure you want to continue?", invocation) else { return 0 }
            let reclaimed = try pruneVolumes(filters, DaemonClient(invocation))
            try printTotal(reclaimed)
            return 0
        })

    static let system = Command(
        "prune", "Remove unused data",
        examples: [.init("Remove everything that is not in use", "masu system prune -a")],
        flags: { [allImages, force, filter, volumes] },
        action: { invocation in
            let flags = invocation.flags
            if flags[volumes], flags[filter].contains(where: { Filters.name(of: $0) == "until" }) {
                throw CommandError("ERROR: The \"until\" filter is not supported with \"--volumes\"")
            }
            var warning = "WARNING! This will remove:\n  - all stopped containers\n"
            warning += "  - all networks not used by at least one container\n"
            if flags[volumes] { warning += "  - all anonymous volumes not used by at least one container\n" }
            warning +=
                flags[allImages]
                ? "  - all images without at least one container associated to them\n" : "  - all dangling images\n"
            let chosen = filters(flags)
            let shown = chosen.filter { !$0.isEmpty }.sorted()
            if !shown.isEmpty {
                warning += "\n  Items to be pruned will be filtered with:\n"
                warning += shown.map { "  - \($0)\n" }.joined()
            }
            guard try confirm(warning + "\nAre you sure you want to continue?", invocation) else { return 0 }
            let client = try DaemonClient(invocation)
            var reclaimed = try pruneContainers(chosen, client)
            try pruneNetworks(chosen, client)
            if flags[volumes] { reclaimed += try pruneVolumes(chosen, client) }
            reclaimed += try pruneImages(chosen, all: flags[allImages], client)
            try printTotal(reclaimed)
            return 0
        })

    private static func pruneContainers(_ filters: [String], _ client: DaemonClient) throws -> Int64 {
        let report = try client.call(
            HTTPRequest("POST", "/containers/prune", query: [("filters", Filters.query(filters))]),
            as: ContainersPruneReport.self)
        if let ids = report.containersDeleted, !ids.isEmpty {
            try Console.print("Deleted Containers:\n" + ids.map { $0 + "\n" }.joined())
        }
        return report.spaceReclaimed
    }

    private static func pruneNetworks(_ filters: [String], _ client: DaemonClient) throws {
        let report = try client.call(
            HTTPRequest("POST", "/networks/prune", query: [("filters", Filters.query(filters))]),
            as: NetworksPruneReport.self)
        if let names = report.networksDeleted, !names.isEmpty {
            try Console.print("Deleted Networks:\n" + names.map { $0 + "\n" }.joined())
        }
    }

    private static func pruneVolumes(_ filters: [String], _ client: DaemonClient) throws -> Int64 {
        let report = try client.call(
            HTTPRequest("POST", "/volumes/prune", query: [("filters", Filters.query(filters))]),
            as: VolumesPruneReport.self)
        guard let names = report.volumesDeleted, !names.isEmpty else { return 0 }
        try Console.print("Deleted Volumes:\n" + names.map { $0 + "\n" }.joined())
        return report.spaceReclaimed
    }

    private static func pruneImages(_ filters: [String], all: Bool, _ client: DaemonClient) throws -> Int64 {
        let report = try client.call(
            HTTPRequest(
                "POST", "/images/prune", query: [("filters", Filters.query(filters + ["dangling=\(!all)"]))]),
            as: ImagesPruneReport.self)
        if let deletions = report.imagesDeleted, !deletions.isEmpty {
            let lines = deletions.map { $0.untagged.isEmpty ? "deleted: \($0.deleted)" : "untagged: \($0.untagged)" }
            try Console.print("Deleted Images:\n" + lines.map { $0 + "\n" }.joined())
        }
        return report.spaceReclaimed
    }

    static func printTotal(_ bytes: Int64) throws {
        try Console.print("Total reclaimed space: " + HumanText.size(Double(bytes), digits: 4))
    }

    /// Asks on the terminal; anything but yes is no. `--force` is yes.
    static func confirm(_ question: String, _ invocation: Invocation) throws -> Bool {
        if invocation.flags[force] { return true }
        try Console.write(question + " [y/N] ")
        var answer: [UInt8] = []
        var byte: UInt8 = 0
        while read(STDIN_FILENO, &byte, 1) == 1, byte != UInt8(ascii: "\n") { answer.append(byte) }
        let text = String(decoding: answer, as: UTF8.self).lowercased().filter { !$0.isWhitespace }
        return text == "y" || text == "yes"
    }
}
