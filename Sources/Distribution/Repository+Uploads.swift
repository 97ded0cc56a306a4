import NIOHTTP1
import OCISpec

/// How a blob came to be in a repository.
package enum UploadOutcome: Hashable, Sendable {
    case wasThere
    /// From another repository of the same registry.
    case mounted(from: String)
    case uploaded
}

extension Repository {
    /// Sees to it that a blob is in the repository: it may be there, it may be in another repository of the registry,
    /// or it is uploaded. What breaks off goes on where it broke off.
    ///
    /// - Parameters:
    ///   - sources: paths of other repositories that may have it.
    ///   - content: bytes of the blob from an offset on, in pieces; `nil` ends them. Called again after a failure.
    ///   - progress: told how many bytes have gone.
    package func upload(
        _ blob: Descriptor, mountingFrom sources: [String] = [],
        progress: @escaping @Sendable (Int64) -> Void = { _ in },
        content: @escaping @Sendable (Int64) async throws -> @Sendable () async throws -> TransferPiece?
    ) async throws -> UploadOutcome {
        if try await hasBlob(blob.digest) { return .wasThere }
        var location: WebAddress?
        for source in sources {
            if let session = location { await abandon(session) }
            let begun = try await begin(mounting: blob.digest, from: source)
            guard let begun else { return .mounted(from: source) }
            location = begun
        }
        if location == nil { location = try await begin(mounting: nil, from: nil) }
        guard var session = location else { return .wasThere }
        do {
            session = try await sendAll(of: blob, to: session, progress, content)
            let answer = try await send(
                HTTPClientRequest(
                    method: .PUT, address: session.adding("digest", blob.digest.description),
                    headers: ["Content-Type": "application/octet-stream"]))
            await answer.drop()
        } catch {
            await abandon(session)
            throw error
        }
        return .uploaded
    }

    /// Begins an upload; `nil` if the blob was mounted instead.
    private func begin(mounting digest: Digest?, from source: String?) async throws -> WebAddress? {
        var address = address("blobs/uploads/")
        if let digest, let source {
            address = address.adding("mount", digest.description).adding("from", source)
        }
        let answer = try await send(HTTPClientRequest(method: .POST, address: address))
        await answer.drop()
        if answer.status == 201, digest != nil { return nil }
        return try location(answer, address)
    }

    private func location(_ answer: HTTPAnswer, _ address: WebAddress) throws(DistributionError) -> WebAddress {
        guard let text = answer.headers.first(name: "Location"), let location = address.resolving(text) else {
            throw DistributionError(.wrongContent, "\(address): the registry does not say where to upload to")
        }
        return location
    }

    private func abandon(_ session: WebAddress) async {
        // A session that is left alone ends by itself, only later.
        guard let answer = try? await send(HTTPClientRequest(method: .DELETE, address: session), retries: false) else {
            return
        }
        await answer.drop()
    }

    private func sendAll(
        of blob: Descriptor, to start: WebAddress, _ progress: @escaping @Sendable (Int64) -> Void,
        _ content: @escaping @Sendable (Int64) async throws -> @Sendable () async throws -> TransferPiece?
    ) async throws -> WebAddress {
        var session = start
        var offset: Int64 = 0
        var failures = 0
        while offset < blob.size {
            let count = min(settings.uploadChunk, blob.size - offset)
            let from = offset
            do {
                let pieces = try await content(from)
                let limited = LimitedPieces(count, pieces) { progress(from + $0) }
                let answer = try await send(
                    HTTPClientRequest(
                        method: .PATCH, address: session,
                        headers: [
                            "Content-Type": "application/octet-stream", "Content-Range": "\(from)-\(from + count - 1)",
                        ], body: .stream(count: count) { try await limited.next() }), retries: false)
                await answer.drop()
                session = try location(answer, session)
                offset += count
                failures = 0
            } catch let error as DistributionError
                where error.isTransient || error.status == 416 || error.reason == .unauthorized
            {
                failures += 1
                guard failures < settings.retries.attempts else { throw error }
                if error.reason != .unauthorized {
                    try await Task.sleep(for: settings.retries.delay(after: failures, of: error))
                }
                let (known, place) = try await state(of: session)
                if known > offset { failures = 1 }
                offset = known
                session = place
            }
        }
        return session
    }

    /// How many bytes of an upload have arrived, and where it goes on.
    private func state(of session: WebAddress) async throws -> (Int64, WebAddress) {
        let answer = try await send(HTTPClientRequest(method: .GET, address: session))
        await answer.drop()
        // "0-99", "bytes=0-99"; an upload of nothing yet has no range, or "0-0" with older registries.
        let range = answer.headers.first(name: "Range") ?? ""
        let last = range.split(separator: "-").last.flatMap { Int64($0) }
        let place = answer.headers.first(name: "Location").flatMap { session.resolving($0) } ?? session
        guard let last, last > 0 else { return (0, place) }
        return (last + 1, place)
    }
}

/// Not more than so many bytes of a sequence of pieces, counted as they go.
private actor LimitedPieces {
    private let limit: Int64
    private var sent: Int64 = 0
    private let source: @Sendable () async throws -> TransferPiece?
    private let progress: @Sendable (Int64) -> Void

    init(
        _ limit: Int64, _ source: @escaping @Sendable () async throws -> TransferPiece?,
        progress: @escaping @Sendable (Int64) -> Void
    ) {
        self.limit = limit
        self.source = source
        self.progress = progress
    }

    func next() async throws -> TransferPiece? {
        if sent > 0 { progress(sent) }
        guard sent < limit, var piece = try await source() else { return nil }
        if Int64(piece.count) > limit - sent {
            piece = TransferPiece(
                piece.buffer.getSlice(at: piece.buffer.readerIndex, length: Int(limit - sent)) ?? piece.buffer)
        }
        sent += Int64(piece.count)
        return piece
    }
}
