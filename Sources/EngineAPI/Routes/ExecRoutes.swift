import HTTPServing
import Engine
import EngineAPIModel
import NIOHTTP1

extension EngineRoutes {
    /// `/containers/{name}/exec` and `/exec/…`.
    var executions: [Route] {
        [
            Route(.POST, "/containers/{name}/exec") { request in
                let wire = try await request.decodeBody(ExecCreateRequest.self) ?? ExecCreateRequest()
                var response = IDResponse()
                response.id = try await engine.createExec(
                    request.name, try ExecConfiguration(wire, version: request.version))
                return .json(response, status: .created)
            },
            Route(.POST, "/exec/{name}/start", startExec),
            Route(.POST, "/exec/{name}/resize") { request in
                let size = try request.terminalSize()
                try await engine.resizeExec(request.name, columns: size.columns, rows: size.rows)
                return .empty(.ok)
            },
            Route(.GET, "/exec/{name}/json") { request in
                .json(ExecInspection(try await engine.inspectExec(request.name)))
            },
        ]
    }

    private func startExec(_ request: RoutedRequest) async throws -> HTTPResponse {
        let wire = try await request.decodeBody(ExecStartRequest.self) ?? ExecStartRequest()
        let size = wire.tty ? ConsoleSize(wire: wire.consoleSize) : nil
        let options = ExecStartOptions(detach: wire.detach, tty: wire.tty, consoleSize: size)
        guard let stream = try await engine.startExec(request.name, options: options) else { return .empty(.ok) }
        // Clients ask for the exit status as soon as the stream has ended; the news of it comes on another connection
        // from the shim and may be a moment later. The wait begins here so that no end is missed; that it fails means
        // that there is no status to wait for, because the client detached.
        let end = try await engine.waitExec(request.name)
        return hijack(stream, request, beforeEnd: { _ = try? await end.result() }) { error, connection in
            // The connection is upgraded already: Docker tells what went wrong as output of the process, and so do
            // clients expect it. A client that is gone cannot be told.
            let text = Array("\(EngineError(error).message)\r\n".utf8)
            try? await connection.write(stream.tty ? text : StreamFrame.bytes(text[...], on: .stdout))
        }
    }
}
