import Engine
import HTTPServing
import NIOHTTP1
import Tasks
import Text

extension EngineRoutes {
    func logs(_ request: RoutedRequest) async throws -> HTTPResponse {
        let query = request.query
        var options = LogOptions()
        options.stdout = query.flag("stdout")
        options.stderr = query.flag("stderr")
        guard options.stdout || options.stderr else {
            throw APIError.invalid("must specify at least one of 'stdout' or 'stderr'")
        }
        options.follow = query.flag("follow")
        options.since = try query.moment("since")
        options.until = try query.moment("until")
        options.details = query.flag("details")
        // "all", and whatever is no number, means everything.
        if let tail = Int(query.text("tail")), tail >= 0 { options.tail = tail }
        let stream = try await engine.logs(request.name, options: options)
        let framing = LogFraming(
            isMultiplexed: !stream.tty, timestamps: query.flag("timestamps"), details: options.details)
        return HTTPResponse(
            status: .ok, headers: ["Content-Type": Self.streamType(tty: stream.tty, version: request.version)],
            body: .stream { writer in
                for try await lines in stream { try await writer.write(framing.bytes(of: lines)) }
            })
    }

    func attach(_ request: RoutedRequest) async throws -> HTTPResponse {
        var options = AttachOptions()
        options.stdin = request.query.flag("stdin")
        options.stdout = request.query.flag("stdout")
        options.stderr = request.query.flag("stderr")
        try take(request, into: &options)
        let stream = try await engine.attach(request.name, options: options)
        return hijack(stream, request) { _, _ in
            // The start that failed has told its own client.
        }
    }

    /// What both ways to attach have in common.
    private func take(_ request: RoutedRequest, into options: inout AttachOptions) throws {
        options.stream = request.query.flag("stream")
        options.logs = request.query.flag("logs")
        let keys = request.query.text("detachKeys")
        do throws(DetachKeys.Unknown) {
            options.detachKeys = try DetachKeys(parsing: keys)
        } catch {
            throw APIError.invalid("Invalid detach keys (\(keys)) provided")
        }
    }

    /// `GET /containers/{name}/attach/ws`: both streams in one, without Docker's frames.
    func attachByWebSocket(_ request: RoutedRequest) async throws -> HTTPResponse {
        var options = AttachOptions()
        options.isRaw = true
        let hasChoice = request.version >= .v(42)
        options.stdin = !hasChoice || request.query.flag("stdin")
        options.stdout = !hasChoice || request.query.flag("stdout")
        options.stderr = !hasChoice || request.query.flag("stderr")
        try take(request, into: &options)
        // As Docker: what is wrong with the container comes first. Attaching comes last, since it may be the only time
        // that a container's input takes.
        _ = try await engine.inspect(request.name)
        let handshake = try WebSocketHandshake(request.http.headers)
        let stream = try await engine.attach(request.name, options: options)
        var response = hijacked(stream, request, isMultiplexed: false) { _, _ in
            // The start that failed has told its own client.
        }
        response.status = .switchingProtocols
        response.headers = handshake.answer
        response.webSocketMessages = request.version >= .v(28) ? .binary : .text
        return response
    }

    /// Lets the connection leave HTTP and joins it with a container's or exec's streams; `failed` may still tell the
    /// client why there are none. `beforeEnd` is awaited before the client sees the end of the stream.
    func hijack(
        _ stream: AttachStream, _ request: RoutedRequest, beforeEnd: (@Sendable () async -> Void)? = nil,
        failed: @escaping @Sendable (any Error, HijackedConnection) async -> Void
    ) -> HTTPResponse {
        var response = hijacked(
            stream, request, isMultiplexed: !stream.tty, beforeEnd: beforeEnd, failed: failed)
        guard request.http.asksForUpgrade else { return response }
        response.status = .custom(code: 101, reasonPhrase: "UPGRADED")
        response.headers = [
            "Content-Type": Self.streamType(tty: stream.tty, version: request.version), "Connection": "Upgrade",
            "Upgrade": "tcp",
        ]
        return response
    }

    /// The same without a word about how the connection leaves HTTP.
    private func hijacked(
        _ stream: AttachStream, _ request: RoutedRequest, isMultiplexed: Bool,
        beforeEnd: (@Sendable () async -> Void)? = nil,
        failed: @escaping @Sendable (any Error, HijackedConnection) async -> Void
    ) -> HTTPResponse {
        let logger = logger
        let body = HTTPResponse.Body.hijack { connection in
            do {
                if let backlog = stream.backlog {
                    let framing = LogFraming(isMultiplexed: isMultiplexed, timestamps: false, details: false)
                    for try await lines in backlog { try await connection.write(framing.bytes(of: lines)) }
                }
                let descriptor = try await withTaskCancellationHandler {
                    try await stream.connection()
                } onCancel: {
                    Task { await stream.cancel() }
                }
                guard let descriptor else { return }
                try await connection.join(descriptor, beforeEnd: beforeEnd)
            } catch {
                logger.debug("stream ended", metadata: ["name": "\(request.name)", "error": "\(error)"])
                await failed(error, connection)
            }
        }
        return HTTPResponse(status: .ok, headers: ["Content-Type": Self.rawStream], body: body)
    }

    private static let rawStream = "application/vnd.docker.raw-stream"

    /// The media type that tells clients since 1.42 whether to take frames apart.
    static func streamType(tty: Bool, version: APIVersion) -> String {
        tty || version < .v(42) ? rawStream : "application/vnd.docker.multiplexed-stream"
    }
}
