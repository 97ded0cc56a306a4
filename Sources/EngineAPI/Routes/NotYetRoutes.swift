import JSON
import NIOHTTP1

extension EngineRoutes {
    /// Routes of Docker's API that this version knows but does not serve. They answer with the name of the missing
    /// function instead of "page not found".
    var notYet: [Route] {
        Self.missing.map { method, path, what in
            Route(method, path) { _ in throw APIError.notImplemented(what) }
        } + plugins + swarm
    }

    private static let missing: [(HTTPMethod, String, String)] = [
        (.GET, "/containers/{name}/attach/ws", "attaching by WebSocket"),
        (.GET, "/containers/{name}/stats", "container statistics"),
        (.POST, "/containers/{name}/checkpoints", "checkpoints"),
        (.GET, "/containers/{name}/checkpoints", "checkpoints"),
        (.DELETE, "/containers/{name}/checkpoints/{checkpoint}", "checkpoints"),
        (.POST, "/build", "building images"),
        (.POST, "/build/cancel", "building images"),
        (.POST, "/session", "building images"),
        (.POST, "/grpc", "building images"),
        (.POST, "/volumes/create", "creating volumes"),
        (.PUT, "/volumes/{name}", "updating volumes"),
        (.DELETE, "/volumes/{name}", "removing volumes"),
        (.GET, "/plugins/privileges", "using plugins"), (.POST, "/plugins/pull", "using plugins"),
        (.POST, "/plugins/create", "using plugins"),
    ]

    /// There are no plugins, and none can be had.
    private var plugins: [Route] {
        [Route(.GET, "/plugins") { _ in .json([] as JSONValue) }]
            + [
                (.GET, "/plugins/{name}/json"), (.DELETE, "/plugins/{name}"), (.POST, "/plugins/{name}/enable"),
                (.POST, "/plugins/{name}/disable"), (.POST, "/plugins/{name}/push"),
                (.POST, "/plugins/{name}/upgrade"), (.POST, "/plugins/{name}/set"),
            ].map { method, path in
                Route(method, path) { request in
                    throw APIError(.notFound, "plugin \"\(request.name)\" not found")
                }
            }
    }

    private static let notAManager =
        "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to "
        + "swarm "
        + "and try again."

    /// Masu is no Swarm node and cannot become one. Clients that look for Swarm's objects as well (`docker stack`,
    /// dashboards) know what Docker's daemon says when it is none.
    private var swarm: [Route] {
        let founding: [Route] = ["/swarm/init", "/swarm/join"].map { path in
            Route(.POST, path) { _ in throw APIError.notImplemented("Swarm") }
        }
        let leaving = Route(.POST, "/swarm/leave") { _ in
            throw APIError(.unavailable, "This node is not part of a swarm")
        }
        let objects: [Route] = ["swarm", "nodes", "services", "tasks", "secrets", "configs"].flatMap { kind in
            [HTTPMethod.GET, .POST, .DELETE].flatMap { method in
                ["/\(kind)", "/\(kind)/{name}"].map { path in
                    Route(method, path) { _ in
                        throw APIError(.unavailable, Self.notAManager)
                    }
                }
            }
        }
        return founding + [leaving] + objects
    }
}
