import NIOCore
import NIOHTTP1
import OCISpec
import Synchronization

extension Repository {
    /// Whether a blob is there.
    package func hasBlob(_ digest: Digest) async throws -> Bool {
        let answer = try await send(
            HTTPClientRequest(method: .HEAD, address: address("blobs/\(digest)")), accepting: [404])
        await answer.drop()
        return answer.status != 404
    }

    /// The size of a blob in bytes; `nil` where it is not there.
    package func size(ofBlob digest: Digest) async throws -> Int64? {
        let address = address("blobs/\(digest)")
        let answer = try await send(HTTPClientRequest(method: .HEAD, address: address), accepting: [404])
        await answer.drop()
        if answer.status == 404 { return nil }
        guard let size = answer.headers.first(name: "Content-Length").flatMap({ Int64($0) }), size >= 0 else {
            throw DistributionError(.wrongContent, "\(address): the registry does not say how long the blob is")
        }
        return size
    }

    /// Fetches a blob from `offset` on and hands the bytes to `receive`, in order. What breaks off is taken up where it
    /// broke off; much is fetched over several connections.
    ///
    /// The digest is the caller's to check. `receive` gets no more bytes than the descriptor announces.
    ///
    /// - Throws: `DistributionError`: `wrongContent` if there are more or fewer bytes than `blob.size`; what `receive`
    ///   throws, as it is.
    package func fetch(
        _ blob: Descriptor, from offset: Int64 = 0, receive: @escaping @Sendable (TransferPiece) async throws -> Void
    ) async throws {
        let target = BlobTarget(blob: blob, offset: offset, receive: receive)
        do {
            var failures = 0
            while target.offset < blob.size || (blob.size == 0 && failures == 0 && target.isUnasked) {
                let before = target.offset
                do {
                    try await fetchOnce(target)
                    if target.offset == before, target.offset < blob.size { throw target.tooShort }
                } catch let error as DistributionError where error.isTransient || error.reason == .unreachable {
                    failures = target.offset > before ? 1 : failures + 1
                    guard failures < settings.retries.attempts else { throw error }
                    try await Task.sleep(for: settings.retries.delay(after: failures, of: error))
                }
            }
        } catch let failure as ReceiverFailure {
            throw failure.cause
        }
    }

    private func fetchOnce(_ target: BlobTarget) async throws {
        target.isUnasked = false
        let policy = settings.ranges
        let left = target.blob.size - target.offset
        guard left >= policy.threshold, policy.connections > 1,
            registries.usesRanges.compareExchange(expected: false, desired: true, ordering: .relaxed).exchanged
        else { return try await stream(target) }
        defer { registries.usesRanges.store(false, ordering: .relaxed) }
        try await fetchRanges(target)
    }

    /// All that is left, over one connection.
    private func stream(_ target: BlobTarget) async throws {
        let answer = try await ask(for: target.blob, from: target.offset, count: nil)
        defer { answer.close() }
        try await pour(answer, into: target)
    }

    private func pour(_ answer: HTTPAnswer, into target: BlobTarget) async throws {
        var skipped = try Self.start(of: answer, target.blob)
        guard skipped <= target.offset else {
            throw DistributionError(.wrongContent, "blob \(target.blob.digest): the registry skips bytes")
        }
        while var piece = try await answer.next() {
            // A registry that knows no ranges begins at the beginning.
            if skipped < target.offset {
                let skip = min(Int64(piece.readableBytes), target.offset - skipped)
                piece.moveReaderIndex(forwardBy: Int(skip))
                skipped += skip
            }
            guard piece.readableBytes > 0 else { continue }
            skipped += Int64(piece.readableBytes)
            try await target.take(piece)
            answer.recycle(piece)
        }
    }

    /// Where an answer's bytes begin within the blob.
    private static func start(of answer: HTTPAnswer, _ blob: Descriptor) throws(DistributionError) -> Int64 {
        guard answer.status == 206 else {
            if let length = answer.headers.first(name: "Content-Length").flatMap({ Int64($0) }), length != blob.size {
                throw DistributionError(
                    .wrongContent, "blob \(blob.digest) has \(length) bytes instead of \(blob.size)")
            }
            return 0
        }
        // bytes 0-99/100
        let range = answer.headers.first(name: "Content-Range") ?? ""
        let words = range.split { $0 == " " || $0 == "-" || $0 == "/" }
        guard words.count >= 3, let start = Int64(words[1]) else {
            throw DistributionError(.wrongContent, "blob \(blob.digest): invalid Content-Range \"\(range)\"")
        }
        if words.count > 3, let total = Int64(words[3]), total != blob.size {
            throw DistributionError(.wrongContent, "blob \(blob.digest) has \(total) bytes instead of \(blob.size)")
        }
        return start
    }

