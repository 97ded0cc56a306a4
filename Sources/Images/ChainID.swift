import Hashing
import OCISpec

/// Chain ids: one digest for a layer and all below it (image-spec, config.md, "Layer ChainID").
package enum ChainID {
    /// For each layer, lowest first, the id of the chain that ends with it.
    package static func chain(of diffIDs: [Digest]) -> [Digest] {
        var chain: [Digest] = []
        for diffID in diffIDs {
            guard let below = chain.last else {
                chain.append(diffID)
                continue
            }
            chain.append(ContentHasher.digest(of: Array("\(below) \(diffID)".utf8)))
        }
        return chain
    }
}
