import Addresses
import Foundation
import LinuxKernel
import SystemPackage

/// Who reaches whom, as a table that says it for each case, and real packets that show it.
///
/// All attempts are under way at once, on one thread, so that hundreds of cases take no longer than one. That nothing
/// arrives is no question of time: what may not arrive is sent before what has to, twice, and by then it would be there
/// as well.
final class TrafficTable {
    /// What becomes of an attempt.
    enum Outcome: Equatable, CustomStringConvertible {
        /// This server answers, and says whose address it has seen.
        case reached(String, seen: IPAddress)
        /// Nothing comes back, and nothing arrives anywhere.
        case silence

        var description: String {
            switch self {
            case .reached(let server, let address): "\(server) sees \(address)"
            case .silence: "silence"
            }
        }
    }

    /// An attempt, and what is to become of it.
    struct Case {
        /// What it is an example of.
        let title: String
        /// The place that it comes from.
        let client: String
        let transport: TransportProtocol
        let target: SocketAddress
        let wanted: Outcome
    }

    /// An attempt that is under way.
    private final class Attempt {
        let number: UInt32
        let wanted: Case
        var sockets: [FileDescriptor] = []
        /// What an answer has said, or what has arrived at a server without an answer.
        var found: Outcome?
        var lastTry = Date.distantPast

        init(_ number: Int, _ wanted: Case) {
            self.number = UInt32(number)
            self.wanted = wanted
        }

        /// Whether it has become what it has to, as far as is known.
        var isDone: Bool { (found ?? .silence) == wanted.wanted }

        func closeSockets() {
            for socket in sockets { socket.discard() }
            sockets = []
        }
    }

    private let epoll: Epoll
    /// Network namespaces by the names of places.
    private var places: [String: FileDescriptor] = [:]
    private var handlers: [UInt64: (ReadyEvents) -> Void] = [:]
    private var lastToken: UInt64 = 0
    private var servers: [FileDescriptor] = []
    private var attempts: [UInt32: Attempt] = [:]

    /// How often an attempt that has to succeed is made again, in seconds, and for how long.
    private static let (pause, patience) = (0.25, 120.0)

    init() throws { epoll = try Epoll() }

    deinit {
        close()
        epoll.descriptor.discard()
    }

    /// Closes all servers and leaves all places, whose namespaces would otherwise be there as long as the table.
    func close() {
        for attempt in attempts.values { attempt.closeSockets() }
        for descriptor in servers + Array(places.values) { descriptor.discard() }
        (attempts, servers, places) = ([:], [], [:])
    }

    // MARK: Places

    /// A place to send from, by its network namespace, whose descriptor becomes the table's own.
    func add(_ place: String, _ namespace: FileDescriptor) { places[place] = namespace }

    /// Answers in a place at ports of TCP and UDP and of both families: each client is told its address.
    func serve(_ place: String, ports: [UInt16]) throws {
        for port in ports {
            for family in IPAddress.Family.allCases {
                for transport in [TransportProtocol.tcp, .udp] {
                    let socket = try socket(transport, family, in: place)
                    servers.append(socket)
                    if transport == .udp {
                        try socket.tellLocalAddress(family)
                    } else {
                        try socket.set(SOL_SOCKET, SO_REUSEADDR, 1)
                    }
                    try socket.bind(to: SocketAddress(.unspecified(family), port))
                    if transport == .tcp { try socket.listen(backlog: 512) }
                    try watch(socket, .readable) { [unowned self] _ in
                        transport == .udp ? answerDatagrams(socket, place) : acceptAll(socket, place)
                    }
                }
            }
        }
    }

    private func socket(
        _ transport: TransportProtocol, _ family: IPAddress.Family, in place: String
    ) throws -> FileDescriptor {
        guard let namespace = places[place] else { throw Command.Failure(description: "no place \(place)") }
        return try NetworkNamespace.visit(namespace) {
            Result { () throws(Errno) in try InternetSocket.make(transport, family) }
        }.get()
    }

    // MARK: Servers

    private func acceptAll(_ listener: FileDescriptor, _ place: String) {
        // None is left, or one has gone meanwhile; the listener is readable again if there is another.
        while let client = try? listener.acceptConnection(nonBlocking: true) {
            guard let peer = client.peerName() else {
                client.discard()
                continue
            }
            var bytes: [UInt8] = []
            do {
                try watch(client, .readable) { [unowned self] _ in
                    var buffer = [UInt8](repeating: 0, count: 64)
                    let count = Glibc.read(client.rawValue, &buffer, buffer.count)
                    // Not for this one, but for another that had its number.
                    if count < 0, errno == EAGAIN { return }
                    if count > 0 { bytes += buffer[..<count] }
                    guard count <= 0 || bytes.count >= 4 else { return }
                    arrived(bytes, at: place, from: peer.address)
                    // A client that has gone gets no answer.
                    if count > 0 { try? client.writeEntire(answer(bytes, place, peer.address)) }
                    client.discard()
                }
            } catch {
                client.discard()
            }
        }
    }

    private func answerDatagrams(_ socket: FileDescriptor, _ place: String) {
        withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { buffer in
            while let (count, origin) = try? socket.receiveDatagram(into: buffer) {
                guard let origin else { continue }
                let bytes = Array(buffer[..<count])
                arrived(bytes, at: place, from: origin.peer.address)
                // A datagram may be lost; its sender asks again.
                answer(bytes, place, origin.peer.address).withUnsafeBytes { try? socket.sendDatagram($0, to: origin) }
            }
        }
    }

