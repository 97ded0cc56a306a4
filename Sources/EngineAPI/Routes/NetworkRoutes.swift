import Engine
import EngineAPIModel
import HTTPServing
import Images
import JSON
import Networks
import NIOHTTP1
import Text

extension EngineRoutes {
    /// `/networks/…`.
    var networks: [Route] {
        [
            Route(.GET, "/networks") { request in
                let networks = try await engine.networks(try NetworkFilter(wire: request.query.filters()))
                return .json(networks.map { NetworkInspection($0) })
            },
            Route(.GET, "/networks/{name}", inspectNetwork),
            Route(.POST, "/networks/create", createNetwork),
            Route(.POST, "/networks/prune") { request in
                let filters = try PruneFilters(
                    request.query.filters().values, accepting: PruneFilters.forContainers)
                let names = try await engine.pruneNetworks(filters)
                var report = NetworksPruneReport()
                report.networksDeleted = names.isEmpty ? nil : names
                return .json(report)
            },
            Route(.POST, "/networks/{name}/connect", connect),
            Route(.POST, "/networks/{name}/disconnect") { request in
                guard let wire = try await request.decodeNeededBody(NetworkDisconnectRequest.self) else {
                    throw APIError.invalid("invalid JSON: no container is named")
                }
                try await engine.disconnect(network: request.name, container: wire.container, force: wire.force)
                return .empty(.ok)
            },
            Route(.DELETE, "/networks/{name}") { request in
                try await engine.removeNetwork(request.name)
                return .empty(.noContent)
            },
            // Below Masu's own part of the API, as a network may have any name.
            Route(.GET, "/masu/networks/firewall") { request in
                let (report, names) = try await engine.firewallReport(request.query.all("container"))
                return .json(EngineAPIModel.NetworkFirewall(report, names: names))
            },
        ]
    }

    private func inspectNetwork(_ request: RoutedRequest) async throws -> HTTPResponse {
        // There are no services that a long answer would have more of.
        let verbose = request.query.text("verbose")
        guard verbose.isEmpty || GoBoolean.parse(verbose) != nil else {
            throw APIError.invalid(
                "invalid value for verbose: \(verbose): strconv.ParseBool: parsing \"\(verbose)\": invalid syntax")
        }
        // All networks are of this machine.
        let scope = request.query.text("scope")
        guard scope.isEmpty || scope == "local" else {
            throw APIError(.notFound, "network \(request.name) not found")
        }
        let details = try await engine.inspectNetwork(request.name)
        return .json(NetworkInspection(details))
    }

    private func createNetwork(_ request: RoutedRequest) async throws -> HTTPResponse {
        guard let wire = try await request.decodeNeededBody(NetworkCreateRequest.self) else {
            throw APIError.invalid("invalid JSON: no network is described")
        }
        let (network, warning) = try await engine.createNetwork(NetworkRequest(wire, version: request.version))
        var response = NetworkCreateResponse()
        response.id = network.id
        response.warning = warning ?? ""
        return .json(response, status: .created)
    }

    private func connect(_ request: RoutedRequest) async throws -> HTTPResponse {
        guard let wire = try await request.decodeNeededBody(NetworkConnectRequest.self) else {
            throw APIError.invalid("invalid JSON: no container is named")
        }
        let endpoint = try NetworkEndpoint(
            wire.endpointConfig ?? EndpointSettings(), on: request.name, version: request.version)
        try await engine.connect(network: request.name, container: wire.container, endpoint: endpoint)
        return .empty(.ok)
    }
}
