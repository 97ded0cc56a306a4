import EngineAPIModel
import Flags
import JSON

/// `masu system df`.
enum DiskUsageCommand {
    private static let verbose = Flag.boolean("verbose", short: "v", "Show detailed information on space usage")

    static let command = Command(
        "df", "Show disk usage of images, containers and volumes",
        examples: [
            .init("Show how much space could be freed", "masu system df"),
            .init("List each image, container and volume", "masu system df -v"),
        ],
        flags: { [FormatFlags.list, verbose] },
        action: { invocation in
            let usage = try DaemonClient(invocation).call(HTTPRequest("GET", "/system/df"), as: DiskUsage.self)
            let format = invocation.flags[FormatFlags.list]
            let report = DiskUsageReport(usage)
            if invocation.flags[verbose] {
                guard format.isEmpty || format == "table" else {
                    throw CommandError("--format and --verbose exclude each other: use one of them")
                }
                try Console.write(report.details())
            } else {
                try Console.write(report.summary(format: format))
            }
            return 0
        })
}

/// The numbers of `GET /system/df` in docker's tables.
package struct DiskUsageReport {
    private let usage: DiskUsage

    /// A report of what the daemon has counted.
    package init(_ usage: DiskUsage) { self.usage = usage }

    private struct Line {
        let type: String
        let total: Int
        let active: Int
        let size: Int64
        let reclaimable: Int64
    }

    private var lines: [Line] {
        let images = usage.images ?? []
        // A layer that an image in use shares with others is in use as well.
        let used = images.filter { $0.containers > 0 && $0.sharedSize >= 0 }.reduce(0) { $0 + $1.size - $1.sharedSize }
        let containers = usage.containers ?? []
        let running = containers.filter { ["running", "paused", "restarting"].contains($0.state) }
        let written = containers.reduce(0) { $0 + $1.sizeRw }
        return [
            Line(
                type: "Images", total: images.count, active: images.filter { $0.containers > 0 }.count,
                size: usage.layersSize, reclaimable: usage.layersSize - used),
            Line(
                type: "Containers", total: containers.count, active: running.count, size: written,
                reclaimable: written - running.reduce(0) { $0 + $1.sizeRw }),
            volumes,
            Line(type: "Build Cache", total: 0, active: 0, size: 0, reclaimable: 0),
        ]
    }

    private var volumes: Line {
        let volumes = (usage.volumes ?? []).compactMap(\.usageData)
        // A size that is not known is negative.
        let unused = volumes.filter { $0.refCount == 0 }
        return Line(
            type: "Local Volumes", total: volumes.count, active: volumes.count - unused.count,
            size: volumes.reduce(0) { $0 + max($1.size, 0) },
            reclaimable: unused.reduce(0) { $0 + max($1.size, 0) })
    }

    /// The table of four lines, or what `format` makes of it.
    package func summary(format: String) throws -> String {
        let listing = Listing(
            columns: [
                .init("Type", "TYPE"), .init("TotalCount", "TOTAL"), .init("Active", "ACTIVE"),
                .init("Size", "SIZE"), .init("Reclaimable", "RECLAIMABLE"),
            ], defaultTable: "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
            raw: """
                type: {{.Type}}
                total: {{.TotalCount}}
                active: {{.Active}}
                size: {{.Size}}
                reclaimable: {{.Reclaimable}}

                """)
        let rows = lines.map { line in
            var values = JSONObject()
            values["Active"] = .string(String(line.active))
            let share = line.size > 0 ? " (\(line.reclaimable * 100 / line.size)%)" : ""
            values["Reclaimable"] = .string(HumanText.size(Double(line.reclaimable), digits: 4) + share)
            values["Size"] = .string(HumanText.size(Double(line.size), digits: 4))
            values["TotalCount"] = .string(String(line.total))
            values["Type"] = .string(line.type)
            return Listing.Row(values)
        }
        return try listing.rendered(rows, format: format)
    }

    /// A table for each kind.
    package func details() throws -> String {
        let images = (usage.images ?? []).compactMap { summary -> Listing.Row? in
            var first = summary
            first.repoTags = Array(summary.repoTags.prefix(1))
            return ImageRows(first, truncates: true, byDigest: false).rows.first
        }
        let imageTable = try ImageRows.listing(showsDigests: false).rendered(
            images,
            format: "table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t"
                + "{{.UniqueSize}}\t{{.Containers}}")
        let containers = (usage.containers ?? []).map { summary -> Listing.Row in
            var own = summary
            // The virtual size is not shown here.
            own.sizeRootFs = 0
            return ContainerRow(own, truncates: true).row
        }
        let containerTable = try ContainerRow.listing(showsSize: true).rendered(
            containers,
            format: "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t"
                + "{{.Status}}\t{{.Names}}")
        let volumeTable = try VolumeRow.listing().rendered(
            (usage.volumes ?? []).map { VolumeRow($0).row }, format: "table {{.Name}}\t{{.Links}}\t{{.Size}}")
        return "Images space usage:\n\n\(imageTable)\nContainers space usage:\n\n\(containerTable)"
            + "\nLocal Volumes space usage:\n\n\(volumeTable)\nBuild cache usage: 0B\n\n"
    }
}