    private func answer(_ bytes: [UInt8], _ place: String, _ address: IPAddress) -> [UInt8] {
        Array("\(place) \(address)".utf8)
    }

    /// An attempt that was to meet with silence has failed by this alone.
    private func arrived(_ bytes: [UInt8], at place: String, from address: IPAddress) {
        guard bytes.count >= 4, let attempt = attempts[bytes[..<4].reduce(0) { $0 << 8 | UInt32($1) }] else { return }
        if attempt.wanted.wanted == .silence { attempt.found = .reached(place, seen: address) }
    }

    // MARK: Attempts

    /// Tries all cases.
    ///
    /// - Returns: A table of all cases if some have not become what they have to; `nil` if all is well.
    func failures(_ cases: [Case]) throws -> String? {
        var rounds: [[Attempt]] = []
        for round in 0..<2 where rounds.allSatisfy({ $0.allSatisfy(\.isDone) }) {
            let attempts = cases.enumerated().map { Attempt(round * cases.count + $0, $1) }
            rounds.append(attempts)
            for attempt in attempts { self.attempts[attempt.number] = attempt }
            for attempt in attempts where attempt.wanted.wanted == .silence { try begin(attempt) }
            var open = attempts.filter { $0.wanted.wanted != .silence }
            let deadline = Date().addingTimeInterval(Self.patience)
            while !open.isEmpty, Date() < deadline {
                for attempt in open where -attempt.lastTry.timeIntervalSinceNow > Self.pause { try begin(attempt) }
                try wait()
                for attempt in open where attempt.isDone { attempt.closeSockets() }
                open.removeAll(where: \.isDone)
            }
        }
        for attempt in rounds.joined() { attempt.closeSockets() }
        attempts = [:]
        let outcomes = cases.indices.map { index in
            rounds.map { $0[index] }.first { !$0.isDone } ?? rounds[0][index]
        }
        return outcomes.allSatisfy(\.isDone) ? nil : Self.text(outcomes)
    }

    private static func text(_ outcomes: [Attempt]) -> String {
        let rows = outcomes.map { attempt in
            let wanted = attempt.wanted
            return [
                attempt.isDone ? " " : "✘", wanted.title, wanted.client, wanted.transport.rawValue,
                "\(wanted.target.address) \(wanted.target.port)", "\(wanted.wanted)",
                attempt.isDone ? "" : "\(attempt.found ?? .silence)",
            ]
        }
        let titles = ["", "case", "from", "by", "to", "wanted", "found"]
        let widths = titles.indices.map { column in ([titles] + rows).map { $0[column].count }.max() ?? 0 }
        return ([titles] + rows.sorted { ($0[0] != " " ? 0 : 1) < ($1[0] != " " ? 0 : 1) }).map { row in
            zip(row, widths).map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }.joined(separator: "  ")
        }.joined(separator: "\n")
    }

    private func begin(_ attempt: Attempt) throws {
        attempt.lastTry = Date()
        let wanted = attempt.wanted
        let bytes = (0..<4).map { UInt8(truncatingIfNeeded: attempt.number >> (24 - 8 * $0)) }
        // A datagram goes by the same socket again: an answer to the first one counts as well.
        if wanted.transport == .udp, let socket = attempt.sockets.first {
            // What is refused now is asked again.
            try? socket.writeEntire(bytes)
            return
        }
        if wanted.transport == .tcp, !attempt.sockets.isEmpty { return }
        let socket = try socket(wanted.transport, wanted.target.address.family, in: wanted.client)
        attempt.sockets.append(socket)
        do {
            _ = try socket.connect(to: wanted.target)
        } catch {
            // There is no way there, or nobody.
            attempt.closeSockets()
            return
        }
        if wanted.transport == .udp {
            try? socket.writeEntire(bytes)  // As above.
            try watch(socket, .readable) { [unowned self] _ in read(socket, attempt) }
            return
        }
        try watch(socket, [.readable, .writable]) { [unowned self] events in
            if !events.isDisjoint(with: [.readable, .error, .hangUp]) { return read(socket, attempt) }
            // It is connected.
            try? socket.writeEntire(bytes)  // Else the answer is missed.
            try? epoll.modify(socket, .readable, token: UInt64(UInt32(bitPattern: socket.rawValue)))
        }
    }

    private func read(_ socket: FileDescriptor, _ attempt: Attempt) {
        var buffer = [UInt8](repeating: 0, count: 128)
        let count = Glibc.read(socket.rawValue, &buffer, buffer.count)
        if count < 0, errno == EAGAIN { return }
        if count <= 0 {
            // Nobody is there. It is tried again with another socket, if it has to succeed.
            if attempt.wanted.transport == .tcp {
                attempt.closeSockets()
            }
            return
        }
        let words = String(decoding: buffer[..<count], as: UTF8.self).split(separator: " ").map(String.init)
        guard words.count == 2, let address = IPAddress(words[1]) else { return }
        attempt.found = .reached(words[0], seen: address)
    }

    // MARK: Waiting

    private func watch(
        _ descriptor: FileDescriptor, _ events: ReadyEvents, _ handler: @escaping (ReadyEvents) -> Void
    ) throws {
        // A descriptor that was closed is no longer watched; its number may be that of another one by now.
        let token = UInt64(UInt32(bitPattern: descriptor.rawValue))
        handlers[token] = handler
        try epoll.add(descriptor, events, token: token)
    }

    private func wait() throws {
        var ready: [(UInt64, ReadyEvents)] = []
        try epoll.wait(milliseconds: 50, capacity: 256) { ready.append(($0, $1)) }
        for (token, events) in ready { handlers[token]?(events) }
    }
}
