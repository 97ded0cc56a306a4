import Addresses
import Glibc
import LinuxKernel
import TLS
import Testing
import struct SystemPackage.Errno
import struct SystemPackage.FileDescriptor

@Suite("TLS for a program without", .timeLimit(.minutes(5)))
struct RelayTests {
    private let authority: TestAuthority

    init() throws { authority = try TestAuthority() }

    /// A relay on a thread of its own, its plain side and the server.
    private func withRelay(
        names: [String] = ["DNS:registry.test"], verifies: Bool = true, overTCP: Bool = false,
        patience: Duration = .seconds(60),
        _ body: (_ plain: FileDescriptor, _ peer: TestPeer) async throws -> Void
    ) async throws -> String {
        let (plain, plainFar) = try UnixSocket.pair(.stream)
        let (near, far) = try overTCP ? Self.connection() : UnixSocket.pair(.stream)
        let context = try TLSContext(authorities: [authority.file], trustsSystem: false, verifies: verifies)
        async let ending = TestPeer.blocking {
            defer {
                plainFar.discard()
                near.discard()
            }
            do {
                let relay = try TLSRelay(
                    context, host: "registry.test", plain: plainFar, encrypted: near, patience: patience)
                try relay.run()
                return relay.capacity < 1 << 20 ? "" : "its buffers have grown to \(relay.capacity) bytes"
            } catch {
                return "\(error)"
            }
        }
        let peer = TestPeer(far, server: authority.pair(names))
        try await body(plain, peer)
        peer.close()
        plain.discard()
        return await ending
    }

    /// Both ends of a TCP connection.
    private static func connection() throws -> (FileDescriptor, FileDescriptor) {
        let listener = try InternetSocket.make(.tcp, .ipv4)
        defer { listener.discard() }
        try listener.bind(to: SocketAddress(.loopback(.ipv4), 0))
        try listener.listen(backlog: 1)
        let address = try #require(listener.socketName())
        let near = try InternetSocket.make(.tcp, .ipv4)
        var entry = pollfd(fd: near.rawValue, events: Int16(POLLOUT), revents: 0)
        if try !near.connect(to: address) { poll(&entry, 1, -1) }
        var arrival = pollfd(fd: listener.rawValue, events: Int16(POLLIN), revents: 0)
        poll(&arrival, 1, -1)
        return (near, try listener.acceptConnection())
    }

    /// Waits until the other end of a socket is closed.
    private static func waitForClosing(of socket: FileDescriptor) async {
        await TestPeer.blocking {
            var entry = pollfd(fd: socket.rawValue, events: 0, revents: 0)
            while poll(&entry, 1, -1) < 0 {}
        }
    }

    /// Sends until nothing more is taken, or `limit` bytes are. How many there were.
    private static func fill(_ socket: FileDescriptor, upTo limit: Int) async -> Int {
        await TestPeer.blocking {
            let bytes = [UInt8](repeating: 7, count: 64 << 10)
            var total = 0
            while total < limit {
                let count = send(socket.rawValue, bytes, bytes.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
                if count > 0 {
                    total += count
                    continue
                }
                // On a slow machine this may come early, and the number is smaller.
                var entry = pollfd(fd: socket.rawValue, events: Int16(POLLOUT), revents: 0)
                if poll(&entry, 1, 500) == 0 { break }
            }
            return total
        }
    }

    private static func write(_ bytes: [UInt8], to socket: FileDescriptor) async -> Bool {
        await TestPeer.blocking {
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes {
                    send(socket.rawValue, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { return false }
                rest = rest.dropFirst(count)
            }
            return true
        }
    }

    /// All bytes until the end.
    private static func read(_ socket: FileDescriptor, _ count: Int = .max) async -> [UInt8] {
        await TestPeer.blocking {
            var bytes: [UInt8] = []
            var chunk = [UInt8](repeating: 0, count: 1000)
            while bytes.count < count {
                let got = recv(socket.rawValue, &chunk, min(chunk.count, count - bytes.count), 0)
                guard got > 0 else { break }
                bytes += chunk[..<got]
            }
            return bytes
        }
    }

    @Test("bytes go both ways, and each direction ends by itself")
    func bothWays() async throws {
        let ending = try await withRelay { plain, peer in
            #expect(await peer.shakeHands())
            #expect(await Self.write([1, 2, 3], to: plain))
            #expect(await peer.read(3).bytes == [1, 2, 3])
            shutdown(plain.rawValue, Int32(SHUT_WR))
            let rest = await peer.read()
            #expect(rest.bytes == [] && rest.end == .announced)
            #expect(await peer.write([4, 5]))
            await peer.endOutput()
            #expect(await Self.read(plain) == [4, 5])
        }
        #expect(ending == "")
    }

    @Test("the server's end comes first, and it still hears the rest")
    func serverEndsFirst() async throws {
        let ending = try await withRelay { plain, peer in
            #expect(await peer.shakeHands())
            #expect(await peer.write([9]))
            await peer.endOutput()
            #expect(await Self.read(plain) == [9])
            #expect(await Self.write([1, 2], to: plain))
            #expect(await peer.read(2).bytes == [1, 2])
            shutdown(plain.rawValue, Int32(SHUT_WR))
            #expect(await peer.read().end == .announced)
        }
        #expect(ending == "")
    }

    @Test("much goes both ways, to sides that read little at a time")
    func much() async throws {
        let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7 >> 3) }
        let ending = try await withRelay { plain, peer in
            #expect(await peer.shakeHands())
            // One direction after the other: an `SSL` is for one thread at a time.
            async let written = Self.write(bytes, to: plain)
            #expect(await peer.read(bytes.count, piece: 1000).bytes == bytes)
            #expect(await written)
            async let read = Self.read(plain, bytes.count)
            #expect(await peer.write(bytes))
            #expect(await read == bytes)
            shutdown(plain.rawValue, Int32(SHUT_WR))
            #expect(await peer.read().end == .announced)
            await peer.endOutput()
            #expect(await Self.read(plain) == [])
        }
        #expect(ending == "")
    }

