import EngineAPIModel

/// `images --tree`: images with the platforms that they are for.
package struct ImageTree {
    private let images: [Image]

    private struct Image {
        let names: [String]
        let row: Row
        let platforms: [(name: String, row: Row)]
    }

    private struct Row {
        let id: String
        let total: Int64
        let content: Int64
        let isUsed: Bool
    }

    /// Images of a list that was asked for with manifests; the newest come first.
    package init(_ summaries: [ImageSummary]) {
        images = summaries.sorted { $0.created > $1.created }.map { summary in
            // What is no image is a note about one.
            let manifests = (summary.manifests ?? []).filter { $0.kind == "image" }
            let platforms = manifests.map { manifest in
                let data = manifest.imageData ?? ImageManifestData()
                let row = Row(
                    id: manifest.id, total: manifest.size.total, content: manifest.size.content,
                    isUsed: !data.containers.isEmpty)
                return (name: Self.name(data.platform), row: row)
            }
            let row = Row(
                id: summary.id, total: summary.size, content: platforms.reduce(0) { $0 + $1.row.content },
                isUsed: summary.containers > 0 || platforms.contains { $0.row.isUsed })
            return Image(
                names: summary.repoTags.filter { $0 != "<none>:<none>" }, row: row, platforms: platforms)
        }
    }

    private static func name(_ platform: PlatformDescription) -> String {
        [platform.os, platform.architecture, platform.variant].filter { !$0.isEmpty }.joined(separator: "/")
    }

    private static let untagged = "<untagged>"
    /// The columns after the name: heading, width, whether texts stand at the right, and what a row says.
    private static let columns: [(heading: String, width: Int, isRight: Bool, text: @Sendable (Row) -> String)] = [
        ("ID", 12, false, { HumanText.shortID($0.id) }),
        ("DISK USAGE", 10, true, { HumanText.size(Double($0.total)) }),
        ("CONTENT SIZE", 12, true, { HumanText.size(Double($0.content)) }),
        ("EXTRA", 5, false, { $0.isUsed ? "U" : "" }),
    ]
    private static let gap = "   "
    private static let leastNameWidth = 12

    /// The text for standard output.
    ///
    /// - Parameter width: how many characters a line may have.
    package func rendered(width: Int) -> String {
        var columns = Self.columns
        var room = width
        for (index, column) in Self.columns.enumerated() {
            let needed = column.width + Self.gap.count
            if room - needed < Self.leastNameWidth {
                columns = Array(columns[..<index])
                break
            }
            room -= needed
        }
        let nameWidth = max(0, min(room, widestName))
        func line(_ name: String, _ row: Row) -> String {
            let cells = columns.map { column in
                let text = column.text(row)
                return Self.gap
                    + (column.isRight
                        ? String(repeating: " ", count: max(0, column.width - text.count)) + text
                        : text.padded(to: column.width))
            }
            return HumanText.ellipsis(name, nameWidth).padded(to: nameWidth) + cells.joined() + "\n"
        }
        let legend = "Info ->  U In Use "
        var text = String(repeating: " ", count: max(0, width - legend.count)) + legend + "\n\n"
        let headings = columns.map { Self.gap + $0.heading.padded(to: $0.width) }.joined()
        text += "IMAGE".padded(to: nameWidth) + headings + "\n"
        let isSpaced = images.contains { !$0.platforms.isEmpty }
        for image in images {
            for name in image.names.dropLast() { text += HumanText.ellipsis(name, nameWidth) + "\n" }
            text += line(image.names.last ?? Self.untagged, image.row)
            for (index, platform) in image.platforms.enumerated() {
                let isLast = index == image.platforms.count - 1
                text += line((isLast ? "└─ " : "├─ ") + platform.name, platform.row)
            }
            if isSpaced { text += "\n" }
        }
        return text
    }

    /// As docker counts it: a branch's bytes.
    private var widestName: Int {
        let names = images.flatMap { $0.names.isEmpty ? [Self.untagged] : $0.names }.map(\.count)
        let branches = images.flatMap(\.platforms).map { $0.name.count + "└─ ".utf8.count }
        return max((names + branches).max() ?? 0, "IMAGE".count)
    }
}
