import Archive
import ContentStore
import GRDB
import Glibc
import JSON
import LinuxKernel
import OCISpec
import Snapshots
import Synchronization
import SystemPackage

/// What a check has looked at.
package struct StoreCheck: Hashable, Sendable {
    /// How many images were checked.
    package var images = 0
    /// How many blobs were checked.
    package var blobs = 0
    /// Bytes of all blobs.
    package var bytes: Int64 = 0
    /// How many snapshots were checked.
    package var snapshots = 0
}

/// What is known of a container while a check looks at its snapshot.
package enum ContainerPresence: Hashable, Sendable {
    case none
    /// Being made or removed.
    case changing
    case whole
}

extension Images {
    /// Verifies everything that is stored against everything else: each blob against its digest, the database's
    /// references against blobs and snapshots, snapshots against what is on disk and, file by file, against the layers
    /// they were made from. What is wrong is reported in words, one thing at a time; from several threads.
    ///
    /// Changes nothing. What comes and goes while it looks is not reported.
    ///
    /// - Parameters:
    ///   - containers: the ids of all containers, whose snapshots have to be there.
    ///   - presence: what has become of a container, or of what may be one, by now.
    package func check(
        containers: Set<String>, presence: @escaping @Sendable (String) -> ContainerPresence,
        report: @escaping @Sendable (String) -> Void
    ) async throws -> StoreCheck {
        let cancellation = Cancellation()
        return try await withTaskCancellationHandler {
            try await streams.run {
                try ImagesError.translating {
                    try StoreChecker(self, cancellation, presence, report).run(containers: containers)
                }
            }
        } onCancel: {
            cancellation.cancel()
        }
    }
}

private struct StoreChecker: Sendable {
    private let images: Images
    private let cancellation: Cancellation
    private let presence: @Sendable (String) -> ContainerPresence
    private let report: @Sendable (String) -> Void

    init(
        _ images: Images, _ cancellation: Cancellation, _ presence: @escaping @Sendable (String) -> ContainerPresence,
        _ report: @escaping @Sendable (String) -> Void
    ) {
        self.images = images
        self.cancellation = cancellation
        self.presence = presence
        self.report = report
    }

    private struct Inventory {
        var rows: [ImageTable.Row] = []
        var blobs: [(image: String, digest: String)] = []
        var layers: [(image: String, snapshot: String)] = []
        /// Those that are still to be written: their layers are there.
        var late: Set<Digest> = []
        var stored: [Digest] = []
        var snapshots: [SnapshotInformation] = []
        /// What somebody is about to use.
        var holds = Holds()
    }

    func run(containers: Set<String>) throws -> StoreCheck {
        try checkDatabase()
        // All of it at one moment, in which nobody registers or removes an image.
        let inventory = try images.changes.withLock { holds in
            var inventory = Inventory()
            try images.database.read { database in
                inventory.rows = try ImageTable.all(in: database)
                inventory.blobs = try Row.fetchAll(database, sql: "SELECT image, digest FROM imageBlob ORDER BY digest")
                    .map { ($0["image"], $0["digest"]) }
                inventory.late = Set(try images.lateBlobs(in: database).map(\.layer))
                inventory.layers = try Row.fetchAll(
                    database, sql: "SELECT image, snapshot FROM imageLayer ORDER BY image, position"
                ).map { ($0["image"], $0["snapshot"]) }
            }
            inventory.stored = try images.content.list().sorted()
            inventory.snapshots = try images.snapshotter.list()
            inventory.holds = holds
            return inventory
        }
        var result = StoreCheck(
            images: inventory.rows.count, blobs: inventory.stored.count, snapshots: inventory.snapshots.count)
        result.bytes = inventory.stored.reduce(0) { $0 + (images.content.size(of: $1) ?? 0) }
        let damaged = try checkBlobs(inventory)
        for row in inventory.rows { try checkImage(row, inventory, damaged) }
        try checkSnapshots(inventory, containers)
        try checkLayers(inventory, damaged)
        try checkIngests()
        return result
    }

    private func checkDatabase() throws {
        try images.database.read { database in
            for line in try String.fetchAll(database, sql: "PRAGMA integrity_check") where line != "ok" {
                report("database: \(line)")
            }
            for row in try Row.fetchAll(database, sql: "PRAGMA foreign_key_check") {
                let table: String = row["table"] ?? ""
                let parent: String = row["parent"] ?? ""
                report("database: a row of \(table) refers to a row of \(parent) that does not exist")
            }
        }
    }

