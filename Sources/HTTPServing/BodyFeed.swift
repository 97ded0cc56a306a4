import NIOCore
import NIOHTTP1
import Synchronization

/// The body of a response to which somebody who has no task of its own adds pieces, from any thread and without
/// waiting: for many responses that get a piece now and then.
///
/// Pieces of all feeds of an event loop leave together, and so cost it one wake-up. A client that does not take its
/// pieces in time loses newer ones.
package final class BodyFeed: Sendable {
    private let channel: any Channel
    private let outbox: FeedOutbox
    private let hasEnded = Atomic(false)

    init(channel: any Channel, outbox: FeedOutbox) {
        self.channel = channel
        self.outbox = outbox
    }

    /// Adds a piece, which leaves with the next `flush` of any feed.
    package func add(_ piece: [UInt8]) { outbox.add(self, ByteBuffer(bytes: piece)) }

    /// Sends what has been added to this feed, and to others.
    package func flush() { outbox.flush() }

    /// Nothing is sent from now on. On the event loop.
    func end() { hasEnded.store(true, ordering: .relaxed) }

    /// On the event loop.
    fileprivate func send(_ piece: ByteBuffer) {
        guard !hasEnded.load(ordering: .relaxed), channel.isWritable else { return }
        channel.writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(piece)), promise: nil)
    }
}

/// What the feeds of one event loop are about to send.
final class FeedOutbox: Sendable {
    private let eventLoop: any EventLoop
    private let waiting = Mutex<[(feed: BodyFeed, piece: ByteBuffer)]>([])

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func add(_ feed: BodyFeed, _ piece: ByteBuffer) { waiting.withLock { $0.append((feed, piece)) } }

    func flush() {
        let pieces = waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
        if pieces.isEmpty { return }
        eventLoop.execute { for (feed, piece) in pieces { feed.send(piece) } }
    }
}

/// The outboxes of a server's event loops.
final class FeedOutboxes: Sendable {
    private let outboxes = Mutex<[ObjectIdentifier: FeedOutbox]>([:])

    func outbox(of eventLoop: any EventLoop) -> FeedOutbox {
        outboxes.withLock { outboxes in
            if let known = outboxes[ObjectIdentifier(eventLoop)] { return known }
            let outbox = FeedOutbox(eventLoop)
            outboxes[ObjectIdentifier(eventLoop)] = outbox
            return outbox
        }
    }
}
