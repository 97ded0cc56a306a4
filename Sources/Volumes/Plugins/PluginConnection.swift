import Glibc
import LinuxKernel
import SystemPackage

/// One request to a plugin and its answer: HTTP/1.1 on a connection of its own. Blocks until the answer is there, or it
/// takes too long.
struct PluginConnection {
    let address: PluginAddress
    /// How long a plugin may take to accept a connection.
    let patience: Duration

    /// No answer is longer: plugins answer with a few lines.
    private static let answerLimit = 16 << 20

    /// The status and the body of an answer.
    struct Answer {
        var status: Int
        var body: [UInt8]
    }

    /// - Throws: `.unavailable` if there is no answer.
    func post(_ method: String, _ body: [UInt8], within limit: Duration) throws(VolumesError) -> Answer {
        let socket = try connect(method)
        defer { socket.discard() }
        let deadline = ContinuousClock.now + limit
        do throws(Errno) {
            try socket.setNonBlocking(true)
            let head = """
                POST /\(method) HTTP/1.1\r
                Host: \(address.host)\r
                User-Agent: masud\r
                Accept: application/vnd.docker.plugins.v1.2+json\r
                Content-Type: application/json\r
                Content-Length: \(body.count)\r
                Connection: close\r
                \r

                """
            try send(Array(head.utf8) + body, socket, deadline)
            var reader = Reader(socket: socket, deadline: deadline)
            return try reader.answer(limit: Self.answerLimit)
        } catch .timedOut {
            throw failure(method, "context deadline exceeded (Client.Timeout exceeded while awaiting headers)")
        } catch {
            throw failure(method, error == .badMessage ? "malformed HTTP response" : "\(error)")
        }
    }

    private func failure(_ method: String, _ reason: String) -> VolumesError {
        VolumesError(.unavailable, "Post \"http://\(address.host)/\(method)\": \(reason)")
    }

    // MARK: Connecting

    /// Tries again after one, two, four… seconds, as long as that ends in time: a plugin that was started with the
    /// daemon may not listen yet.
    private func connect(_ method: String) throws(VolumesError) -> FileDescriptor {
        let start = ContinuousClock.now
        var pause: Duration = .seconds(1)
        while true {
            do throws(VolumesError) {
                return try dial()
            } catch {
                guard pause + (ContinuousClock.now - start) < patience else {
                    throw failure(method, error.message)
                }
                Poll.pause(milliseconds: Int32(pause.components.seconds * 1000))
                pause *= 2
            }
        }
    }

    private func dial() throws(VolumesError) -> FileDescriptor {
        do throws(Errno) {
            switch address {
            case .unix(let path):
                // By the directory's descriptor, as an address holds 107 bytes only.
                let directory = try Files.open(path.removingLastComponent(), [.path, .directory])
                defer { directory.discard() }
                return try UnixSocket.connect(to: directory.procPath.appending(path.lastComponent?.string ?? ""))
            case .tcp(let host, let port):
                let address: SocketAddress
                do throws(VolumesError) { address = SocketAddress(try HostAddresses.look(host), port) } catch {
                    throw .hostIsDown
                }
                return try dial(address)
            }
        } catch {
            throw VolumesError(.unavailable, "\(address.dialText): connect: \(error)")
        }
    }

    private func dial(_ address: SocketAddress) throws(Errno) -> FileDescriptor {
        let socket = try InternetSocket.make(.tcp, address.address.family)
        do throws(Errno) {
            if try !socket.connect(to: address) {
                let ready = try Poll.wait(for: [(socket, .writable)], milliseconds: 10_000)
                guard !ready.allSatisfy(\.isEmpty) else { throw .timedOut }
                if let error = socket.takeSocketError() { throw error }
            }
            return socket
        } catch {
            socket.discard()
            throw error
        }
    }

    // MARK: Sending and receiving

    private func send(_ bytes: [UInt8], _ socket: FileDescriptor, _ deadline: ContinuousClock.Instant) throws(Errno) {
        var rest = bytes[...]
        while !rest.isEmpty {
            do throws(Errno) {
                let count = try socket.sendMessage(Array(rest.prefix(1 << 16)))
                rest = rest.dropFirst(count)
            } catch .resourceTemporarilyUnavailable {
                try Self.wait(socket, .writable, deadline)
            }
        }
    }

