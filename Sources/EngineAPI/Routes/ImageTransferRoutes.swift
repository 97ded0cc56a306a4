import Engine
import HTTPServing
import JSON
import NIOHTTP1
import OCISpec

extension EngineRoutes {
    /// Images as archives, out of here.
    var imageTransfers: [Route] {
        [
            Route(.GET, "/images/get") { request in try save(request.query.all("names"), request) },
            Route(.GET, "/images/{name}/get") { request in try save([request.name], request) },
        ]
    }

    private func save(_ names: [String], _ request: RoutedRequest) throws -> HTTPResponse {
        let platforms = try request.query.platforms("platform")
        if platforms.count > 1, request.version < .v(52) { throw Self.severalPlatforms }
        // A client that joins several names itself is served as well, as by Docker.
        let images = names.flatMap { $0.split(separator: ",").map(String.init) }
        let group = eventLoopGroup
        return HTTPResponse(
            status: .ok, headers: ["Content-Type": "application/x-tar"],
            body: .lateStream { writer in
                try await OutputPipe.stream(to: writer, on: group) { stream in
                    try await engine.saveImages(images, platforms: platforms, to: stream)
                }
            })
    }
}

extension Query {
    /// Platforms as clients send them: a JSON object of the image specification, or `os/architecture`; several as
    /// several parameters.
    func platforms(_ name: String) throws -> [Platform] {
        try all(name).filter { !$0.isEmpty }.map { text in
            guard text.hasPrefix("{") else { return try Platform(parsing: text) }
            do {
                return try JSON.decode(Platform.self, from: Array(text.utf8))
            } catch {
                throw APIError.invalid("failed to parse platform: \(error)")
            }
        }
    }
}
