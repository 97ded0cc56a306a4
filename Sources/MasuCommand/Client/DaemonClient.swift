import EngineAPIModel
import Flags
import Glibc
import JSON

/// Talks to a daemon with as few round trips as possible: paths carry no version, so that client and daemon need not
/// agree on one first.
final class DaemonClient {
    let address: DaemonAddress
    /// Whether every request is shown on standard error (`-D`).
    private let isTraced: Bool
    private var idle: [HTTPConnection] = []

    init(_ address: DaemonAddress, isTraced: Bool = false) {
        self.address = address
        self.isTraced = isTraced
    }

    /// The daemon that flags, environment and contexts name; see ``DaemonSelection``.
    static func address(_ flags: ParsedFlags) throws(CommandError) -> DaemonAddress {
        try DaemonSelection(flags, in: .own).address
    }

    /// A client of the daemon at ``address(_:)``.
    convenience init(_ invocation: Invocation) throws(CommandError) {
        self.init(try Self.address(invocation.flags), isTraced: invocation.flags[GlobalFlags.debug])
    }

    /// Sends a request and reads the whole answer.
    ///
    /// - Parameter wait: called with the connection's descriptor once the request is sent; returns when the answer
    ///   comes.
    /// - Throws: ``DaemonError`` for a status of 400 and above.
    @discardableResult
    func call(
        _ request: HTTPRequest, wait: ((Int32) -> Void)? = nil
    ) throws -> (head: HTTPResponseHead, body: [UInt8]) {
        let call = try begin(request)
        wait?(call.connection.descriptor)
        return try end(call)
    }

    /// A request that has been sent.
    struct PendingCall {
        fileprivate let request: HTTPRequest
        fileprivate let connection: HTTPConnection
    }

    /// How many requests may be under way at once: docker's number. With TLS each connection is a process and a
    /// handshake, by SSH a process and a login.
    var window: Int {
        switch address {
        case .ssh: 1
        case .tcp(_, _, _?): 8
        case .tcp, .unix: 50
        }
    }

    /// Sends a request whose answer is read later; what is sent meanwhile goes on other connections.
    func begin(_ request: HTTPRequest) throws -> PendingCall {
        let connection = try available()
        try connection.send(head(of: request) + (request.body ?? []))
        return PendingCall(request: request, connection: connection)
    }

    /// Reads the whole answer.
    ///
    /// - Throws: ``DaemonError`` for a status of 400 and above.
    @discardableResult
    func end(_ call: PendingCall) throws -> (head: HTTPResponseHead, body: [UInt8]) {
        let response = HTTPResponse(try call.connection.readHead(), on: call.connection)
        trace(call.request, response.head)
        let body = try response.readAll()
        if response.head.keepsAlive { idle.append(call.connection) }
        try Self.check(response.head, body)
        return (response.head, body)
    }

    /// Sends a request and decodes the answer.
    func call<Answer: Decodable>(_ request: HTTPRequest, as type: Answer.Type) throws -> Answer {
        try JSON.decode(type, from: try call(request).body)
    }

    /// Sends a request and parses the answer without knowing its type.
    func value(_ request: HTTPRequest) throws -> JSONValue {
        try JSON.parse(try call(request).body)
    }

    /// Sends a request on a connection of its own and returns with the head of the answer; the body follows when it
    /// comes.
    func open(_ request: HTTPRequest) throws -> HTTPResponse { try open(beginOpen(request)) }

    /// Sends a request on a connection of its own; `open` waits for the head of the answer.
    func beginOpen(_ request: HTTPRequest) throws -> PendingCall {
        let connection = try HTTPConnection(address)
        try connection.send(head(of: request) + (request.body ?? []))
        return PendingCall(request: request, connection: connection)
    }

    /// Returns with the head of the answer; the body follows when it comes.
    func open(_ call: PendingCall) throws -> HTTPResponse {
        let response = HTTPResponse(try call.connection.readHead(), on: call.connection)
        trace(call.request, response.head)
        return try Self.checked(response)
    }

    /// Sends a `HEAD` request. An error has no words: a response to it has no body.
    func head(_ request: HTTPRequest) throws -> HTTPResponseHead {
        let connection = try HTTPConnection(address)
        try connection.send(head(of: request))
        let head = try connection.readHead()
        trace(request, head)
        return head
    }

    /// Sends a request that turns its connection into a two-way stream (`101 Switching Protocols`, or `200` from old
    /// daemons).
    func hijack(_ request: HTTPRequest) throws -> HTTPResponse { try open(beginHijack(request)) }

    /// Sends such a request; `open` waits for the head of the answer.
    func beginHijack(_ request: HTTPRequest) throws -> PendingCall {
        var request = request
        request.headers += [("Connection", "Upgrade"), ("Upgrade", "tcp")]
        return try beginOpen(request)
    }

