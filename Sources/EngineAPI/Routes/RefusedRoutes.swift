import JSON
import NIOHTTP1

extension EngineRoutes {
    /// Routes of Docker's API that this version knows but does not serve. They answer as `APITable` says, with the name
    /// of the missing function or Docker's own refusal, instead of "page not found".
    var refused: [Route] {
        APITable.endpoints.compactMap { endpoint in
            endpoint.refusal.map { refusal in
                Route(endpoint.method, endpoint.path) { request in throw refusal.error(request.name) }
            }
        }
    }

    /// There are no plugins, and none can be had.
    var plugins: [Route] { [Route(.GET, "/plugins") { _ in .json([] as JSONValue) }] }
}
