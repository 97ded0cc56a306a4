import Hashing
import ContentStore
import Failure
import GRDB
import JSON
import OCISpec
import Snapshots

/// An image about to be registered: documents, and what its layers are.
struct NewImage: Sendable {
    let configuration: [UInt8]
    let manifest: [UInt8]
    /// Digests of the layers' blobs, lowest first.
    let layers: [Digest]
    let diffIDs: [Digest]
    let references: [ImageReference]
    /// The image of the container that it is committed of.
    var parent: Digest?
    /// Layers whose blobs are written later, and the snapshots that have them.
    var lateLayers: [Digest: String] = [:]

    var id: Digest { ContentHasher.digest(of: configuration) }
}

extension Images {
    /// Makes images out of blobs and layers that are ready: all of them, or none.
    ///
    /// - Parameters:
    ///   - blobs: Layers' blobs that may not be in the store yet, by digest.
    ///   - layers: Layers just unpacked, by chain id.
    ///   - captured: Committed snapshots that are to be layers, by chain id. One that is a layer already stays what it
    /// is.
    func register(
        _ images: [NewImage], blobs: [Digest: Ingest], layers: [Digest: UnpackedLayer], captured: [Digest: String] = [:]
    ) throws {
        try changes.withLock { _ in
            var undo = Undo<Undoing>()
            do {
                for image in images { try place(image, blobs: blobs, layers: layers, captured: captured, undo: &undo) }
                let now = Timestamp.now()
                // Before the transaction: snapshots are asked by transactions of their own, which do not nest.
                let sizes = try images.map { image in
                    try ChainID.chain(of: image.diffIDs).reduce(0) { try $0 + layerSize($1.description) }
                }
                try database.write { database in
                    for (image, size) in zip(images, sizes) { try insert(image, size: size, now: now, in: database) }
                }
                updateIndex()
            } catch {
                undo.run { step, failure in
                    logger.warning("cannot remove an image", metadata: ["step": "\(step)", "error": "\(failure)"])
                }
                throw error
            }
        }
        settling.soon()
    }

    private func place(
        _ image: NewImage, blobs: [Digest: Ingest], layers: [Digest: UnpackedLayer], captured: [Digest: String],
        undo: inout Undo<Undoing>
    ) throws {
        var parent: Digest?
        for chain in ChainID.chain(of: image.diffIDs) {
            // Another image of the same archive, or another request, may have been faster; then ours is left over.
            if try snapshotter.information(chain.description) == nil {
                if let snapshot = captured[chain] {
                    try snapshotter.rename(snapshot, to: chain.description)
                    undo.add("name of layer \(chain)") { [snapshotter] in
                        try snapshotter.rename(chain.description, to: snapshot)
                    }
                    parent = chain
                    continue
                }
                guard let layer = layers[chain] else {
                    throw ImagesError(.system, "layer \(chain) vanished while the image was loaded")
                }
                try snapshotter.commit(
                    layer.staged, as: chain.description, parent: parent?.description, contents: layer.contents)
                undo.add("layer \(chain)") { [snapshotter] in try snapshotter.remove(chain.description) }
            }
            parent = chain
        }
        let late = try Set(lateBlobs().map(\.layer)).union(image.lateLayers.keys)
        for digest in image.layers where content.size(of: digest) == nil {
            guard let blob = blobs[digest] else {
                if late.contains(digest) { continue }
                throw ImagesError(.system, "blob \(digest) vanished while the image was loaded")
            }
            try blob.commit(expecting: digest)
            undo.add("blob \(digest)") { [content] in try content.remove(digest) }
        }
        try repair(image)
        for document in [image.configuration, image.manifest] {
            let (digest, isNew) = try content.store(document)
            if isNew { undo.add("document \(digest)") { [content] in try content.remove(digest) } }
        }
    }

    /// Takes away documents of an image that are there and cannot be read, as they are about to come anew, and what the
    /// database says of the image but for its names.
    private func repair(_ image: NewImage) throws {
        guard let row = try database.read({ try ImageTable.row(image.id, in: $0) }),
            record(of: row).damage != nil
        else { return }
        logger.notice("a damaged image is being replaced", metadata: ["image": "\(image.id)"])
        for digest in [row.id, row.manifest] {
            guard try !content.verify(digest) else { continue }
            try content.remove(digest)
        }
        documents.forget(row.id, manifest: row.manifest)
        let names = row.references
        let now = Timestamp.now()
        let size = row.size
        var anew = image
        anew.parent = image.parent ?? row.parent
        try database.write { [anew] database in
            try ImageTable.delete(row.id, in: database)
            try insert(anew, size: size, now: now, in: database)
            for name in names { try ImageTable.setReference(name, to: row.id, at: now, in: database) }
        }
    }

    private func insert(_ image: NewImage, size: Int64, now: Timestamp, in database: Database) throws {
        let id = image.id
        if try ImageTable.row(id, in: database) == nil {
            let chain = ChainID.chain(of: image.diffIDs)
            let manifest = ContentHasher.digest(of: image.manifest)
            try ImageTable.insert(
                ImageTable.Entry(
                    id: id, manifest: manifest, size: size, storedAt: now, parent: image.parent,
                    blobs: Set(image.layers + [id, manifest]), chain: chain, boot: settling.boot),
                in: database)
        }
        for (layer, snapshot) in image.lateLayers where content.size(of: layer) == nil {
            try database.execute(
                sql: "INSERT OR REPLACE INTO imageLateBlob (layer, snapshot) VALUES (?, ?)",
                arguments: [layer.description, snapshot])
        }
        for reference in image.references {
            try ImageTable.setReference(reference.withDefaultTag, to: id, at: now, in: database)
        }
    }
}
