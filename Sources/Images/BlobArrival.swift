import Archive
import ContentStore
import Glibc
import LinuxKernel
import OCISpec
import Synchronization
import SystemPackage

/// A blob on its way into the store: one task writes it, any number of threads read what is there already and wait for
/// the rest.
///
/// The bytes pass through the page cache and not through a pipe: a slow reader does not hold up the network, and no
/// bytes wait in memory.
final class BlobArrival: Sendable {
    private struct State {
        var ingest: Ingest?
        /// Bytes of an earlier try.
        var resumed: Int64 = 0
        var available: Int64 = 0
        var outcome: Result<Void, any Error>?
        var isDiscarded = false
        var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
        var nextWaiter: UInt64 = 0
    }

    let blob: Descriptor
    private let state = Mutex(State())
    /// Where threads wait for something new.
    private let news = Condition()

    init(_ blob: Descriptor) { self.blob = blob }

    // MARK: The writing side

    /// Bytes will be in `ingest`, which may have some.
    func begin(_ ingest: Ingest) {
        change { state in
            state.ingest = ingest
            state.resumed = ingest.size
            state.available = ingest.size
        }
    }

    func advance(to size: Int64) { change { $0.available = size } }

    /// All bytes are there and are what they should be; or not.
    func finish(_ outcome: Result<Void, any Error>) { change { $0.outcome = outcome } }

    private func change(_ body: (inout State) -> Void) {
        let waiters = state.withLock { state in
            body(&state)
            guard state.outcome != nil || state.ingest != nil else { return [CheckedContinuation<Void, Never>]() }
            let waiters = Array(state.waiters.values)
            state.waiters = [:]
            return waiters
        }
        for waiter in waiters { waiter.resume() }
        news.broadcast()
    }

    // MARK: The reading sides

    var ingest: Ingest? { state.withLock { $0.ingest } }
    var available: Int64 { state.withLock { $0.available } }
    var isComplete: Bool { state.withLock { if case .success? = $0.outcome { true } else { false } } }

    /// Waits until there is something to read, or nothing to wait for any more.
    func begun() async throws { try await wait { $0.ingest != nil || $0.outcome != nil } }

    /// Waits until the blob is there.
    func completed() async throws {
        try await wait { $0.outcome != nil }
        try state.withLock { $0.outcome }?.get()
    }

    private func wait(until condition: @Sendable (borrowing State) -> Bool) async throws {
        while true {
            try Task.checkCancellation()
            let ticket: UInt64? = state.withLock { state in
                if condition(state) { return nil }
                state.nextWaiter += 1
                return state.nextWaiter
            }
            guard let ticket else { return }
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let isDue = state.withLock { state in
                        if condition(state) || Task.isCancelled { return true }
                        state.waiters[ticket] = continuation
                        return false
                    }
                    if isDue { continuation.resume() }
                }
            } onCancel: {
                state.withLock { $0.waiters.removeValue(forKey: ticket) }?.resume()
            }
        }
    }

    /// Removes what was written: it is not what it should be.
    func discard() { state.withLock { $0.isDiscarded = true } }

    /// Removes what is not to be kept; for when the last one has left. What has been put into the store stays.
    func removeIfDiscarded() {
        let ingest = state.withLock { $0.isDiscarded ? $0.ingest : nil }
        ingest?.discard()
    }

    /// Waits until there are bytes at `position`; `nil` at the end, and when the blob will never be whole.
    fileprivate func bytes(at position: Int64, isCancelled: () -> Bool) throws(ArchiveError) -> Int64? {
        while true {
            // Nobody says when the reader is cancelled: that is looked for now and then.
            let found = news.wait(milliseconds: 200) { () -> (available: Int64, outcome: Result<Void, any Error>?)? in
                let (available, outcome) = state.withLock { ($0.available, $0.outcome) }
                return available > position || outcome != nil || isCancelled() ? (available, outcome) : nil
            }
            if isCancelled() { throw .cancelled }
            guard let found else { continue }
            if found.available > position { return found.available - position }
            if case .failure? = found.outcome { throw .truncated }
            return nil
        }
    }
}

/// The bytes of a blob from its beginning on, as they arrive.
final class ArrivingSource: ByteSource {
    private let arrival: BlobArrival
    private let file: FileDescriptor
    private let isCancelled: @Sendable () -> Bool
    private let progress: @Sendable (Int64) -> Void
    private var position: Int64 = 0

    /// - Parameters:
    ///   - file: A descriptor on what is written; it is closed at the end.
    ///   - progress: Told how many bytes have been read.
    init(
        _ arrival: BlobArrival, owning file: FileDescriptor, isCancelled: @escaping @Sendable () -> Bool,
        progress: @escaping @Sendable (Int64) -> Void
    ) {
        self.arrival = arrival
        self.file = file
        self.isCancelled = isCancelled
        self.progress = progress
    }

    deinit { try? file.close() }  // only read from

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int {
        guard let available = try arrival.bytes(at: position, isCancelled: isCancelled) else { return 0 }
        let wanted = Int(min(Int64(buffer.count), available))
        while true {
            let count = pread(file.rawValue, buffer.baseAddress, wanted, Int(position))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                throw .system("read", "\(arrival.blob.digest)", Errno(rawValue: count < 0 ? errno : EIO))
            }
            position += Int64(count)
            progress(position)
            return count
        }
    }
}
