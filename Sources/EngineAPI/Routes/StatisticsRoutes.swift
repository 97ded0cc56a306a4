import Engine
import HTTPServing
import NIOHTTP1

extension EngineRoutes {
    /// `/containers/{name}/stats`.
    var containerStatistics: [Route] {
        [Route(.GET, "/containers/{name}/stats", statistics)]
    }

    private func statistics(_ request: RoutedRequest) async throws -> HTTPResponse {
        let version = request.version
        let json: HTTPHeaders = ["Content-Type": "application/json"]
        if request.query.flag("stream", default: true) {
            let stream = try await engine.statisticsStream(request.name)
            return HTTPResponse(
                status: .ok, headers: json,
                body: .stream { writer in
                    var previous: ContainerStatistics.Present?
                    for await statistics in stream {
                        try await writer.write(
                            StatisticsWire.line(statistics, previous: previous, version: version))
                        previous = statistics.present
                    }
                })
        }
        let first = try await engine.statistics(request.name)
        // One that does not run is not worth a second look.
        guard let previous = first.present, !request.query.flag("one-shot") else {
            return HTTPResponse(
                status: .ok, headers: json,
                body: .bytes(StatisticsWire.line(first, previous: nil, version: version)))
        }
        try await Task.sleep(for: .seconds(1))
        let second = try await engine.statistics(request.name)
        return HTTPResponse(
            status: .ok, headers: json,
            body: .bytes(StatisticsWire.line(second, previous: previous, version: version)))
    }
}
