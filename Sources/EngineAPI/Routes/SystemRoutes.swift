import HTTPServing
import BuildInformation
import Engine
import EngineAPIModel
import NIOHTTP1
import OCISpec

extension EngineRoutes {
    /// `/_ping`, `/version`, `/info`, `/events`, and `OPTIONS` of everything.
    var system: [Route] {
        [
            Route(.GET, "/_ping") { _ in Self.ping },
            Route(.HEAD, "/_ping") { _ in Self.ping },
            Route(.GET, "/version") { request in
                .json(VersionResponse(try await engine.information(), version: request.version))
            },
            Route(.GET, "/info") { request in
                var info = SystemInfo(try await engine.information(), version: request.version)
                info.registryConfig = RegistryServiceConfig(images.registries.settings)
                return .json(info)
            },
            Route(.GET, "/events", events),
            Route(.OPTIONS, "/") { _ in .empty(.ok) },
            Route(.OPTIONS, "/{path}") { _ in .empty(.ok) },
        ]
    }

    /// Builder version 1 means that there is no BuildKit, as in Docker's daemon with BuildKit switched off. The docker
    /// CLI looks at it for daemons on Windows only; other clients choose by it between `/build` and `/grpc`. Both
    /// answer that this version builds nothing.
    private static let ping = HTTPResponse(
        status: .ok,
        headers: [
            "Cache-Control": "no-cache, no-store, must-revalidate", "Pragma": "no-cache", "Builder-Version": "1",
            "Swarm": "inactive", "Content-Type": "text/plain; charset=utf-8",
        ],
        body: .bytes(Array("OK".utf8)))

    private func events(_ request: RoutedRequest) async throws -> HTTPResponse {
        let since = try request.query.moment("since")
        let until = try request.query.moment("until")
        if let since, let until, until < since {
            throw APIError.invalid(
                "`since` time (\(request.query.text("since"))) cannot be after `until` time "
                    + "(\(request.query.text("until")))"
            )
        }
        let filter = EventFilter(wire: try request.query.filters())
        let events = try await engine.events(filter, since: since, until: until)
        // Image creation was no event before 1.46, and clients of that time do not expect it.
        let skipsImageCreation = request.version < .v(46)
        let format = JSONStreamFormat(
            accepting: request.http.headers["Accept"],
            otherwise: request.version < .v(52) ? .json : .lines)
        return HTTPResponse(
            status: .ok, headers: ["Content-Type": format.rawValue],
            body: .stream { writer in
                for await event in events {
                    if skipsImageCreation, event.kind == .image, event.action == "create" { continue }
                    let line = try WireLine.bytes(EventMessage(event), ending: "\n", version: request.version)
                    try await writer.write(format.opening + line)
                }
            })
    }
}
