import HTTPServing
import Engine
import Images
import Logging
import NIOCore

/// All routes of the Docker Engine API that this daemon answers, including those it answers with "not yet".
package struct EngineRoutes: Sendable {
    let engine: Engine
    let eventLoopGroup: any EventLoopGroup
    let logger: Logger

    var images: Images { engine.images }

    /// Routes onto this engine. Pipes for request bodies run on `eventLoopGroup`.
    package init(engine: Engine, eventLoopGroup: any EventLoopGroup, logger: Logger) {
        self.engine = engine
        self.eventLoopGroup = eventLoopGroup
        self.logger = logger
    }

    /// What an HTTP server asks.
    package var responder: HTTPResponder {
        Router(
            routes: system + upkeep + containers + containerFiles + executions + registryRoutes + imageTransfers
                + imageRoutes + networks + notYet, logger: logger
        ).responder
    }
}
