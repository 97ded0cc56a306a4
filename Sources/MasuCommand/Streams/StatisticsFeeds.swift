import EngineAPIModel
import Glibc
import JSON

/// What one container uses, as it comes.
private final class StatisticsFeed {
    let container: String
    let response: HTTPResponse
    private var lines = JSONLines()
    private(set) var latest: JSONValue?
    /// How many answers have come.
    private(set) var count = 0
    private(set) var receivedAt = HumanText.now()
    /// Whether nothing more will come.
    private(set) var isOver = false

    init(_ container: String, _ response: HTTPResponse) {
        self.container = container
        self.response = response
    }

    var descriptor: Int32 { response.connection.descriptor }

    /// Takes what has come; the descriptor is readable, or there are bytes already.
    func receive() throws {
        repeat {
            guard let piece = try response.next() else {
                isOver = true
                return
            }
            for line in lines.take(piece) {
                latest = try JSON.parse(line)
                count += 1
                receivedAt = HumanText.now()
            }
            // A chunk's own line end may be there before the next chunk.
        } while response.connection.buffered.count > 2
    }

    /// Whether it has said enough for a single table: rates need two answers, except of what does not run.
    var isComplete: Bool {
        isOver || count > 1 || count == 1 && (latest?["read"]?.string ?? "0001-").hasPrefix("0001-")
    }
}

/// What some containers use, or all that there are and come.
///
/// One loop waits for all connections: a container more costs a connection and no thread.
final class StatisticsFeeds {
    private let client: DaemonClient
    /// Containers come and go with their events; nil: those that were named, and no others.
    private var events: HTTPResponse?
    private var eventLines = JSONLines()
    private let includesStopped: Bool
    private var feeds: [StatisticsFeed] = []

    /// After so many seconds what came last is not shown any more.
    private static let patience = 2.0

    /// All containers, and those to come; only those that run, unless `includesStopped`.
    init(of client: DaemonClient, includesStopped: Bool) throws {
        self.client = client
        self.includesStopped = includesStopped
        // Before the list, so that none is missed between them.
        let filters = String(decoding: try JSON.encode(["type": ["container"]]), as: UTF8.self)
        events = try client.open(HTTPRequest("GET", "/events", query: [("filters", filters)]))
        let list = try client.call(
            HTTPRequest("GET", "/containers/json", query: includesStopped ? [("all", "1")] : []),
            as: [ContainerSummary].self)
        // One that has gone meanwhile is none of the containers.
        for container in list { try? add(container.id) }
    }

    /// The containers that were named, each once. All of them have to be there.
    init(of client: DaemonClient, names: [String]) throws {
        self.client = client
        includesStopped = true
        var failures: [String] = []
        for name in names where !feeds.contains(where: { $0.container == name }) {
            do { try add(name) } catch { failures.append(describe(error)) }
        }
        if !failures.isEmpty { throw CommandError(failures.joined(separator: "\n")) }
    }

    /// Whether nothing can come any more.
    private(set) var isOver = false

    private func add(_ container: String) throws {
        guard !feeds.contains(where: { $0.container == container }) else { return }
        let response = try client.open(
            HTTPRequest("GET", ContainerCommands.path(container, "/stats"), query: [("stream", "1")]))
        feeds.append(StatisticsFeed(container, response))
    }

    /// The rows as of now.
    func rows(truncated: Bool) -> [Listing.Row] {
        let now = HumanText.now()
        return feeds.map { feed in
            StatisticsRow(
                container: feed.container, answer: feed.latest,
                isCurrent: !feed.isOver && now - feed.receivedAt <= Self.patience
            ).row(truncated: truncated)
        }
    }

    /// Receives until every container has said something.
    func waitForFirst() throws {
        let end = HumanText.now() + Self.patience
        while feeds.contains(where: { $0.count == 0 && !$0.isOver }), HumanText.now() < end { try receive(until: end) }
    }

    /// Receives until every container has said enough for a single table.
    func waitForRates() throws {
        let end = HumanText.now() + 2 * Self.patience
        while !feeds.allSatisfy(\.isComplete), HumanText.now() < end { try receive(until: end) }
    }

    /// Receives for so many seconds.
    func receive(for seconds: Double) throws {
        let end = HumanText.now() + seconds
        while !isOver, HumanText.now() < end { try receive(until: end) }
    }

    /// Waits for the next bytes of any connection, or until then, and takes them.
    private func receive(until end: Double) throws {
        let open = feeds.filter { !$0.isOver }
        var entries = open.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
        if let events { entries.append(pollfd(fd: events.connection.descriptor, events: Int16(POLLIN), revents: 0)) }
        if entries.isEmpty {
            isOver = true
            return
        }
        let milliseconds = max(0, (end - HumanText.now()) * 1000).rounded(.up)
        guard poll(&entries, nfds_t(entries.count), Int32(milliseconds)) > 0 else { return }
        for (feed, entry) in zip(open, entries) where entry.revents != 0 { try feed.receive() }
        if entries.count > open.count, entries[open.count].revents != 0 { try receiveEvents() }
    }

    private func receiveEvents() throws {
        guard let events else { return }
        repeat {
            // The daemon has ended, and that is no error: there is nothing more to be seen.
            guard let piece = try? events.next() else {
                isOver = true
                return
            }
            for line in eventLines.take(piece) { take(try JSON.decode(EventMessage.self, from: line)) }
        } while events.connection.buffered.count > 2
    }

    private func take(_ event: EventMessage) {
        switch event.action {
        // One that has gone already is not to be seen.
        case "start": try? add(event.actor.id)
        case "create" where includesStopped: try? add(event.actor.id)
        case "destroy": feeds.removeAll { $0.container == event.actor.id }
        case "die" where !includesStopped: feeds.removeAll { $0.container == event.actor.id }
        default: break
        }
    }
}
