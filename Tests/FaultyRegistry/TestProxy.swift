import Base64
import Glibc
import LinuxKernel
import Synchronization
import SystemPackage

/// An HTTP proxy in the test's own process: every server that it is asked for is the one at `port`. Remembers the heads
/// of the requests it got.
package final class TestProxy: Sendable {
    private let listener: FileDescriptor
    private let target: Int
    private let password: String?
    private let heads = Mutex<[String]>([])
    package let port: Int

    /// - Parameters:
    ///   - target: a port of the loopback, where everything is sent.
    ///   - password: `user:password` that clients have to show.
    package init(to target: Int, password: String? = nil) throws {
        self.target = target
        self.password = password
        listener = FileDescriptor(rawValue: socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0))
        var address = Self.address(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let (descriptor, size) = (listener.rawValue, length)
        let isBound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) }
        }
        guard isBound == 0, listen(descriptor, 64) == 0 else { throw Errno(rawValue: errno) }
        _ = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        port = Int(UInt16(bigEndian: address.sin_port))
        _ = Threads.start(name: "test-proxy") { [weak self] in
            while true {
                // Ends with the listener.
                guard let connection = try? FileDescriptor(rawValue: descriptor).acceptConnection().rawValue else {
                    return
                }
                guard let self else {
                    close(connection)
                    return
                }
                _ = Threads.start(name: "test-proxy-peer") { self.serve(connection) }
            }
        }
    }

    /// Ends the proxy; connections end with their clients.
    package func stop() {
        shutdown(listener.rawValue, Int32(SHUT_RDWR))
        try? listener.close()
    }

    /// The heads of requests so far, as they came.
    package var asked: [String] { heads.withLock { $0 } }

    private static func address(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    private func serve(_ client: Int32) {
        defer { close(client) }
        var head: [UInt8] = []
        var byte: UInt8 = 0
        while !head.suffix(4).elementsEqual("\r\n\r\n".utf8) {
            guard read(client, &byte, 1) == 1 else { return }
            head.append(byte)
        }
        let text = String(decoding: head, as: UTF8.self)
        heads.withLock { $0.append(text) }
        if let password, !text.contains("Proxy-Authorization: Basic \(Base64.encode(Array(password.utf8)))\r\n") {
            return send("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", to: client)
        }
        let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(server) }
        var address = Self.address(port: target)
        let isConnected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard isConnected == 0 else { return send("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", to: client) }
        if text.hasPrefix("CONNECT ") {
            send("HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n", to: client)
        } else {
            // GET http://host/path HTTP/1.1: the server wants the path alone. One request is enough for one connection.
            var lines = text.split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init)
            let words = lines[0].split(separator: " ")
            let path = words[1].split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false).last ?? ""
            lines[0] = "\(words[0]) /\(path) \(words[2])"
            lines.insert("Connection: close", at: 1)
            send(lines.joined(separator: "\r\n"), to: server)
        }
        let forward = try? JoinableThread(name: "test-proxy-pump") { Self.pump(from: client, to: server) }
        Self.pump(from: server, to: client)
        shutdown(client, Int32(SHUT_RDWR))
        try? forward?.join()
    }

    private static func pump(from source: Int32, to target: Int32) {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(source, &buffer, buffer.count)
            guard count > 0 else { break }
            var done = 0
            while done < count {
                let sent = buffer.withUnsafeBytes { bytes in
                    Glibc.send(target, bytes.baseAddress.map { $0 + done }, count - done, Int32(MSG_NOSIGNAL))
                }
                guard sent > 0 else { return }
                done += sent
            }
        }
        shutdown(target, Int32(SHUT_WR))
    }

    private func send(_ text: String, to peer: Int32) {
        let bytes = Array(text.utf8)
        _ = Glibc.send(peer, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }
}
