import Glibc

/// One connection to the daemon with the bytes read ahead of need.
package final class HTTPConnection {
    /// The socket; closed with the connection.
    let descriptor: Int32
    /// The process on the other end of the socket, if it is one of this program's own.
    private let relay: RelayProcess?
    private var buffer: [UInt8] = []
    private var position = 0

    init(_ address: DaemonAddress) throws(CommandError) {
        (descriptor, relay) = try address.connect()
    }

    /// Takes over the connection of a program.
    package init(_ relay: RelayProcess) {
        descriptor = relay.descriptor
        self.relay = relay
    }

    /// Takes over a connected socket.
    package init(descriptor: Int32) {
        self.descriptor = descriptor
        relay = nil
    }

    deinit {
        close(descriptor)
    }

    /// Whether the daemon has closed the connection, or said something unasked, while it was idle.
    var isStale: Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) != 0
    }

    /// Sends all bytes.
    func send(_ bytes: [UInt8]) throws(CommandError) {
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress?.advanced(by: offset), bytes.count - offset, Int32(MSG_NOSIGNAL))
            }
            if count < 0 {
                if errno == EINTR { continue }
                if let relay { throw relay.failure() }
                throw CommandError("cannot send to the daemon: \(Console.words(errno))")
            }
            offset += count
        }
    }

    /// Reads the head of the next response that is not a mere “continue”.
    package func readHead() throws(CommandError) -> HTTPResponseHead {
        while true {
            var searched = 0
            while true {
                let unread = buffer[position...]
                if let end = Self.endOfHead(in: unread, from: max(unread.startIndex, searched - 3)) {
                    let head = try HTTPResponseHead(
                        parsing: String(decoding: unread[..<(end - 4)], as: UTF8.self))
                    position = end
                    if head.status == 100 { break }
                    return head
                }
                searched = buffer.count
                guard unread.count < 1 << 20 else {
                    throw CommandError("the headers of the daemon's answer are longer than 1 MiB")
                }
                let shift = position
                guard try fill() else {
                    if let relay { throw relay.failure() }
                    // A fatal alert of TLS 1.x (RFC 8446, section 5.1).
                    if buffered.starts(with: [0x15, 0x03]) {
                        throw CommandError(
                            """
                            error during connect: the daemon's answer is not HTTP.
                            * Are you trying to connect to a TLS-enabled daemon without TLS?
                            """)
                    }
                    throw CommandError("the daemon closed the connection without an answer")
                }
                searched -= shift - position
            }
        }
    }

    /// Refuses an end of the stream that is not the daemon's, but that of the program between.
    func checkEnd() throws(CommandError) {
        if let relay, relay.hasFailed() { throw relay.failure() }
    }

    /// Reads at least one byte into the buffer; false at the end of the stream.
    func fill() throws(CommandError) -> Bool {
        if position > 0 {
            buffer.removeSubrange(..<position)
            position = 0
        }
        let length = buffer.count
        let room = 65536
        buffer.append(contentsOf: repeatElement(0, count: room))
        while true {
            let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress?.advanced(by: length), room) }
            if count < 0, errno == EINTR { continue }
            buffer.removeSubrange((length + max(count, 0))...)
            if count < 0, errno != ECONNRESET {
                throw CommandError("cannot read from the daemon: \(Console.words(errno))")
            }
            if count <= 0 { try checkEnd() }
            return count > 0
        }
    }

    /// Takes up to `limit` bytes, and reads if the buffer is empty. Empty at the end of the stream.
    func take(atMost limit: Int) throws(CommandError) -> ArraySlice<UInt8> {
        if position == buffer.count, try !fill() { return [] }
        let end = min(buffer.count, position + limit)
        defer { position = end }
        return buffer[position..<end]
    }

    /// Takes the bytes in the buffer, without reading.
    func takeBuffered() -> ArraySlice<UInt8> {
        defer { position = buffer.count }
        return buffer[position...]
    }

    /// The bytes in the buffer, which stay there.
    var buffered: ArraySlice<UInt8> { buffer[position...] }

    /// Takes a line without its CR LF.
    func takeLine() throws(CommandError) -> String {
        while true {
            if let end = buffer[position...].firstIndex(of: UInt8(ascii: "\n")) {
                var line = buffer[position..<end]
                if line.last == UInt8(ascii: "\r") { line.removeLast() }
                position = end + 1
                return String(decoding: line, as: UTF8.self)
            }
            guard try fill() else { throw CommandError("the daemon closed the connection in the middle of an answer") }
        }
    }

    private static func endOfHead(in bytes: ArraySlice<UInt8>, from start: Int) -> Int? {
        var index = start
        while index + 3 < bytes.endIndex {
            if bytes[index] == 13, bytes[index + 1] == 10, bytes[index + 2] == 13, bytes[index + 3] == 10 {
                return index + 4
            }
            index += 1
        }
        return nil
    }
}

/// A response whose body is read piece by piece.
package final class HTTPResponse {
    let head: HTTPResponseHead
    let connection: HTTPConnection
    private var framing: HTTPResponseHead.Framing
    /// Bytes left in the current chunk; nil before the first.
    private var chunk: Int?
    private(set) var isComplete = false

    /// - Parameter connection: stands behind the head.
    package init(_ head: HTTPResponseHead, on connection: HTTPConnection) {
        self.head = head
        self.connection = connection
        framing = head.framing
    }

    /// The next piece of the body; nil at its end.
    func next() throws(CommandError) -> ArraySlice<UInt8>? {
        if isComplete { return nil }
        switch framing {
        case .untilClose:
            let piece = try connection.take(atMost: 1 << 20)
            isComplete = piece.isEmpty
            return piece.isEmpty ? nil : piece
        case .length(let rest):
            if rest == 0 {
                isComplete = true
                return nil
            }
            let piece = try connection.take(atMost: rest)
            guard !piece.isEmpty else {
                throw CommandError("the daemon closed the connection in the middle of an answer")
            }
            framing = .length(rest - piece.count)
            return piece
        case .chunked:
            return try nextOfChunks()
        }
    }

    private func nextOfChunks() throws(CommandError) -> ArraySlice<UInt8>? {
        if chunk == nil || chunk == 0 {
            if chunk == 0 { _ = try connection.takeLine() }
            let line = try connection.takeLine()
            guard let size = Int(line.prefix { $0 != ";" && $0 != " " }, radix: 16) else {
                throw CommandError("the daemon's answer is damaged: bad chunk size '\(line)'")
            }
            chunk = size
            if size == 0 {
                while try !connection.takeLine().isEmpty {}
                isComplete = true
                return nil
            }
        }
        let piece = try connection.take(atMost: chunk ?? 0)
        guard !piece.isEmpty else { throw CommandError("the daemon closed the connection in the middle of an answer") }
        chunk = (chunk ?? 0) - piece.count
        return piece
    }

    /// The rest of the body.
    package func readAll() throws(CommandError) -> [UInt8] {
        var body: [UInt8] = []
        while let piece = try next() { body += piece }
        return body
    }
}