    private func ask(for blob: Descriptor, from offset: Int64, count: Int64?) async throws -> HTTPAnswer {
        var headers: HTTPHeaders = [:]
        if offset > 0 || count != nil {
            headers.add(name: "Range", value: "bytes=\(offset)-\(count.map { "\(offset + $0 - 1)" } ?? "")")
        }
        let answer = try await send(
            HTTPClientRequest(method: .GET, address: address("blobs/\(blob.digest)"), headers: headers),
            accepting: [416])
        if answer.status == 416 {
            await answer.drop()
            throw DistributionError(
                .wrongContent, "blob \(blob.digest) is shorter than the \(blob.size) bytes that its manifest says")
        }
        return answer
    }

    // MARK: Several connections

    /// All that is left, in chunks that are under way at the same time; they are handed on in order.
    private func fetchRanges(_ target: BlobTarget) async throws {
        let policy = settings.ranges
        let first = try await ask(for: target.blob, from: target.offset, count: policy.chunk)
        guard first.status == 206 else {
            defer { first.close() }
            return try await pour(first, into: target)
        }
        let (blob, start) = (target.blob, target.offset)
        let chunks = (blob.size - start + policy.chunk - 1) / policy.chunk
        try await withThrowingTaskGroup(of: (Int64, ByteBuffer).self) { group in
            var scheduled: Int64 = 1
            var delivered: Int64 = 0
            var waiting: [Int64: ByteBuffer] = [:]
            let spares = SpareBuffers()
            func schedule() {
                let offset = start + scheduled * policy.chunk
                let count = min(policy.chunk, blob.size - offset)
                let index = scheduled
                scheduled += 1
                group.addTask {
                    (index, try await self.chunk(of: blob, at: offset, count: count, first: nil, spares))
                }
            }
            let firstCount = min(policy.chunk, blob.size - start)
            group.addTask {
                (0, try await self.chunk(of: blob, at: start, count: firstCount, first: first, spares))
            }
            while scheduled < min(Int64(policy.connections), chunks) { schedule() }
            while let (index, bytes) = try await group.next() {
                waiting[index] = bytes
                while let next = waiting.removeValue(forKey: delivered) {
                    delivered += 1
                    try await target.take(next)
                    spares.put(next)
                    if scheduled < chunks { schedule() }
                }
            }
        }
    }

    /// One chunk, whole, however often the connection breaks.
    private func chunk(of blob: Descriptor, at offset: Int64, count: Int64, first: HTTPAnswer?, _ spares: SpareBuffers)
        async throws
        -> ByteBuffer
    {
        var bytes = spares.take() ?? ByteBufferAllocator().buffer(capacity: Int(count))
        var answer = first
        var failures = 0
        while Int64(bytes.readableBytes) < count {
            let have = Int64(bytes.readableBytes)
            do {
                let current: HTTPAnswer
                if let answer {
                    current = answer
                } else {
                    current = try await ask(for: blob, from: offset + have, count: count - have)
                }
                answer = nil
                defer { current.close() }
                guard current.status == 206, try Self.start(of: current, blob) == offset + have else {
                    throw DistributionError(.unreachable, "blob \(blob.digest): the registry ignores ranges")
                }
                while var piece = try await current.next() {
                    guard Int64(bytes.readableBytes + piece.readableBytes) <= count else {
                        throw DistributionError(.wrongContent, "blob \(blob.digest): more bytes than asked for")
                    }
                    bytes.writeBuffer(&piece)
                    current.recycle(piece)
                }
                if Int64(bytes.readableBytes) == have {
                    throw DistributionError(.unreachable, "blob \(blob.digest): unexpected EOF")
                }
            } catch let error as DistributionError where error.reason == .unreachable {
                failures = Int64(bytes.readableBytes) > have ? 1 : failures + 1
                guard failures < settings.retries.attempts else { throw error }
                try await Task.sleep(for: settings.retries.delay(after: failures, of: error))
            }
        }
        return bytes
    }
}

/// Where a blob's bytes go, and how many have.
private final class BlobTarget: Sendable {
    let blob: Descriptor
    private let receive: @Sendable (TransferPiece) async throws -> Void
    private let position: Atomic<Int64>
    private let wasAsked = Atomic<Bool>(false)

    init(blob: Descriptor, offset: Int64, receive: @escaping @Sendable (TransferPiece) async throws -> Void) {
        self.blob = blob
        self.receive = receive
        position = Atomic(offset)
    }

    var offset: Int64 { position.load(ordering: .relaxed) }

    /// Whether the registry has not been asked yet: also an empty blob has to be there.
    var isUnasked: Bool {
        get { !wasAsked.load(ordering: .relaxed) }
        set { wasAsked.store(!newValue, ordering: .relaxed) }
    }

    var tooShort: DistributionError {
        DistributionError(.unreachable, "blob \(blob.digest) ends after \(offset) of \(blob.size) bytes")
    }

    func take(_ piece: ByteBuffer) async throws {
        guard offset + Int64(piece.readableBytes) <= blob.size else {
            throw DistributionError(
                .wrongContent, "blob \(blob.digest) is longer than the \(blob.size) bytes that its manifest says")
        }
        do {
            try await receive(TransferPiece(piece))
        } catch {
            throw ReceiverFailure(cause: error)
        }
        position.wrappingAdd(Int64(piece.readableBytes), ordering: .relaxed)
    }
}
