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
/// there.
actor Downloads {
    private struct Entry {
        let arrival: BlobArrival
        let task: Task<Void, Never>
        var users: Int
    }

    private let content: ContentStore
    private let slots: TransferSlots
    /// For writing and hashing what arrives.
    private let pool: BlockingPool
    private var entries: [Digest: Entry] = [:]
    /// Tasks that are ending: nobody else may write under their keys before they have.
    private var ending: [Digest: Task<Void, Never>] = [:]

    init(content: ContentStore, slots: TransferSlots) {
        self.content = content
        self.slots = slots
        pool = BlockingPool(threads: slots.count + 2, name: "images-fetch")
    }

    /// The arrival of a blob: one that is under way, or a new one from `repository`.
    func join(_ blob: Descriptor, from repository: Repository) async -> BlobArrival {
        while let task = ending[blob.digest] { await task.value }
        if var entry = entries[blob.digest] {
            entry.users += 1
            entries[blob.digest] = entry
            return entry.arrival
        }
        let arrival = BlobArrival(blob)
        let (content, slots, pool) = (content, slots, pool)
        let task = Task.detached {
            do {
                try await slots.run { try await Self.fetch(arrival, from: repository, into: content, pool) }
                arrival.finish(.success(()))
            } catch {
                arrival.finish(.failure(error))
            }
        }
        entries[blob.digest] = Entry(arrival: arrival, task: task, users: 1)
        return arrival
    }

    func leave(_ digest: Digest) async {
        guard var entry = entries[digest] else { return }
        entry.users -= 1
        entries[digest] = entry
        guard entry.users == 0 else { return }
        entries[digest] = nil
        ending[digest] = entry.task
        entry.task.cancel()
        await entry.task.value
        let arrival = entry.arrival
        // The job itself throws nothing.
        try? await pool.run { arrival.removeIfDiscarded() }
        ending[digest] = nil
    }

    /// Takes what unfinished downloads have left out of the way, but for those that are under way.
    func setUnfinishedAside() throws(ContentError) -> [FilePath] {
        // Here and not in a pool, so that none begins meanwhile; it is but a few renames.
        try content.setIngestsAside(keeping: Set(entries.keys.map(Self.key) + ending.keys.map(Self.key)))
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
