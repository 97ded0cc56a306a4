import HTTPServing
import Engine
import EngineAPIModel
import LinuxKernel
import NIOHTTP1
import OCISpec

extension EngineRoutes {
    /// `/containers/…` except for the streams, which are in `ContainerStreamRoutes`.
    var containers: [Route] {
        [
            Route(.GET, "/containers/json", list),
            Route(.POST, "/containers/create", create),
            Route(.GET, "/containers/{name}/json") { request in
                let details = try await engine.inspect(request.name, size: request.query.flag("size"))
                return .json(ContainerInspection(details, version: request.version))
            },
            Route(.GET, "/containers/{name}/top") { request in
                let table = try await engine.top(request.name, arguments: request.query.text("ps_args"))
                return .json(ContainerTop(table))
            },
            Route(.POST, "/containers/{name}/start", start),
            Route(.POST, "/containers/{name}/stop") { request in
                let (timeout, signal) = try request.stopParameters()
                let hasStopped = try await engine.stop(request.name, timeout: timeout, signal: signal)
                return .empty(hasStopped ? .noContent : .notModified)
            },
            Route(.POST, "/containers/{name}/restart") { request in
                let (timeout, signal) = try request.stopParameters()
                try await engine.restart(request.name, timeout: timeout, signal: signal)
                return .empty(.noContent)
            },
            Route(.POST, "/containers/{name}/kill", kill),
            Route(.POST, "/containers/{name}/pause") { request in
                try await engine.pause(request.name)
                return .empty(.noContent)
            },
            Route(.POST, "/containers/{name}/unpause") { request in
                try await engine.unpause(request.name)
                return .empty(.noContent)
            },
            Route(.POST, "/containers/{name}/rename") { request in
                try await engine.rename(request.name, to: request.query.text("name"))
                return .empty(.noContent)
            },
            Route(.POST, "/containers/{name}/resize") { request in
                let size = try request.terminalSize()
                try await engine.resize(request.name, columns: size.columns, rows: size.rows)
                return .empty(.ok)
            },
            Route(.POST, "/containers/{name}/wait", wait),
            Route(.GET, "/containers/{name}/logs", logs),
            Route(.POST, "/containers/{name}/attach", attach),
            Route(.GET, "/containers/{name}/attach/ws", attachByWebSocket),
            Route(.DELETE, "/containers/{name}") { request in
                try await engine.remove(
                    request.name, force: request.query.flag("force"), volumes: request.query.flag("v"),
                    link: request.query.flag("link"))
                return .empty(.noContent)
            },
        ]
    }

    private func list(_ request: RoutedRequest) async throws -> HTTPResponse {
        var options = ListOptions()
        options.all = request.query.flag("all")
        options.size = request.query.flag("size")
        if let limit = try request.query.integer("limit"), limit > 0 { options.limit = limit }
        options.filter = try ContainerFilter(wire: try request.query.filters())
        let summaries = try await engine.list(options)
        let wire = summaries.map { EngineAPIModel.ContainerSummary($0, version: request.version) }
        return HTTPResponse(
            status: .ok, headers: ["Content-Type": "application/json"],
            body: .bytes(try ContainerListWire.document(wire, version: request.version)))
    }

    private func create(_ request: RoutedRequest) async throws -> HTTPResponse {
        guard let wire = try await request.decodeNeededBody(ContainerCreateRequest.self) else {
            throw APIError.invalid("config cannot be empty in order to create a container")
        }
        let platform = request.query.text("platform")
        var warnings: [String] = []
        let configuration = try ContainerConfiguration(
            wire, version: request.version, logDriver: engine.configuration.log.driver ?? .standard,
            warnings: &warnings)
        let created = try await engine.create(
            configuration, name: request.query["name"],
            platform: platform.isEmpty ? nil : try Platform(parsing: platform))
        var response = ContainerCreateResponse()
        response.id = created.id
        response.warnings = created.warnings + warnings
        return .json(response, status: .created)
    }

    private func start(_ request: RoutedRequest) async throws -> HTTPResponse {
        // A host configuration in the body was removed from the API long ago; a client that still sends one must not
        // believe that it had an effect. `{}` and `null` are let through.
        if let length = request.http.contentLength, length <= 7 {
            let hasStarted = try await engine.start(request.name, from: request.checkpointToStartFrom())
            return .empty(hasStarted ? .noContent : .notModified)
        }
        throw APIError.invalid(
            "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24")
    }

    private func kill(_ request: RoutedRequest) async throws -> HTTPResponse {
        let signal = request.query.text("signal")
        do {
            try await engine.kill(request.name, signal: signal.isEmpty ? .kill : try Signal(wire: signal))
        } catch let error as EngineError {
            throw EngineError(error.kind, "cannot kill container: \(request.name): \(error.message)")
        }
        return .empty(.noContent)
    }

    /// Answers in two steps: the head as soon as the waiter is registered (the docker CLI starts the container only
    /// after it), the body at the end of the container.
    private func wait(_ request: RoutedRequest) async throws -> HTTPResponse {
        let isLegacy = request.version < .v(30)
        let text = request.query.text("condition")
        guard let condition = text.isEmpty ? .notRunning : WaitCondition(rawValue: text) else {
            throw APIError.invalid("invalid condition: \"\(text)\"")
        }
        let waiting = try await engine.wait(request.name, condition: condition)
        if isLegacy { return .json(ContainerWaitResponse(try await waiting.result())) }
        return HTTPResponse(
            status: .ok, headers: ["Content-Type": "application/json"],
            body: .stream { writer in
                try await writer.write(WireLine.bytes(ContainerWaitResponse(try await waiting.result()), ending: "\n"))
            })
    }
}

extension RoutedRequest {
    /// `t` and `signal` of stop and restart.
    fileprivate func stopParameters() throws -> (timeout: Int?, signal: Signal?) {
        let signal = query.text("signal")
        return (try query.integer("t"), signal.isEmpty ? nil : try Signal(wire: signal))
    }

    /// `h` and `w` of resize.
    func terminalSize() throws -> (columns: UInt16, rows: UInt16) {
        let rows = try query.terminalSize("h", called: "height")
        return (try query.terminalSize("w", called: "width"), rows)
    }
}
