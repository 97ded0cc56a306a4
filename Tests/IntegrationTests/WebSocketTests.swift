import Foundation
import LinuxKernel
import SystemPackage
import Testing

/// A client of `GET /containers/{id}/attach/ws`, by hand: what a library would hide is what is looked at.
private final class WebSocketClient {
    private let socket: FileDescriptor
    let head: String

    init(_ daemon: TestDaemon, _ path: String) throws {
        socket = try UnixSocket.connect(to: FilePath(daemon.socket))
        try socket.setReceiveLimit(seconds: 60)
        let request =
            "GET \(path) HTTP/1.1\r\nHost: masu\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        try socket.writeEntire(Array(request.utf8))
        var bytes: [UInt8] = []
        while !bytes.suffix(4).elementsEqual("\r\n\r\n".utf8) {
            let one = try Self.read(socket, 1)
            if one.isEmpty { break }
            bytes += one
        }
        head = String(decoding: bytes, as: UTF8.self)
    }

    deinit { socket.discard() }

    private static func read(_ socket: FileDescriptor, _ count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            var piece = [UInt8](repeating: 0, count: count - bytes.count)
            let read = try piece.withUnsafeMutableBytes { try socket.read(into: $0) }
            if read == 0 { break }
            bytes += piece[..<read]
        }
        return bytes
    }

    /// Sends one masked frame.
    func send(_ operation: UInt8, _ payload: [UInt8]) throws {
        let mask: [UInt8] = [1, 2, 3, 4]
        let masked = payload.enumerated().map { $1 ^ mask[$0 & 3] }
        try socket.writeEntire([0x80 | operation, 0x80 | UInt8(payload.count)] + mask + masked)
    }

    /// The next frame; `nil` at the end of the connection.
    func receive() throws -> (operation: UInt8, payload: [UInt8])? {
        let head = try Self.read(socket, 2)
        guard head.count == 2 else { return nil }
        var length = Int(head[1])
        if length == 126 {
            let long = try Self.read(socket, 2)
            length = Int(long[0]) << 8 | Int(long[1])
        }
        return (head[0] & 15, try Self.read(socket, length))
    }

    /// All messages up to the close frame, and that frame's payload.
    func receiveAll() throws -> (operations: Set<UInt8>, text: String, close: [UInt8]?) {
        var (operations, bytes): (Set<UInt8>, [UInt8]) = ([], [])
        while let frame = try receive() {
            if frame.operation == 8 { return (operations, String(decoding: bytes, as: UTF8.self), frame.payload) }
            operations.insert(frame.operation)
            bytes += frame.payload
        }
        return (operations, String(decoding: bytes, as: UTF8.self), nil)
    }
}

extension FileDescriptor {
    /// Lets reading fail after so long, so that a test ends that waits for what never comes.
    fileprivate func setReceiveLimit(seconds: Int) throws {
        var time = timeval(tv_sec: seconds, tv_usec: 0)
        guard setsockopt(rawValue, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size)) == 0 else {
            throw Errno(rawValue: errno)
        }
    }
}

extension Integration {
    /// Attaching by WebSocket.
    @Suite("attaching by WebSocket")
    struct WebSockets {
        private static let all = "stream=1&stdin=1&stdout=1&stderr=1"

