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
        options.stream = request.query.flag("stream")
        options.logs = request.query.flag("logs")
        let keys = request.query.text("detachKeys")
        do throws(DetachKeys.Unknown) {
            options.detachKeys = try DetachKeys(parsing: keys)
        } catch {
            throw APIError.invalid("Invalid detach keys (\(keys)) provided")
        }
        let stream = try await engine.attach(request.name, options: options)
        return hijack(stream, request) { _, _ in
            // The start that failed has told its own client.
        }
    }

    /// Lets the connection leave HTTP and joins it with a container's or exec's streams; `failed` may still tell the
    /// client why there are none. `beforeEnd` is awaited before the client sees the end of the stream.
    func hijack(
        _ stream: AttachStream, _ request: RoutedRequest, beforeEnd: (@Sendable () async -> Void)? = nil,
        failed: @escaping @Sendable (any Error, HijackedConnection) async -> Void
    ) -> HTTPResponse {
        let logger = logger
        let body = HTTPResponse.Body.hijack { connection in
            do {
                if let backlog = stream.backlog {
                    let framing = LogFraming(isMultiplexed: !stream.tty, timestamps: false, details: false)
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
        guard request.http.asksForUpgrade else {
            return HTTPResponse(status: .ok, headers: ["Content-Type": Self.rawStream], body: body)
        }
        return HTTPResponse(
            status: .custom(code: 101, reasonPhrase: "UPGRADED"),
            headers: [
                "Content-Type": Self.streamType(tty: stream.tty, version: request.version), "Connection": "Upgrade",
                "Upgrade": "tcp",
            ],
            body: body)
    }

    private static let rawStream = "application/vnd.docker.raw-stream"

    /// The media type that tells clients since 1.42 whether to take frames apart.
    static func streamType(tty: Bool, version: APIVersion) -> String {
        tty || version < .v(42) ? rawStream : "application/vnd.docker.multiplexed-stream"
    }
}
