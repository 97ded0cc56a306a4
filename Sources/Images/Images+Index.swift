import GRDB
import OCISpec

extension Images {
    /// Rewrites the layout's `index.json` from the database, for other tools. Called with the lock on changes held,
    /// after what has changed is in the database. A failure is no failure of the change: the next one, or the next
    /// start, writes it again.
    func updateIndex() {
        do {
            try content.setIndex(ImageIndex(manifests: try database.read { try self.indexEntries(in: $0) }))
        } catch {
            logger.warning("index.json cannot be written", metadata: ["error": "\(error)"])
        }
    }

    private func indexEntries(in database: Database) throws -> [Descriptor] {
        var manifests: [Descriptor] = []
        for row in try ImageTable.all(in: database) {
            let record = record(of: row)
            guard var plain = record.manifestDescriptor, record.damage == nil else { continue }
            plain.platform = record.configuration.platform
            if row.references.isEmpty { manifests.append(plain) }
            for reference in row.references where reference.tag != nil {
                var named = plain
                named.annotations = [
                    Annotation.containerdImageName: reference.description,
                    Annotation.referenceName: reference.tag ?? "",
                ]
                manifests.append(named)
            }
        }
        return manifests
    }
}