    @Test("a plain side that goes away ends the relay, and what it has sent arrives")
    func plainGoes() async throws {
        let ending = try await withRelay { plain, peer in
            #expect(await peer.shakeHands())
            #expect(await Self.write([1, 2, 3], to: plain))
            shutdown(plain.rawValue, Int32(SHUT_RDWR))
            let seen = await peer.read()
            #expect(seen.bytes == [1, 2, 3] && seen.end == .announced)
        }
        #expect(ending == "")
    }

    @Test("a plain side that goes away during the handshake ends the relay")
    func plainGoesEarly() async throws {
        let ending = try await withRelay { plain, _ in shutdown(plain.rawValue, Int32(SHUT_RDWR)) }
        #expect(ending == "")
    }

    @Test("a certificate of another host ends the connection, unless nobody verifies it", arguments: [true, false])
    func otherHost(_ verifies: Bool) async throws {
        let ending = try await withRelay(names: ["DNS:other.test"], verifies: verifies) { plain, peer in
            _ = await peer.shakeHands()
            if verifies {
                #expect(await Self.read(plain) == [])
            } else {
                #expect(await Self.write([1], to: plain))
                #expect(await peer.read(1).bytes == [1])
                shutdown(plain.rawValue, Int32(SHUT_WR))
                await peer.endOutput()
                #expect(await Self.read(plain) == [])
            }
        }
        let error =
            "tls: failed to verify certificate: x509: certificate is valid for other.test, not registry.test"
        #expect(ending == (verifies ? error : ""))
    }

    @Test("no more is taken from the plain side than the server reads")
    func backPressure() async throws {
        let limit = 64 << 20
        _ = try await withRelay { plain, peer in
            #expect(await peer.shakeHands())
            let sent = await Self.fill(plain, upTo: limit)
            #expect(sent < limit, "\(sent)")
        }
    }

    @Test("a server that reads nothing is given up once the plain side is gone")
    func patience() async throws {
        let ending = try await withRelay(patience: .milliseconds(100)) { plain, peer in
            #expect(await peer.shakeHands())
            _ = await Self.fill(plain, upTo: 4 << 20)
            shutdown(plain.rawValue, Int32(SHUT_RDWR))
            await Self.waitForClosing(of: peer.socket)
        }
        #expect(ending == "")
    }

    @Test("a server that has ended properly and is closed ends the relay, although the plain side is open")
    func closedServer() async throws {
        let ending = try await withRelay(overTCP: true) { plain, peer in
            #expect(await peer.shakeHands())
            #expect(await peer.write([1]))
            await peer.endOutput()
            #expect(await Self.read(plain) == [1])
            peer.close()
            await Self.waitForClosing(of: plain)
        }
        #expect(ending == "")
    }

    @Test("an end without close_notify is an error")
    func truncation() async throws {
        let ending = try await withRelay { plain, peer in
            #expect(await peer.shakeHands())
            #expect(await peer.write([1]))
            #expect(await Self.read(plain, 1) == [1])
            peer.close()
            #expect(await Self.read(plain) == [])
        }
        #expect(ending == "unexpected EOF")
    }
}
