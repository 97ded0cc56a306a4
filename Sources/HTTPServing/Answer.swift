import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import struct SystemPackage.FileDescriptor

/// Answers one request, in the task of that request, and leaves the connection ready for the next.
struct Answer: Sendable {
    let connection: NIOLoopBound<HTTPConnection>
    let channel: any Channel
    let responder: HTTPResponder
    let request: HTTPRequest
    let version: HTTPVersion
    /// Whether the connection ends with this response.
    let isLast: Bool
    /// For bodies that are fed.
    let outboxes: FeedOutboxes

    func run() async {
        let response: HTTPResponse
        do {
            response = try await responder.respond(request)
        } catch {
            response = responder.failure(error, request)
        }
        await send(response)
    }

    private func send(_ response: HTTPResponse) async {
        switch response.body {
        case .bytes(let bytes):
            send(response, bytes)
        case .stream(let write):
            let writer = BodyWriter(channel: channel, head: head(of: response))
            await writer.begin()
            onLoop { $0.begin(.endless) }
            do {
                try await write(writer)
                try await writer.drain()
                onLoop { $0.endStreaming() }
            } catch {
                onLoop { $0.abort() }
            }
        case .feed(let use):
            let feed = BodyFeed(channel: channel, outbox: outboxes.outbox(of: channel.eventLoop))
            channel.writeAndFlush(HTTPServerResponsePart.head(head(of: response)), promise: nil)
            onLoop { $0.begin(.endless) }
            do {
                try await use(feed)
                feed.flush()
                onLoop { connection in
                    feed.end()
                    connection.endStreaming()
                }
            } catch {
                onLoop { connection in
                    feed.end()
                    connection.abort()
                }
            }
        case .lateStream(let write):
            let writer = BodyWriter(channel: channel, head: head(of: response))
            onLoop { $0.begin(.made) }
            do {
                try await write(writer)
                await writer.begin()
                try await writer.drain()
                onLoop { $0.endStreaming() }
            } catch {
                if await writer.hasBegun {
                    onLoop { $0.abort() }
                } else {
                    await send(responder.failure(error, request))
                }
            }
        case .file(let range):
            await send(response, range)
        case .hijack(let use):
            await hijack(response, use)
        }
    }

    private func send(_ response: HTTPResponse, _ bytes: [UInt8]) {
        var head = head(of: response)
        if response.status.mayHaveResponseBody, !head.headers.contains(name: "Content-Length") {
            head.headers.add(name: "Content-Length", value: "\(bytes.count)")
        }
        let complete = head
        let body = request.method == .HEAD || !response.status.mayHaveResponseBody ? [] : bytes
        onLoop { $0.respond(complete, body: body) }
    }

    private func send(_ response: HTTPResponse, _ range: FileRange) async {
        var head = head(of: response)
        head.headers.replaceOrAdd(name: "Content-Length", value: "\(range.count)")
        let complete = head
        guard request.method != .HEAD, range.count > 0 else { return onLoop { $0.respond(complete, body: []) } }
        let writer = BodyWriter(channel: channel, head: complete)
        onLoop { $0.begin(.file) }
        do {
            var position = range.offset
            let end = range.offset + range.count
            while position < end {
                // Reading waits for the disk if it has to: not on a thread that others need.
                let (offset, limit) = (position, Int(min(end - position, Self.fileStep)))
                let piece = try await NIOThreadPool.singleton.runIfActive {
                    try range.descriptor.buffer(at: offset, limit: limit)
                }
                position += Int64(piece.readableBytes)
                try await writer.write(piece)
            }
            try await writer.drain()
            onLoop { $0.endStreaming() }
        } catch {
            onLoop { $0.abort() }
        }
    }

    /// How much of a file is read at once.
    private static let fileStep: Int64 = 256 << 10

    private func hijack(_ response: HTTPResponse, _ use: @Sendable (HijackedConnection) async -> Void) async {
        // Written by hand: the encoder would add framing, and there is none any more.
        var head = ByteBuffer()
        head.writeString("HTTP/1.1 \(response.status.code) \(response.status.reasonPhrase)\r\n")
        for (name, value) in response.headers { head.writeString("\(name): \(value)\r\n") }
        head.writeString("\r\n")
        let bytes = head
        let connection = connection
        do {
            let hijacked = try await channel.eventLoop.submit {
                try connection.value.hijack(head: bytes, messages: response.webSocketMessages)
            }.get()
            await use(hijacked)
            onLoop { $0.endHijack() }
        } catch {
            // The client has gone before the connection could be its own: there is nobody to tell.
            onLoop { $0.abort() }
        }
    }

    private func head(of response: HTTPResponse) -> HTTPResponseHead {
        var headers = response.headers
        headers.replaceOrAdd(name: "Date", value: HTTPDate.text(time(nil)))
        if isLast { headers.replaceOrAdd(name: "Connection", value: "close") }
        return HTTPResponseHead(version: version, status: response.status, headers: headers)
    }

    private func onLoop(_ work: @escaping @Sendable (HTTPConnection) -> Void) {
        let connection = connection
        channel.eventLoop.execute { work(connection.value) }
    }
}

extension FileDescriptor {
    /// At most `limit` bytes at `offset`, at least one.
    fileprivate func buffer(at offset: Int64, limit: Int) throws -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: limit)
        let count = try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: limit) { space in
            try read(fromAbsoluteOffset: offset, into: UnsafeMutableRawBufferPointer(rebasing: space[..<limit]))
        }
        guard count > 0 else { throw HTTPServerError.connectionClosed }
        return buffer
    }

    /// At most `limit` bytes at `offset`, at least one.
    func piece(at offset: Int64, limit: Int) throws -> [UInt8] {
        let piece = try [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            count = try read(fromAbsoluteOffset: offset, into: UnsafeMutableRawBufferPointer(buffer))
        }
        // A blob never shrinks; the response cannot be completed if it has.
        guard !piece.isEmpty else { throw HTTPServerError.connectionClosed }
        return piece
    }
}
