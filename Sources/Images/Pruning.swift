import GRDB
import OCISpec

/// The filters of the `prune` commands, parsed once.
package struct PruneFilters: Hashable, Sendable {
    /// `false`: also images with a name.
    package var dangling = true
    /// `key` or `key=value`; all must be there.
    package var labels: [String] = []
    /// If all of them are there, the object stays.
    package var unwantedLabels: [String] = []
    /// Only what was made before.
    package var until: Timestamp?

    /// No filter.
    package init() {}

    /// Reads the API's `filters` parameter, already decoded.
    ///
    /// - Parameter accepting: the names this kind of object knows; another is an error.
    package init(_ filters: [String: [String]], accepting: Set<String>) throws(ImagesError) {
        for (name, values) in filters.sorted(by: { $0.key < $1.key }) {
            guard accepting.contains(name) else { throw ImagesError(.invalid, "invalid filter '\(name)'") }
            switch name {
            case "dangling": dangling = try ImageFilters(["dangling": values]).dangling ?? true
            case "label": labels = values
            case "label!": unwantedLabels = values
            case "until":
                guard values.count <= 1 else { throw ImagesError(.invalid, "more than one until filter specified") }
                until = try ImageFilters(["until": values]).until
            default: break
            }
        }
    }

    /// The filters of `image prune`.
    package static let forImages: Set<String> = ["dangling", "label", "label!", "until"]
    /// The filters of `container prune`.
    package static let forContainers: Set<String> = ["label", "label!", "until"]

    /// Whether something with these labels, made then, may be removed.
    package func admit(labels present: [String: String], created: Timestamp?) -> Bool {
        if let until {
            guard let created, created <= until else { return false }
        }
        guard labels.allSatisfy({ present.matches($0) }) else { return false }
        return unwantedLabels.isEmpty || !unwantedLabels.allSatisfy { present.matches($0) }
    }
}

/// What a prune did.
package struct PrunedImages: Hashable, Sendable {
    /// What was removed.
    package var deletions: [ImageDeletion] = []
    /// The images that are gone.
    package var images: [Digest] = []
    /// The labels they had.
    package var labels: [Digest: [String: String]] = [:]
    /// Bytes of the unpacked layers, and of unfinished downloads, that are gone.
    package var reclaimed: Int64 = 0
}

/// A prune: removes the images that no container was made from.
struct Pruning: Sendable {
    let images: Images
    let filters: PruneFilters
    /// Which containers were made from an image.
    let users: @Sendable (Digest) throws -> [ImageUser]

    func run() throws -> PrunedImages {
        var pruned = PrunedImages()
        for row in try images.database.read({ try ImageTable.all(in: $0) }) {
            let record = images.record(of: row)
            if filters.dangling, record.references.contains(where: { $0.digest == nil }) { continue }
            let labels = record.configuration.config?.labels ?? [:]
            guard filters.admit(labels: labels, created: record.configuration.created ?? record.storedAt) else {
                continue
            }
            try prune(record, into: &pruned)
        }
        return pruned
    }

    private func prune(_ record: ImageRecord, into pruned: inout PrunedImages) throws {
        try images.changes.withLock { holds in
            // Asked with the lock, so that no container is made of it in between by way of a name.
            guard try users(record.id).isEmpty else { return }
            var sizes: [String: Int64] = [:]
            for layer in try images.database.read({ try ImageTable.layers(of: record.id, in: $0) }) {
                sizes[layer] = try images.layerSize(layer)
            }
            let deletions: [ImageDeletion]
            do {
                deletions = try ImageRemoval(images: images, force: true, users: users)
                    .run(record.id.description, holds)
            } catch let error as ImagesError where error.kind == .notFound || error.kind == .conflict {
                return  // removed or used by somebody meanwhile
            }
            pruned.images.append(record.id)
            pruned.labels[record.id] = record.configuration.config?.labels ?? [:]
            pruned.deletions += deletions
            for case .deleted(let name) in deletions { pruned.reclaimed += sizes[name] ?? 0 }
        }
    }
}
