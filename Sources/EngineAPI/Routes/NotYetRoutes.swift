import NIOHTTP1

extension EngineRoutes {
    /// Routes of Docker's API that this version knows but does not serve. They answer with the name of the missing function
    /// instead of "page not found".
    var notYet: [Route] {
        Self.missing.map { method, path, what in
            Route(method, path) { _ in throw APIError.notImplemented(what) }
        }
    }

    private static let missing: [(HTTPMethod, String, String)] = [
        (.GET, "/containers/{name}/attach/ws", "attaching by WebSocket"),
        (.GET, "/containers/{name}/stats", "container statistics"),
        (.POST, "/containers/{name}/update", "updating containers"),
        (.POST, "/containers/{name}/checkpoints", "checkpoints"),
        (.GET, "/containers/{name}/checkpoints", "checkpoints"),
        (.POST, "/build", "building images"),
        (.POST, "/build/cancel", "building images"),
        (.POST, "/session", "building images"),
        (.POST, "/grpc", "building images"),
        (.POST, "/networks/create", "creating networks"),
        (.POST, "/networks/{name}/connect", "connecting containers to networks"),
        (.POST, "/networks/{name}/disconnect", "disconnecting containers from networks"),
        (.DELETE, "/networks/{name}", "removing networks"),
        (.POST, "/volumes/create", "creating volumes"),
        (.PUT, "/volumes/{name}", "updating volumes"),
        (.DELETE, "/volumes/{name}", "removing volumes"),
        (.GET, "/plugins", "using plugins"), (.GET, "/plugins/{name}", "using plugins"),
        (.POST, "/plugins/{name}", "using plugins"),
        (.DELETE, "/plugins/{name}", "using plugins"),
        (.GET, "/swarm", "Swarm"), (.POST, "/swarm/{name}", "Swarm"), (.GET, "/swarm/{name}", "Swarm"),
        (.GET, "/nodes", "Swarm"), (.GET, "/nodes/{name}", "Swarm"), (.POST, "/nodes/{name}", "Swarm"),
        (.DELETE, "/nodes/{name}", "Swarm"),
        (.GET, "/services", "Swarm"), (.GET, "/services/{name}", "Swarm"), (.POST, "/services/{name}", "Swarm"),
        (.DELETE, "/services/{name}", "Swarm"),
        (.GET, "/tasks", "Swarm"), (.GET, "/tasks/{name}", "Swarm"),
        (.GET, "/secrets", "Swarm"), (.GET, "/secrets/{name}", "Swarm"), (.POST, "/secrets/{name}", "Swarm"),
        (.DELETE, "/secrets/{name}", "Swarm"),
        (.GET, "/configs", "Swarm"), (.GET, "/configs/{name}", "Swarm"), (.POST, "/configs/{name}", "Swarm"),
        (.DELETE, "/configs/{name}", "Swarm"),
    ]
}
