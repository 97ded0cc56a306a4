import Glibc
import MasuCommand
import Testing

@Suite("Streams")
struct StreamTests {
    private func frame(_ stream: UInt8, _ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        return [stream, 0, 0, 0, 0, 0, UInt8(bytes.count >> 8), UInt8(bytes.count & 255)] + bytes
    }

    @Test("frames are taken apart wherever they are cut", arguments: [1, 2, 3, 7, 8, 9, 64])
    func cuts(size: Int) throws {
        let bytes = frame(1, "out one\n") + frame(2, "error\n") + frame(1, "") + frame(1, "out two\n")
        var demultiplexer = Demultiplexer()
        var out: [UInt8] = []
        var error: [UInt8] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            try demultiplexer.consume(rest.prefix(size)) { stream, payload in
                if stream == .stderr { error += payload } else { out += payload }
            }
            rest = rest.dropFirst(size)
        }
        #expect(String(decoding: out, as: UTF8.self) == "out one\nout two\n")
        #expect(String(decoding: error, as: UTF8.self) == "error\n")
        #expect(demultiplexer.isAtBoundary)
    }

    @Test("neighbouring frames of one stream come as one piece")
    func gathering() throws {
        var demultiplexer = Demultiplexer()
        var pieces: [String] = []
        let bytes = frame(1, "a") + frame(1, "b") + frame(2, "c") + frame(1, "d")
        try demultiplexer.consume(bytes[...]) { pieces.append("\($0):" + String(decoding: $1, as: UTF8.self)) }
        #expect(pieces == ["stdout:ab", "stderr:c", "stdout:d"])
    }

    @Test("what is no frame is refused")
    func garbage() {
        var demultiplexer = Demultiplexer()
        #expect(throws: CommandError.self) {
            try demultiplexer.consume(Array("this is no frame".utf8)[...]) { _, _ in }
        }
    }

    @Test("a response's head says how its body ends")
    func responseHead() throws {
        let head = try HTTPResponseHead(
            parsing: "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nUpgrade:tcp\r\n")
        #expect(head.status == 101)
        #expect(head["content-type"] == "application/vnd.docker.raw-stream")
        #expect(head["upgrade"] == "tcp")
        #expect(throws: CommandError.self) { try HTTPResponseHead(parsing: "SSH-2.0-OpenSSH_9.2\r\n") }
    }
}

@Suite("Responses")
struct ResponseTests {
    /// Lets a daemon's bytes arrive in pieces of a size and reads the response.
    private func read(_ text: String, cutInto size: Int) throws -> (status: Int, body: String) {
        var ends: [Int32] = [0, 0]
        try #require(socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0)
        let connection = HTTPConnection(descriptor: ends[0])
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(size))
            try #require(write(ends[1], piece, piece.count) == piece.count)
            rest = rest.dropFirst(size)
        }
        close(ends[1])
        let head = try connection.readHead()
        let body = try HTTPResponse(head, on: connection).readAll()
        return (head.status, String(decoding: body, as: UTF8.self))
    }

    @Test(
        "a body ends by its length, its last chunk or the connection's end, however it is cut",
        arguments: [1, 2, 5, 1000])
    func framing(size: Int) throws {
        let length = try read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, not this", cutInto: size)
        #expect(length == (200, "hello"))
        let chunks = try read(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\nA\r\n, my world\r\n0\r\n\r\n",
            cutInto: size)
        #expect(chunks == (200, "hello, my world"))
        let toTheEnd = try read("HTTP/1.1 404 Not Found\r\n\r\nno such thing", cutInto: size)
        #expect(toTheEnd == (404, "no such thing"))
        let continued = try read(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nApi-Version: 1.51\r\n\r\n", cutInto: size)
        #expect(continued == (204, ""))
    }

    @Test(
        "a body that is cut short is an error",
        arguments: [
            "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP/1.1 200 OK\r\n", "",
        ])
    func truncated(text: String) {
        #expect(throws: CommandError.self) { try read(text, cutInto: 1000) }
    }
}