    fileprivate static func wait(
        _ socket: FileDescriptor, _ events: ReadyEvents, _ deadline: ContinuousClock.Instant
    ) throws(Errno) {
        let left = deadline - .now
        guard left > .zero else { throw .timedOut }
        let (seconds, fraction) = left.components
        let milliseconds = min(seconds, 3600) * 1000 + fraction / 1_000_000_000_000_000 + 1
        let ready = try Poll.wait(for: [(socket, events)], milliseconds: Int32(milliseconds))
        if ready.allSatisfy(\.isEmpty) { throw .timedOut }
    }
}

/// Reads an answer piece by piece.
private struct Reader {
    let socket: FileDescriptor
    let deadline: ContinuousClock.Instant
    private var buffer: [UInt8] = []
    private var position = 0

    init(socket: FileDescriptor, deadline: ContinuousClock.Instant) {
        self.socket = socket
        self.deadline = deadline
    }

    /// - Throws: `.badMessage` for what is not HTTP, or too long.
    mutating func answer(limit: Int) throws(Errno) -> PluginConnection.Answer {
        while true {
            let head = try head()
            // What comes before the answer itself (RFC 9110, 15.2).
            if (100..<200).contains(head.status) { continue }
            let body: [UInt8]
            if head.isChunked {
                body = try chunks(limit: limit)
            } else if let length = head.length {
                guard length <= limit else { throw .badMessage }
                body = try bytes(length)
            } else {
                body = try rest(limit: limit)
            }
            return PluginConnection.Answer(status: head.status, body: body)
        }
    }

    private struct Head {
        var status: Int
        var length: Int?
        var isChunked = false
    }

    private mutating func head() throws(Errno) -> Head {
        let words = try line().split(separator: " ")
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else { throw .badMessage }
        var head = Head(status: status)
        for _ in 0..<200 {
            let line = try line()
            if line.isEmpty { return head }
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { throw .badMessage }
            let value = String(parts[1].drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " }.reversed())
            switch parts[0].lowercased() {
            case "content-length":
                guard let length = Int(value), length >= 0 else { throw .badMessage }
                head.length = length
            case "transfer-encoding": head.isChunked = value.lowercased().hasSuffix("chunked")
            default: break
            }
        }
        throw .badMessage
    }

    private mutating func chunks(limit: Int) throws(Errno) -> [UInt8] {
        var body: [UInt8] = []
        while true {
            let size = try line().prefix { $0 != ";" }.filter { $0 != " " }
            guard let count = Int(size, radix: 16), count >= 0, count <= limit - body.count else { throw .badMessage }
            if count == 0 { return body }
            body += try bytes(count)
            guard try line().isEmpty else { throw .badMessage }
        }
    }

    /// A line without its end.
    private mutating func line() throws(Errno) -> String {
        while true {
            if let end = buffer[position...].firstIndex(of: 0x0A) {
                var line = buffer[position..<end]
                if line.last == 0x0D { line.removeLast() }
                position = end + 1
                return String(decoding: line, as: UTF8.self)
            }
            guard buffer.count - position < 1 << 16, try fill() else { throw .badMessage }
        }
    }

    private mutating func bytes(_ count: Int) throws(Errno) -> [UInt8] {
        while buffer.count - position < count {
            guard try fill() else { throw .badMessage }
        }
        defer { position += count }
        return Array(buffer[position..<(position + count)])
    }

    private mutating func rest(limit: Int) throws(Errno) -> [UInt8] {
        while try fill() {
            guard buffer.count - position <= limit else { throw .badMessage }
        }
        return Array(buffer[position...])
    }

    /// More bytes; false at the end.
    private mutating func fill() throws(Errno) -> Bool {
        while true {
            do throws(Errno) {
                let more = try socket.readOnce()
                buffer += more
                return !more.isEmpty
            } catch .resourceTemporarilyUnavailable {
                try PluginConnection.wait(socket, .readable, deadline)
            }
        }
    }
}
