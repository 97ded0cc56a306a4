import EngineAPIModel
import Flags
import JSON
import Text

extension ImageCommands {
    private static let all = Flag.boolean("all", short: "a", "Show all images (default hides intermediate images)")
    private static let digests = Flag.boolean("digests", "Show digests")
    private static let filter = Flag.list(
        "filter", short: "f", type: "filter", "Filter output based on conditions provided", check: Filters.check)
    private static let noTrunc = Flag.boolean("no-trunc", "Don't truncate output")
    private static let quiet = Flag.boolean("quiet", short: "q", "Only show image IDs")
    private static let human = Flag.boolean(
        "human", short: "H", "Print sizes and dates in human readable format", default: true)

    private static let tree = Flag.boolean("tree", "List multi-platform images as a tree (EXPERIMENTAL)")

    private static func showTree(_ invocation: Invocation) throws -> Int32 {
        let flags = invocation.flags
        let others: [(name: String, isSet: Bool)] = [
            ("quiet", flags[quiet]), ("no-trunc", flags[noTrunc]), ("show-digest", flags[digests]),
            ("format", flags.isSet(FormatFlags.list)),
        ]
        for other in others where other.isSet {
            throw CommandError("--\(other.name) is not yet supported with --tree")
        }
        var filters = flags[filter]
        if let reference = invocation.operands.first { filters.append("reference=\(reference)") }
        if !flags[all], !filters.contains(where: { $0.hasPrefix("dangling=") }) { filters.append("dangling=false") }
        let summaries = try DaemonClient(invocation).call(
            HTTPRequest(
                "GET", "/images/json",
                query: [("all", flags[all] ? "1" : nil), ("filters", Filters.query(filters)), ("manifests", "1")]),
            as: [ImageSummary].self)
        try Console.print(
            "WARNING: This is an experimental feature. The output may change and shouldn't be depended on.")
        try Console.write(ImageTree(summaries).rendered(width: Terminal.shownSize().columns))
        return 0
    }

    static func list(_ placement: Placement) -> Command {
        Command(
            placement == .grouped ? "ls" : "images", aliases: placement == .grouped ? ["list"] : [],
            operands: "[REPOSITORY[:TAG]]", arity: .atMost(1), "List images",
            examples: [.init("List images without a name", "masu images -f dangling=true")],
            spellings: ["masu image ls", "masu image list", "masu images"], group: placement.heading,
            flags: { [all, digests, filter, FormatFlags.list, noTrunc, quiet, tree] },
            action: { invocation in
                let flags = invocation.flags
                if flags[tree] { return try showTree(invocation) }
                var filters = flags[filter]
                if let reference = invocation.operands.first { filters.append("reference=\(reference)") }
                let summaries = try DaemonClient(invocation).call(
                    HTTPRequest(
                        "GET", "/images/json",
                        query: [("all", flags[all] ? "1" : nil), ("filters", Filters.query(filters))]),
                    as: [ImageSummary].self)
                let format = FormatFlags.chosen(flags[FormatFlags.list], "imagesFormat", isQuiet: flags[quiet])
                let rows = summaries.flatMap {
                    ImageRows($0, truncates: !flags[noTrunc], byDigest: flags[digests] || format.holds(".Digest"))
                        .rows
                }
                if flags[quiet], format.isEmpty || format == "table" {
                    try Console.write(rows.map { ($0.values["ID"]?.string ?? "") + "\n" }.joined())
                    return 0
                }
                try Console.write(ImageRows.listing(showsDigests: flags[digests]).rendered(rows, format: format))
                return 0
            })
    }

    private static let historyPlatform = Flag.string(
        "platform", "Show history for the given platform. Formatted as \"os[/arch[/variant]]\" (e.g., \"linux/amd64\")")

    static func history(_ placement: Placement) -> Command {
        Command(
            "history", operands: "IMAGE", arity: .exactly(1), "Show the history of an image",
            examples: [.init("Print every step in full", "masu history --no-trunc debian")],
            spellings: ["masu image history", "masu history"],
            flags: { [FormatFlags.list, human, noTrunc, historyPlatform, quiet] },
            action: { invocation in
                let flags = invocation.flags
                let entries = try DaemonClient(invocation).call(
                    HTTPRequest(
                        "GET", path(invocation.operands[0], "/history"),
                        query: [("platform", try flags.given(historyPlatform).map(PlatformText.encoded))]),
                    as: [ImageHistoryEntry].self)
                let rows = entries.map { historyRow($0, truncates: !flags[noTrunc], human: flags[human]) }
                let format = flags[FormatFlags.list]
                if flags[quiet], format.isEmpty || format == "table" {
                    try Console.write(rows.map { ($0.values["ID"]?.string ?? "") + "\n" }.joined())
                    return 0
                }
                let listing = Listing(
                    columns: [
                        .init("ID", "IMAGE"), .init("CreatedSince", flags[human] ? "CREATED" : "CREATED AT"),
                        .init("CreatedAt", "CREATED AT"),
                        .init("CreatedBy", "CREATED BY"), .init("Size", "SIZE"), .init("Comment", "COMMENT"),
                    ], defaultTable: "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}")
                try Console.write(listing.rendered(rows, format: format))
                return 0
            })
    }

