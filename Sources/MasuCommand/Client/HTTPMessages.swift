import Text

/// A request to the daemon.
struct HTTPRequest {
    var method: String
    var path: String
    var query: [(String, String)] = []
    var headers: [(String, String)] = []
    var body: [UInt8]?

    init(_ method: String, _ path: String, query: [(String, String?)] = [], body: [UInt8]? = nil) {
        self.method = method
        self.path = path
        self.body = body
        for case (let name, let value?) in query { self.query.append((name, value)) }
        if body != nil { headers.append(("Content-Type", "application/json")) }
    }

    /// Path and query.
    var target: String {
        guard !query.isEmpty else { return path }
        return path + "?" + query.map { "\($0.0)=\(PercentEncoding.encode($0.1))" }.joined(separator: "&")
    }

    /// The request line and headers; the body follows.
    ///
    /// - Parameter framing: the header that frames the body, when it is not a plain `Content-Length` of ``body``.
    func head(host: String, framing: (String, String)? = nil) -> [UInt8] {
        var text = "\(method) \(target) HTTP/1.1\r\nHost: \(host)\r\nUser-Agent: masu\r\n"
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        if let framing {
            text += "\(framing.0): \(framing.1)\r\n"
        } else if let body {
            text += "Content-Length: \(body.count)\r\n"
        } else if method == "POST" {
            text += "Content-Length: 0\r\n"
        }
        return Array((text + "\r\n").utf8)
    }
}

/// The status line and headers of a response.
package struct HTTPResponseHead: Sendable {
    /// The status code.
    package let status: Int
    private let fields: [(name: String, value: String)]

    /// Parses everything before the empty line.
    package init(parsing text: String) throws(CommandError) {
        var lines = text.split(separator: "\r\n", omittingEmptySubsequences: true)[...]
        guard let first = lines.popFirst(), first.hasPrefix("HTTP/1."),
            let code = first.split(separator: " ").dropFirst().first,
            let status = Int(code)
        else { throw CommandError("the daemon's answer is not HTTP/1: is something else listening there?") }
        self.status = status
        fields = lines.compactMap { line in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            return (line[..<colon].lowercased(), String(value))
        }
    }

    /// The first value of a header, whose name is given in lower case.
    package subscript(name: String) -> String? {
        fields.first { $0.name == name }?.value
    }

    /// Whether the connection may serve another request afterwards.
    var keepsAlive: Bool {
        self["connection"]?.lowercased() != "close" && framing != .untilClose
    }

    /// How the end of the body is found.
    enum Framing: Equatable {
        case length(Int)
        case chunked
        case untilClose
    }

    var framing: Framing {
        if status == 204 || status == 304 || status / 100 == 1 { return .length(0) }
        if self["transfer-encoding"]?.lowercased().holds("chunked") == true { return .chunked }
        if let text = self["content-length"], let length = Int(text) { return .length(length) }
        return .untilClose
    }
}
