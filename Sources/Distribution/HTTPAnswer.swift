import NIOCore
import NIOHTTP1
import Synchronization

/// An answer; its body has to be read to the end, or dropped by `close`.
final class HTTPAnswer: Sendable {
    let status: Int
    let headers: HTTPHeaders
    private let connection: HTTPClientConnection
    private let keepsAlive: Bool
    private let release: @Sendable () -> Void
    private let isDone = Atomic<Bool>(false)
    private let spares = SpareBuffers()

    init(
        head: HTTPResponseHead, isHead: Bool, connection: HTTPClientConnection, release: @escaping @Sendable () -> Void
    ) {
        status = Int(head.status.code)
        headers = head.headers
        self.connection = connection
        keepsAlive = head.isKeepAlive
        self.release = release
    }

    deinit { if !isDone.load(ordering: .relaxed) { connection.close() } }

    /// The next bytes; `nil` after the last ones.
    func next() async throws -> ByteBuffer? {
        let connection = connection
        let spares = spares
        do {
            return try await withTaskCancellationHandler {
                guard let piece = try await connection.nextPiece(spares: spares) else {
                    finish()
                    return nil
                }
                return piece
            } onCancel: {
                connection.close()
            }
        } catch {
            close()
            if Task.isCancelled { throw CancellationError() }
            throw HTTPExchange.translated(error)
        }
    }

    /// Gives back the memory of a piece that has been used.
    func recycle(_ piece: ByteBuffer) { spares.put(piece) }

    private func finish() {
        guard !isDone.exchange(true, ordering: .relaxed) else { return }
        if keepsAlive { release() } else { connection.close() }
    }

    /// Gives up the rest.
    func close() {
        guard !isDone.exchange(true, ordering: .relaxed) else { return }
        connection.close()
    }

    /// The whole body.
    ///
    /// - Throws: `DistributionError.wrongContent` beyond `limit` bytes.
    func collect(limit: Int) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let piece = try await next() {
            guard bytes.count + piece.readableBytes <= limit else {
                close()
                throw DistributionError(.wrongContent, "the registry's answer is longer than \(limit) bytes")
            }
            bytes += piece.readableBytesView
        }
        return bytes
    }

    /// Reads what is left if it is short, so that the connection can be used again.
    func drop() async {
        var left = 64 << 10
        // What goes wrong here ends the connection and matters to nobody.
        while left > 0, let piece = try? await next() { left -= piece.readableBytes }
        close()
    }
}
