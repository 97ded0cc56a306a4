import NIOCore
import NIOHTTP1

/// One request and what is known about its progress. Used on the connection's event loop only.
final class Exchange {
    /// Answers the request.
    var task: Task<Void, Never>?
    /// Whether all of the request has come.
    var bodyEnded = false
    /// Who waits for the next piece of the body.
    var bodyWaiter: EventLoopPromise<ByteBuffer?>?
    /// How long the client may send nothing of the body; `nil` for ever.
    var bodyTime: Duration?
    /// Whether the client waits to be told that it may send the body.
    var expectsContinue: Bool
    /// Whether the answer may never end by itself.
    var isStreaming = false
    /// How long the client may take nothing of the answer while it is being made; `nil` for ever.
    var patience: Duration?
    /// Whether the connection ends with this exchange. The decoder stops at a request that asks for an upgrade, so
    /// nothing can follow that one either.
    var isLast: Bool

    /// What a response that is written piece by piece is made of.
    enum Pieces {
        /// What happens from now on: the response may never end by itself.
        case endless
        /// What somebody makes at the client's speed.
        case made
        /// A file, of which all is there.
        case file
    }

    init(head: HTTPRequestHead) {
        expectsContinue = head.headers[canonicalForm: "expect"].contains { $0.lowercased() == "100-continue" }
        isLast = !head.isKeepAlive || head.version.minor < 1 || head.headers.contains(name: "Upgrade")
    }

    /// Ends the wait for the body's next piece.
    func failBody(_ error: any Error) {
        bodyWaiter?.fail(error)
        bodyWaiter = nil
    }
}