    /// Sends a request whose body is read from a descriptor until its end, and returns the answer, whose body may
    /// already be coming while the request is still being sent.
    func upload(_ request: HTTPRequest, from source: Int32) throws -> HTTPResponse {
        let connection = try HTTPConnection(address)
        var request = request
        request.headers.append(("Content-Type", "application/x-tar"))
        try connection.send(head(of: request, framing: ("Transfer-Encoding", "chunked")))
        try Upload(source: source, connection: connection).run()
        let response = HTTPResponse(try connection.readHead(), on: connection)
        trace(request, response.head)
        return try Self.checked(response)
    }

    private func trace(_ request: HTTPRequest, _ head: HTTPResponseHead) {
        guard isTraced else { return }
        Console.complain("DEBUG: \(request.method) \(request.target): \(head.status)")
        // A password is not for the screen.
        guard let body = request.body, request.path != "/auth" else { return }
        Console.complain("DEBUG: \(String(decoding: body, as: UTF8.self))")
    }

    /// The head of a request, with what the user's configuration adds to all of them.
    private func head(of request: HTTPRequest, framing: (String, String)? = nil) -> [UInt8] {
        var request = request
        if !Self.version.isEmpty { request.path = "/v\(Self.version)\(request.path)" }
        request.headers += ClientConfiguration.user.headers
        return request.head(host: host, framing: framing)
    }

    /// The version of the API that the user wants, without a `v`; empty for the daemon's newest.
    private static let version: String = {
        let text = Console.environment("DOCKER_API_VERSION") ?? ""
        return text.removing(prefix: "v") ?? text
    }()

    private var host: String {
        switch address {
        case .unix, .ssh: "masu"
        case .tcp(let host, let port, _): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        }
    }

    private func available() throws(CommandError) -> HTTPConnection {
        while let connection = idle.popLast() {
            if !connection.isStale { return connection }
        }
        return try HTTPConnection(address)
    }

    private static func checked(_ response: HTTPResponse) throws -> HTTPResponse {
        if response.head.status >= 400 { try check(response.head, try response.readAll()) }
        return response
    }

    private static func check(_ head: HTTPResponseHead, _ body: [UInt8]) throws {
        guard head.status >= 400 else { return }
        // An error without a JSON body comes from something other than a daemon; its text is the best there is.
        let message = (try? JSON.decode(ErrorResponse.self, from: body))?.message
        let text = message ?? String(decoding: body, as: UTF8.self).trimmingLineFeeds()
        throw DaemonError(httpStatus: head.status, message: text.isEmpty ? "HTTP status \(head.status)" : text)
    }
}

/// Sends a descriptor's content in chunks while keeping an ear open: a daemon may report progress, or refuse early.
private struct Upload {
    let source: Int32
    let connection: HTTPConnection

    func run() throws(CommandError) {
        var chunk = [UInt8](repeating: 0, count: 128 << 10)
        let flags = fcntl(connection.descriptor, F_GETFL)
        _ = fcntl(connection.descriptor, F_SETFL, flags | O_NONBLOCK)
        defer { _ = fcntl(connection.descriptor, F_SETFL, flags) }
        while true {
            let count = read(source, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw CommandError("cannot read the input: \(Console.words(errno))") }
            if count == 0 {
                _ = try send(Array("0\r\n\r\n".utf8))
                return
            }
            let frame = Array("\(String(count, radix: 16))\r\n".utf8) + chunk[..<count] + [13, 10]
            if try !send(frame) { return }
        }
    }

    /// False when the daemon does not want any more.
    private func send(_ bytes: [UInt8]) throws(CommandError) -> Bool {
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(
                    connection.descriptor, $0.baseAddress?.advanced(by: offset), bytes.count - offset,
                    Int32(MSG_NOSIGNAL))
            }
            if count >= 0 {
                offset += count
                continue
            }
            if errno == EPIPE || errno == ECONNRESET { return false }
            guard errno == EAGAIN || errno == EINTR else {
                throw CommandError("cannot send to the daemon: \(Console.words(errno))")
            }
            var entry = pollfd(fd: connection.descriptor, events: Int16(POLLIN | POLLOUT), revents: 0)
            _ = poll(&entry, 1, -1)
            if entry.revents & Int16(POLLIN) != 0 {
                guard try connection.fill() else { return false }
                if Self.isRefusal(connection.buffered) { return false }
            }
        }
        return true
    }

    private static func isRefusal(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard bytes.count > 9 else { return false }
        let digit = bytes[bytes.startIndex + 9]
        return digit == UInt8(ascii: "4") || digit == UInt8(ascii: "5")
    }
}

extension String {
    /// The text without line feeds at its end.
    func trimmingLineFeeds() -> String {
        var text = self[...]
        while text.last?.isNewline == true { text.removeLast() }
        return String(text)
    }
}
