import ContentStore
import OCISpec

/// A save: images as an archive.
struct Save: Sendable {
    let images: Images
    /// A name without a tag stands for all tags of its repository, as with Docker.
    let names: [String]
    /// An image for none of them is an error; empty: any.
    let platforms: [Platform]

    /// The layers of all that is to be saved.
    func layers() throws -> Set<Digest> {
        var layers: Set<Digest> = []
        for name in names {
            for (record, _) in try records(toSave: name) {
                layers.formUnion(try images.documents.manifest(record.manifest).document.layers.map(\.digest))
            }
        }
        return layers
    }

    /// Everything that is to be written, opened.
    func archive() throws -> ImageArchive {
        guard !names.isEmpty else { throw ImagesError(.invalid, "no image named: give at least one image to save") }
        // Nothing is removed until all blobs are open.
        return try images.changes.withLock { _ in
            var saved: [ImageArchive.Image] = []
            for name in names {
                for (record, reference) in try records(toSave: name) {
                    if !platforms.isEmpty, !platforms.contains(where: { record.configuration.platform.satisfies($0) }) {
                        let wanted = platforms.map(\.description).joined(separator: ", ")
                        throw ImagesError(.notFound, "no suitable export target found for platform \(wanted)")
                    }
                    let index = saved.firstIndex { $0.id == record.id } ?? saved.count
                    if index == saved.count { saved.append(try ImageArchive.Image(record, in: images.content)) }
                    if let reference, !saved[index].references.contains(reference) {
                        saved[index].references.append(reference)
                    }
                }
            }
            return try ImageArchive(saved, content: images.content)
        }
    }

    /// The images a name stands for, each with the name it is saved under.
    private func records(toSave name: String) throws -> [(ImageRecord, ImageReference?)] {
        // What is no name is an id.
        if let reference = try? ImageReference(parsing: name), reference.isNameOnly {
            let all = try images.database.read { try ImageTable.references(inRepository: reference.name, in: $0) }
            if !all.isEmpty { return try all.map { (try images.resolved($0.description), $0) } }
        }
        let record = try images.resolved(name)
        let reference = (try? ImageReference(parsing: name))?.withDefaultTag  // as above
        return [(record, reference.flatMap { $0.digest == nil && record.references.contains($0) ? $0 : nil })]
    }
}