        @Test("input goes in, both streams come out without frames of Docker's, and the end is a close frame")
        func conversation() throws {
            try withDaemon { daemon in
                try daemon.ok(
                    .masu, "create", "-i", "--name", "talk", "busybox", "sh", "-c",
                    "while read line; do echo out $line; echo err $line >&2; done; echo over")
                let client = try WebSocketClient(daemon, "/containers/talk/attach/ws?" + Self.all)
                #expect(client.head.hasPrefix("HTTP/1.1 101 Switching Protocols\r\n"), "\(client.head)")
                #expect(client.head.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"))
                // Attached before the start: nothing is missed.
                try daemon.ok(.masu, "start", "talk")
                try client.send(2, Array("one\n".utf8))
                var text = ""
                while text.filter({ $0 == "\n" }).count < 2 {
                    let frame = try #require(try client.receive())
                    #expect(frame.operation == 2)
                    text += String(decoding: frame.payload, as: UTF8.self)
                }
                #expect(text.split(separator: "\n").sorted() == ["err one", "out one"])
                try client.send(9, Array("ping".utf8))
                let pong = try #require(try client.receive())
                #expect(pong.operation == 10 && pong.payload == Array("ping".utf8))
                try daemon.ok(.masu, "stop", "-t", "0", "talk")
                let rest = try client.receiveAll()
                #expect(rest.close == [0x03, 0xe8], "\(rest)")
                try client.send(8, [0x03, 0xe8])
                #expect(try client.receive() == nil)
                try daemon.ok(.masu, "rm", "talk")
            }
        }

        @Test("only what is asked for comes, with the log before it; clients of old get text and all streams")
        func parameters() throws {
            try withDaemon { daemon in
                try daemon.ok(
                    .masu, "run", "--name", "ended", "busybox", "sh", "-c", "echo out; echo err >&2")
                let log = try WebSocketClient(daemon, "/containers/ended/attach/ws?logs=1&stdout=1").receiveAll()
                #expect(log.text == "out\n" && log.close == [0x03, 0xe8], "\(log)")
                let old = try WebSocketClient(daemon, "/v1.27/containers/ended/attach/ws?logs=1").receiveAll()
                #expect(old.operations == [1], "\(old)")
                #expect(old.text.split(separator: "\n").sorted() == ["err", "out"], "\(old)")
            }
        }

        @Test("a client's close frame is answered and ends the input of a container that reads it once")
        func close() throws {
            try withDaemon { daemon in
                let created = try daemon.http(
                    "POST", "/containers/create?name=cat",
                    body: #"{"Image":"busybox","Cmd":["cat"],"OpenStdin":true,"StdinOnce":true,"AttachStdin":true}"#)
                #expect(created.status == 201, "\(created)")
                let client = try WebSocketClient(daemon, "/containers/cat/attach/ws?" + Self.all)
                try daemon.ok(.masu, "start", "cat")
                try client.send(1, Array("last words".utf8))
                let echo = try #require(try client.receive())
                #expect(echo.payload == Array("last words".utf8))
                try client.send(8, [0x03, 0xe9])
                while let frame = try client.receive() {
                    if frame.operation == 8 { #expect(frame.payload == [0x03, 0xe9]) }
                }
                #expect(
                    try eventually {
                        try daemon.ok(.masu, "inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "cat")
                            == "exited 0"
                    })
                #expect(try daemon.run(.masu, "logs", "cat").output == "last words")
            }
        }

        @Test("what is wrong is said before the connection leaves HTTP")
        func refusals() throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "run", "-d", "--name", "web", "busybox", "sleep", "1000")
                let table: [(String, Int, String)] = [
                    ("/containers/none/attach/ws", 404, "No such container: none"),
                    ("/containers/web/attach/ws", 400, "not websocket protocol"),
                    ("/containers/web/attach/ws?detachKeys=ctrl-", 400, "Invalid detach keys (ctrl-) provided"),
                ]
                for (path, status, words) in table {
                    let answer = try daemon.http("GET", path)
                    #expect(answer.status == status && answer.body.contains(words), "\(path): \(answer)")
                }
                let client = try WebSocketClient(daemon, "/containers/none/attach/ws?stream=1")
                #expect(client.head.hasPrefix("HTTP/1.1 404 Not Found\r\n"), "\(client.head)")
                try daemon.ok(.masu, "pause", "web")
                let paused = try WebSocketClient(daemon, "/containers/web/attach/ws?" + Self.all)
                #expect(paused.head.hasPrefix("HTTP/1.1 409 Conflict\r\n"), "\(paused.head)")
                try daemon.ok(.masu, "unpause", "web")
            }
        }
    }
}
