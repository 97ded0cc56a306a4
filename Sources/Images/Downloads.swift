import BlockingCalls
import ContentStore
import Distribution
import LinuxKernel
import OCISpec
import SystemPackage

/// The blobs that are being fetched, each by one task however many pulls want it.
///
/// A pull that joins has to leave when it no longer needs the blob or has put it into the store. When the last one
/// leaves, the download ends. The bytes that have arrived stay under the blob's key, and the next download continues
/// there; so nobody else may write under that key before the download has ended.
struct Downloads: Sendable {
    private let content: ContentStore
    private let slots: TransferSlots
    /// For writing and hashing what arrives.
    private let pool: BlockingPool
    private let arrivals = SharedWork<Digest, BlobArrival>()

    init(content: ContentStore, slots: TransferSlots) {
        self.content = content
        self.slots = slots
        pool = BlockingPool(threads: slots.count + 2, name: "images-fetch")
    }

    /// The arrival of a blob: one that is under way, or a new one from `repository`.
    func join(_ blob: Descriptor, from repository: Repository) async -> BlobArrival {
        await arrivals.join(blob.digest) {
            let arrival = BlobArrival(blob)
            let task = Task.detached {
                do {
                    try await slots.run { try await Self.fetch(arrival, from: repository, into: content, pool) }
                    arrival.finish(.success(()))
                } catch {
                    arrival.finish(.failure(error))
                }
            }
            return (arrival, task)
        }
    }

    func leave(_ digest: Digest) async {
        await arrivals.leave(digest) { arrival in
            // The job itself throws nothing.
            try? await pool.run { arrival.removeIfDiscarded() }
        }
    }

    /// Takes what unfinished downloads have left out of the way, but for those that are under way.
    func setUnfinishedAside() async throws -> [FilePath] {
        // It is but a few renames.
        try await arrivals.excluding { try content.setIngestsAside(keeping: Set($0.map(Self.key))) }
    }

    /// The name of what can be resumed of a blob.
    static func key(_ digest: Digest) -> String { "\(digest.algorithm.rawValue)-\(digest.encoded)" }

    private static func fetch(
        _ arrival: BlobArrival, from repository: Repository, into content: ContentStore, _ pool: BlockingPool
    ) async throws {
        let blob = arrival.blob
        let ingest = try await pool.run {
            try content.ingest(resuming: Self.key(blob.digest), blob.digest.algorithm, limit: blob.size)
        }
        let resumed = ingest.size
        arrival.begin(ingest)
        do {
            try await repository.fetch(blob, from: resumed) { piece in
                try await pool.run {
                    try piece.withUnsafeBytes { try ingest.write($0) }
                    arrival.advance(to: ingest.size)
                }
            }
            let found = try await pool.run { try ingest.digest(blob.digest.algorithm) }
            guard found == blob.digest else {
                throw DistributionError(
                    .wrongContent,
                    "filesystem layer verification failed for digest \(blob.digest): the registry sent \(found)")
            }
        } catch let error as DistributionError where error.reason == .wrongContent {
            // Nothing of it can be trusted.
            ingest.discard()
            throw resumed > 0 ? StaleDownload(cause: error) : error
        } catch let error as DistributionError where error.reason == .notFound {
            // Kept for a next try it would lie there in vain.
            if ingest.size == 0 { ingest.discard() }
            let isSaid = error.message.hasPrefix("blob unknown")
            throw DistributionError(
                .notFound, isSaid ? error.message : "blob unknown: \(blob.digest): \(error.message)")
        }
    }
}

/// What an earlier try had left does not fit what came now; it is gone, and a new try begins at the beginning.
struct StaleDownload: Error {
    let cause: DistributionError
}
