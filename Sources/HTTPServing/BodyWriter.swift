import NIOCore
import NIOHTTP1

/// Writes the pieces of a streamed response, and makes the writer wait while the client is slower.
///
/// At most one write is under way; what is written meanwhile is gathered and sent as the next one. So a single line of
/// a log leaves at once, and a hundred thousand of them leave in large pieces.
package actor BodyWriter {
    private let channel: any Channel
    private let head: HTTPResponseHead
    private var headSent = false
    private var pending = ByteBuffer()
    private var isWriting = false
    private var failure: (any Error)?
    private var waiters: [CheckedContinuation<Void, Never>] = []

    /// So much may wait for the client before `write` suspends its caller.
    private static let highWaterMark = 256 << 10

    init(channel: any Channel, head: HTTPResponseHead) {
        self.channel = channel
        self.head = head
    }

    /// Whether the client has been told the status already; from then on an error can only be reported in the body.
    package var hasBegun: Bool { headSent }

    /// Sends the head now.
    package func begin() {
        guard !headSent else { return }
        headSent = true
        channel.writeAndFlush(HTTPServerResponsePart.head(head), promise: nil)
    }

    /// Adds `bytes` to the body; returns as soon as they are on their way or little enough waits.
    ///
    /// - Throws: `HTTPServerError.connectionClosed` or an I/O error when the client is gone.
    package func write(_ bytes: some Sequence<UInt8> & Sendable) async throws {
        if let failure { throw failure }
        begin()
        pending.writeBytes(bytes)
        try await startAndWait()
    }

    /// The same with a buffer, which is not copied if nothing else waits.
    func write(_ buffer: ByteBuffer) async throws {
        if let failure { throw failure }
        begin()
        if pending.readableBytes == 0 { pending = buffer } else { pending.writeImmutableBuffer(buffer) }
        try await startAndWait()
    }

    private func startAndWait() async throws {
        startWriting()
        while pending.readableBytes > Self.highWaterMark, failure == nil {
            await withCheckedContinuation { waiters.append($0) }
        }
        if let failure { throw failure }
    }

    /// Waits until everything written so far was handed to the kernel.
    func drain() async throws {
        while isWriting || pending.readableBytes > 0, failure == nil {
            await withCheckedContinuation { waiters.append($0) }
        }
        if let failure { throw failure }
    }

    private func startWriting() {
        guard !isWriting, pending.readableBytes > 0, failure == nil else { return }
        isWriting = true
        let piece = pending
        pending = ByteBuffer()
        let written = channel.writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(piece)))
        written.whenComplete { result in
            Task { await self.wrote(result) }
        }
    }

    private func wrote(_ result: Result<Void, any Error>) {
        isWriting = false
        if case .failure(let error) = result {
            failure = error is ChannelError ? HTTPServerError.connectionClosed : error
        }
        startWriting()
        let resumed = waiters
        waiters = []
        for waiter in resumed { waiter.resume() }
    }
}
