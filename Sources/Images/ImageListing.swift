import GRDB
import OCISpec

/// A list of the images that pass filters, newest first. With a `reference` filter an image has only the names that
/// pass it.
struct ImageListing: Sendable {
    let images: Images
    let filters: ImageFilters
    /// Whether to tell how much each image shares with others.
    let sharedSize: Bool

    func run() throws -> [ImageSummary] {
        let before = try filters.before.map { try images.resolved($0).configuration.created ?? .zero }.min()
        let since = try filters.since.map { try images.resolved($0).configuration.created ?? .zero }.max()
        var records: [ImageRecord] = []
        for row in try images.database.read({ try ImageTable.all(in: $0) }) {
            let record = images.record(of: row)
            let created = record.configuration.created ?? .zero
            if let before, created >= before { continue }
            if let since, created <= since { continue }
            if let until = filters.until, created > until { continue }
            if let dangling = filters.dangling, record.isDangling != dangling { continue }
            guard filters.labels.allSatisfy({ record.configuration.config?.labels?.matches($0) ?? false }) else {
                continue
            }
            guard !filters.references.isEmpty else {
                records.append(record)
                continue
            }
            let names = record.references.filter { name in
                filters.references.contains { pattern in name.spellings.contains { Glob(pattern).matches($0) } }
            }
            if !names.isEmpty { records.append(record.withReferences(names)) }
        }
        records.sort {
            let (left, right) = ($0.configuration.created ?? .zero, $1.configuration.created ?? .zero)
            return left == right ? $0.id < $1.id : left > right
        }
        let shared = sharedSize ? try sharedLayers() : [:]
        return try records.map { record in
            guard sharedSize else { return ImageSummary(record: record, sharedSize: -1) }
            let chain = ChainID.chain(of: record.configuration.rootfs.diffIDs).map(\.description)
            let bytes = try chain.filter { (shared[$0] ?? 0) > 1 }.reduce(Int64(0)) { try $0 + images.layerSize($1) }
            return ImageSummary(record: record, sharedSize: bytes)
        }
    }

    /// How many images have each layer.
    private func sharedLayers() throws -> [String: Int] {
        try images.database.read { database in
            let rows = try Row.fetchAll(
                database, sql: "SELECT snapshot, COUNT(DISTINCT image) AS images FROM imageLayer GROUP BY snapshot")
            return Dictionary(uniqueKeysWithValues: rows.map { ($0["snapshot"], $0["images"]) })
        }
    }
}

extension [String: String] {
    /// Whether a label filter (`key` or `key=value`) holds.
    func matches(_ filter: String) -> Bool {
        guard let equals = filter.firstIndex(of: "=") else { return self[filter] != nil }
        return self[String(filter[..<equals])] == String(filter[filter.index(after: equals)...])
    }
}

extension ImageRecord {
    fileprivate func withReferences(_ references: [ImageReference]) -> ImageRecord {
        ImageRecord(
            id: id, manifest: manifest, manifestDescriptor: manifestDescriptor, configuration: configuration,
            damage: damage, size: size, storedAt: storedAt, references: references, lastTaggedAt: lastTaggedAt,
            parent: parent)
    }
}

extension ImageReference {
    /// All that people write for it.
    fileprivate var spellings: [String] { [familiar, familiarName, description, name] }
}
