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
    /// The oldest version of the API that is answered.
    let oldest: APIVersion
    /// How many bytes a JSON document in a request may have.
    let documentLimit: Int

    var images: Images { engine.images }

    /// Routes onto this engine. Pipes for request bodies run on `eventLoopGroup`; the other parameters are those of
    /// `Router`.
    package init(
        engine: Engine, eventLoopGroup: any EventLoopGroup, oldest: APIVersion = .oldest,
        documentLimit: Int = RoutedRequest.usualDocumentLimit, logger: Logger
    ) {
        self.oldest = oldest
        self.documentLimit = documentLimit
        self.engine = engine
        self.eventLoopGroup = eventLoopGroup
        self.logger = logger
    }

    /// What an HTTP server asks.
    package var responder: HTTPResponder {
        Router(
            routes: all, oldest: oldest, documentLimit: documentLimit,
            isExperimental: engine.configuration.isExperimental, logger: logger
        ).responder
    }

    /// Every route; `APITable` has a line for each but `OPTIONS`.
    package var all: [Route] {
        system + upkeep + limits + containers + checkpoints + containerStatistics + containerUpdates
            + containerFiles + executions + registryRoutes + imageTransfers + imageRoutes + networks + volumes
            + plugins + description + refused
    }
}
