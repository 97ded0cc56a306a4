import Engine
import HTTPServing
import NIOHTTP1
import Synchronization

extension EngineRoutes {
    /// `/containers/{name}/stats`.
    var containerStatistics: [Route] {
        [Route(.GET, "/containers/{name}/stats", statistics)]
    }

    private func statistics(_ request: RoutedRequest) async throws -> HTTPResponse {
        let version = request.version
        let json: HTTPHeaders = ["Content-Type": "application/json"]
        if request.query.flag("stream", default: true) {
            let (engine, name) = (engine, request.name)
            try engine.checkPresence(of: name)
            return HTTPResponse(
                status: .ok, headers: json,
                body: .feed { feed in
                    let previous = Mutex<ContainerStatistics.Present?>(nil)
                    do {
                        try await engine.followStatistics(name) { statistics in
                            previous.withLock { previous in
                                feed.add(StatisticsWire.line(statistics, previous: previous, version: version))
                                previous = statistics.present
                            }
                        } flush: {
                            feed.flush()
                        }
                    } catch let error as EngineError where error.kind == .notFound {
                        // Removed since the first look: there is nothing to be told.
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