    /// Reads all blobs, on all processors. Returns those that are not what they are called.
    private func checkBlobs(_ inventory: Inventory) throws -> Set<Digest> {
        let referenced = Set(inventory.blobs.map(\.digest))
        for digest in inventory.stored where !referenced.contains(digest.description) {
            guard !inventory.holds.contains(digest.description), images.content.size(of: digest) != nil else {
                continue
            }
            report("blob \(digest) belongs to no image")
        }
        let damaged = Mutex<Set<Digest>>([])
        try inParallel(inventory.stored) { digest in
            let isGood = try images.content.verify(digest)
            guard !isGood, images.content.size(of: digest) != nil else { return }
            damaged.withLock { _ = $0.insert(digest) }
            report("blob \(digest) is damaged: its bytes have another digest")
        }
        return damaged.withLock { $0 }
    }

    private func checkImage(_ row: ImageTable.Row, _ inventory: Inventory, _ damaged: Set<Digest>) throws {
        let name = row.references.first.map { "\($0.familiar) (\(row.id.short))" } ?? row.id.short
        let own = inventory.blobs.filter { $0.image == row.id.description }.map(\.digest)
        for digest in own.compactMap({ Digest($0) })
        where images.content.size(of: digest) == nil && !inventory.late.contains(digest) {
            // It may have been removed since the list was made.
            guard try isPresent(row.id) else { return }
            report("image \(name): blob \(digest) is missing")
        }
        for digest in own.compactMap({ Digest($0) }) where damaged.contains(digest) {
            report("image \(name): blob \(digest) is damaged")
        }
        guard !damaged.contains(row.id), !damaged.contains(row.manifest),
            images.content.size(of: row.id) != nil, images.content.size(of: row.manifest) != nil
        else { return }
        do {
            let manifest = try JSON.decode(ImageManifest.self, from: images.content.read(row.manifest))
            let configuration = try JSON.decode(ImageConfiguration.self, from: images.content.read(row.id))
            if manifest.config.digest != row.id {
                report("image \(name): its manifest belongs to another image, \(manifest.config.digest)")
            }
            let needed = Set(([row.id, row.manifest] + manifest.layers.map(\.digest)).map(\.description))
            for digest in needed.subtracting(own).sorted() {
                report("image \(name): the database does not list its blob \(digest)")
            }
            for layer in manifest.layers {
                guard let size = images.content.size(of: layer.digest), size != layer.size else { continue }
                report("image \(name): blob \(layer.digest) has \(size) bytes instead of \(layer.size)")
            }
            let chain = ChainID.chain(of: configuration.rootfs.diffIDs).map(\.description)
            if manifest.layers.count != chain.count {
                report(
                    "image \(name): \(manifest.layers.count) layers in its manifest, \(chain.count) in its "
                        + "configuration"
                )
            }
            if inventory.layers.filter({ $0.image == row.id.description }).map(\.snapshot) != chain {
                report("image \(name): the layers in the database differ from those in its configuration")
            }
        } catch {
            report("image \(name): \(error)")
        }
    }

    private func isPresent(_ id: Digest) throws -> Bool {
        try images.database.read { try ImageTable.row(id, in: $0) } != nil
    }

