import ContentStore
import OCISpec
import SystemPackage

/// A layer as it was transferred: just written, or in the store already.
enum LayerBlob: Sendable {
    case ingest(Ingest)
    case stored(Digest, size: Int64, ContentStore)

    var digest: Digest {
        switch self {
        case .ingest(let ingest): ingest.digest
        case .stored(let digest, _, _): digest
        }
    }

    /// In bytes.
    var size: Int64 {
        switch self {
        case .ingest(let ingest): ingest.size
        case .stored(_, let size, _): size
        }
    }

    /// A descriptor on the bytes; the caller's.
    func reading() throws(ContentError) -> FileDescriptor {
        switch self {
        case .ingest(let ingest): try ingest.reading()
        case .stored(let digest, _, let content): try content.open(digest)
        }
    }
}