    private static func historyRow(_ entry: ImageHistoryEntry, truncates: Bool, human: Bool) -> Listing.Row {
        var values = JSONObject()
        let created = LocalTime.rfc3339(entry.created)
        let by = entry.createdBy.map { $0 == "\t" || $0 == "\n" ? " " : String($0) }.joined()
        values["Comment"] = .string(entry.comment)
        values["CreatedAt"] = .string(created)
        values["CreatedBy"] = .string(truncates ? HumanText.ellipsis(by, 45) : by)
        let since =
            entry.created <= 0 ? "N/A" : HumanDuration.words(seconds: HumanText.now() - Double(entry.created)) + " ago"
        values["CreatedSince"] = .string(human ? since : created)
        values["ID"] = .string(truncates && entry.id != "<missing>" ? HumanText.shortID(entry.id) : entry.id)
        values["Size"] = .string(human ? HumanText.size(Double(entry.size)) : String(entry.size))
        return Listing.Row(values)
    }
}

/// An image as rows of `images`: one for each of its names.
package struct ImageRows {
    private let summary: ImageSummary
    private let truncates: Bool
    private let byDigest: Bool
    private let now: Double

    /// - Parameter byDigest: whether digests are shown, which gives names known only by digest rows of their own.
    package init(_ summary: ImageSummary, truncates: Bool, byDigest: Bool, now: Double = HumanText.now()) {
        self.summary = summary
        self.truncates = truncates
        self.byDigest = byDigest
        self.now = now
    }

    /// All columns there are.
    package static func listing(showsDigests: Bool) -> Listing {
        Listing(
            columns: [
                .init("Repository", "REPOSITORY"), .init("Tag", "TAG"), .init("Digest", "DIGEST"),
                .init("ID", "IMAGE ID"),
                .init("CreatedSince", "CREATED"), .init("CreatedAt", "CREATED AT"), .init("Size", "SIZE"),
                .init("Containers", "CONTAINERS"), .init("SharedSize", "SHARED SIZE"),
                .init("UniqueSize", "UNIQUE SIZE"),
                .init("VirtualSize", "SIZE"),
            ],
            defaultTable: "{{.Repository}}\t{{.Tag}}\t" + (showsDigests ? "{{.Digest}}\t" : "")
                + "{{.ID}}\t{{.CreatedSince}}\t{{.Size}}",
            raw: """
                repository: {{.Repository}}
                tag: {{.Tag}}
                \(showsDigests ? "digest: {{.Digest}}\n" : "")image_id: {{.ID}}
                created_at: {{.CreatedAt}}
                virtual_size: {{.Size}}

                """)
    }

    /// The rows.
    package var rows: [Listing.Row] {
        var names: [(repository: String, tag: String, digest: String)] = []
        var digests: [(repository: String, digest: String)] = []
        for reference in summary.repoDigests where reference != "<none>@<none>" {
            guard let mark = reference.firstIndex(of: "@") else { continue }
            digests.append((String(reference[..<mark]), String(reference[reference.index(after: mark)...])))
        }
        for reference in summary.repoTags where reference != "<none>:<none>" {
            let (repository, tag) = ImageCommands.split(reference)
            let own = digests.filter { $0.repository == repository }
            if byDigest, !own.isEmpty {
                names += own.map { (repository, tag, $0.digest) }
            } else {
                names.append((repository, tag, "<none>"))
            }
        }
        let tagged = Set(names.map(\.repository))
        for (repository, digest) in digests where !tagged.contains(repository) && (byDigest || names.isEmpty) {
            names.append((repository, "<none>", digest))
        }
        if names.isEmpty { names = [("<none>", "<none>", "<none>")] }
        return names.map { row($0.repository, $0.tag, $0.digest) }
    }

    private func row(_ repository: String, _ tag: String, _ digest: String) -> Listing.Row {
        var values = JSONObject()
        let size = HumanText.size(Double(summary.size))
        values["Containers"] = .string(summary.containers < 0 ? "N/A" : String(summary.containers))
        values["CreatedAt"] = .string(LocalTime.goString(summary.created))
        values["CreatedSince"] = .string(
            summary.created <= 0 ? "N/A" : HumanDuration.words(seconds: now - Double(summary.created)) + " ago")
        values["Digest"] = .string(digest)
        values["ID"] = .string(truncates ? HumanText.shortID(summary.id) : summary.id)
        values["Repository"] = .string(repository)
        values["SharedSize"] = .string(summary.sharedSize < 0 ? "N/A" : HumanText.size(Double(summary.sharedSize)))
        values["Size"] = .string(size)
        values["Tag"] = .string(tag)
        let isKnown = summary.sharedSize >= 0
        values["UniqueSize"] = .string(isKnown ? HumanText.size(Double(summary.size - summary.sharedSize)) : "N/A")
        values["VirtualSize"] = .string(HumanText.size(Double(summary.size), digits: 4))
        return Listing.Row(values, labels: summary.labels ?? [:])
    }
}
