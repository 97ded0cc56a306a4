import BlockingCalls
import ContentStore
import Distribution
import LinuxKernel
import SystemPackage

/// A blob on its way from another registry: its bytes are written once, and all waiting clients read them.
actor BlobTransfer {
    /// All of it, in bytes.
    nonisolated let size: Int64
    private let ingest: Ingest
    private let pool: BlockingPool
    private var arrived: Int64
    private var outcome: Result<Void, any Error>?
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(_ ingest: Ingest, size: Int64, pool: BlockingPool) {
        self.ingest = ingest
        self.size = size
        self.pool = pool
        arrived = ingest.size
    }

    /// A descriptor on what has come and will come; the caller's.
    ///
    /// - Throws: once the blob is where finished ones are.
    func open() throws -> FileDescriptor {
        if case .failure(let error) = outcome { throw error }
        return try ingest.reading()
    }

    /// Writes down what has come.
    func take(_ piece: TransferPiece) async throws {
        let ingest = ingest
        try await pool.run { try piece.withUnsafeBytes { try ingest.write($0) } }
        arrived = ingest.size
        wake()
    }

    /// Nothing more comes.
    func end(_ outcome: Result<Void, any Error>) {
        self.outcome = outcome
        wake()
    }

    /// Waits until there is something at `offset`; returns how many bytes there are from the beginning.
    func wait(beyond offset: Int64) async throws -> Int64 {
        while arrived <= offset {
            if let outcome {
                try outcome.get()
                return arrived
            }
            await withCheckedContinuation { waiting.append($0) }
        }
        return arrived
    }

    private func wake() {
        let woken = waiting
        waiting = []
        for continuation in woken { continuation.resume() }
    }
}