    private func checkSnapshots(_ inventory: Inventory, _ containers: Set<String>) throws {
        let byName = Dictionary(inventory.snapshots.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        var needed = Set(inventory.layers.map(\.snapshot))
        for retained in inventory.snapshots where retained.isRetained {
            var next: String? = retained.name
            while let name = next, needed.insert(name).inserted { next = byName[name]?.parent }
        }
        for container in containers.sorted() {
            guard let snapshot = byName[container] else {
                if try images.snapshotter.information(container) == nil, presence(container) == .whole {
                    report("container \(container.prefix(12)): its root file system is missing")
                }
                continue
            }
            var next = snapshot.parent
            while let name = next, needed.insert(name).inserted { next = byName[name]?.parent }
        }
        for snapshot in inventory.snapshots {
            switch snapshot.state {
            case .staged: continue
            case .committed:
                if !needed.contains(snapshot.name), !inventory.holds.contains(snapshot.name),
                    try images.snapshotter.information(snapshot.name) != nil,
                    try !images.database.read({ try ImageTable.isReferenced(snapshot: snapshot.name, in: $0) })
                {
                    report("snapshot \(snapshot.name) belongs to no image")
                }
            case .active:
                guard !containers.contains(snapshot.name), presence(snapshot.name) == .none,
                    try images.snapshotter.information(snapshot.name) != nil
                else { continue }
                report("snapshot \(snapshot.name) belongs to no container")
            }
            if let parent = snapshot.parent, byName[parent]?.state != .committed {
                report("snapshot \(snapshot.name): its parent \(parent) is not a layer")
            }
            if !Files.exists(snapshot.directory), try images.snapshotter.information(snapshot.name) != nil {
                report("snapshot \(snapshot.name): its directory \(snapshot.directory) is missing")
            }
        }
    }

    /// Compares the files of each snapshot with the layers it was made from: with its own where the driver keeps layers
    /// apart, with all of an image's where it has whole trees.
    private func checkLayers(_ inventory: Inventory, _ damaged: Set<Digest>) throws {
        let keepsLayersApart = images.snapshotter.stagesIndependently
        var blobs: [String: [Digest]] = [:]
        for row in inventory.rows where !damaged.contains(row.id) && !damaged.contains(row.manifest) {
            // What cannot be read has been reported.
            guard let document = try? images.content.read(row.manifest),
                let manifest = try? JSON.decode(ImageManifest.self, from: document)
            else { continue }
            let chain = inventory.layers.filter { $0.image == row.id.description }.map(\.snapshot)
            var below: [Digest] = []
            for (snapshot, layer) in zip(chain, manifest.layers) {
                below = keepsLayersApart ? [layer.digest] : below + [layer.digest]
                if !keepsLayersApart, snapshot != chain.last { continue }
                let isReadable = below.allSatisfy { !damaged.contains($0) && images.content.size(of: $0) != nil }
                if isReadable { blobs[snapshot] = below }
            }
        }
        let snapshots = inventory.snapshots.filter { $0.state == .committed && blobs[$0.name] != nil }
        let layers = blobs
        try inParallel(snapshots) { snapshot in
            guard Files.exists(snapshot.directory) else { return }
            do {
                try checkLayers(layers[snapshot.name] ?? [], in: snapshot, keepsLayersApart ? .overlay : .remove)
            } catch let error as ArchiveError where error == .cancelled {
                throw error
            } catch {
                if try images.snapshotter.information(snapshot.name) == nil { return }
                report("snapshot \(snapshot.name): \(error)")
            }
        }
    }

    private func checkLayers(_ blobs: [Digest], in snapshot: SnapshotInformation, _ whiteouts: WhiteoutForm) throws {
        var comparison = LayerComparison(whiteouts: whiteouts)
        for digest in blobs {
            let file = try images.content.open(digest)
            defer { try? file.close() }  // only read from
            try comparison.read(
                TarReader(try Compression.decompressing(DescriptorSource(file)).source),
                isCancelled: { cancellation.isCancelled })
        }
        var problems: [String] = []
        let view = try images.snapshotter.view(snapshot.name)
        defer { withExtendedLifetime(view) {} }
        // Itself, without those below.
        guard let files = view.layers.first else { return }
        try comparison.compare(with: files, isCancelled: { cancellation.isCancelled }) { problems.append($0) }
        // The image may have gone while its files were looked at.
        guard try problems.isEmpty || images.snapshotter.information(snapshot.name) != nil else { return }
        for problem in problems.prefix(Self.problemsOfALayer) { report("snapshot \(snapshot.name): \(problem)") }
        if problems.count > Self.problemsOfALayer {
            report(
                "snapshot \(snapshot.name): \(problems.count - Self.problemsOfALayer) more files have changed")
        }
    }

    private static let problemsOfALayer = 20

    /// What another process began to store and nobody will finish.
    private func checkIngests() throws {
        let folder = images.content.root.appending("ingest")
        let own = "\(getpid())-"
        for name in try DirectoryListing.names(of: folder).map({ String(decoding: $0, as: UTF8.self) }) {
            if name.hasPrefix(own) || name == "resumable" { continue }
            report("\(folder.appending(name)) was left behind by an earlier daemon")
        }
    }

    /// Runs `body` for all elements, on as many threads as there are processors.
    private func inParallel<Element: Sendable>(
        _ elements: [Element], _ body: @escaping @Sendable (Element) throws -> Void
    ) throws {
        let position = Position()
        let work: @Sendable () throws -> Void = { [cancellation] in
            while true {
                if cancellation.isCancelled { throw ArchiveError.cancelled }
                let index = position.next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard index < elements.count else { return }
                try body(elements[index])
            }
        }
        let helpers = try (1..<max(1, min(Processors.count, elements.count))).map { index in
            try JoinableThread(name: "check-\(index)", work)
        }
        let own = Result { try work() }
        for helper in helpers { try helper.join() }
        try own.get()
    }

    private final class Position: Sendable {
        let next = Atomic<Int>(0)
    }
}
