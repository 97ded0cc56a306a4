import EngineAPIModel
import MasuCommand
import Testing

@Suite("images as a tree")
struct ImageTreeTests {
    private func image(_ names: [String], created: Int64, used: Bool, platforms: [String]) -> ImageSummary {
        var summary = ImageSummary()
        summary.id = "sha256:0123456789abcdef"
        summary.created = created
        summary.size = 1_982_260
        summary.containers = -1
        summary.repoTags = names
        summary.manifests = platforms.map { name in
            var manifest = ImageManifestSummary()
            manifest.id = "sha256:fedcba9876543210"
            manifest.kind = name == "note" ? "attestation" : "image"
            manifest.size.content = 1_997_517
            manifest.size.total = 3_979_777
            let parts = name.split(separator: "/").map(String.init)
            var data = ImageManifestData()
            data.platform.os = parts[0]
            data.platform.architecture = parts.count > 1 ? parts[1] : ""
            data.platform.variant = parts.count > 2 ? parts[2] : ""
            data.containers = used ? ["c"] : []
            manifest.imageData = data
            return manifest
        }
        return summary
    }

    @Test("names stand above each other, platforms below them, and notes are not shown")
    func tree() {
        let images = [
            image(["a:1", "b:2"], created: 1, used: true, platforms: ["linux/amd64", "linux/arm/v7", "note"]),
            image([], created: 2, used: false, platforms: ["linux/amd64"]),
        ]
        #expect(
            ImageTree(images).rendered(width: 80) == """
                                                                              Info ->  U In Use\u{20}

                IMAGE                 ID             DISK USAGE   CONTENT SIZE   EXTRA
                <untagged>            0123456789ab       1.98MB            2MB       \u{20}
                └─ linux/amd64        fedcba987654       3.98MB            2MB       \u{20}

                a:1
                b:2                   0123456789ab       1.98MB            4MB   U   \u{20}
                ├─ linux/amd64        fedcba987654       3.98MB            2MB   U   \u{20}
                └─ linux/arm/v7       fedcba987654       3.98MB            2MB   U   \u{20}


                """)
    }

    @Test("a narrow terminal has fewer columns and shorter names")
    func narrow() {
        let tree = ImageTree([image(["a-very-long-name:1"], created: 1, used: false, platforms: [])])
        let lines = tree.rendered(width: 28).split(separator: "\n")
        #expect(lines.contains("IMAGE           ID          "))
        #expect(lines.last == "a-very-long-…   0123456789ab")
    }

    @Test("a terminal without room shows what there is room for", arguments: [(-1, ""), (0, ""), (1, "…")])
    func noRoom(_ width: Int, _ name: String) {
        let tree = ImageTree([image(["long:1", "long:2"], created: 1, used: false, platforms: ["linux/amd64"])])
        #expect(
            tree.rendered(width: width).split(separator: "\n", omittingEmptySubsequences: false).dropFirst(3)
                == [name[...], name[...], name[...], "", ""])
    }
}
