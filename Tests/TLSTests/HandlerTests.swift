import COpenSSL
import Glibc
import LinuxKernel
import NIOCore
import TLS
import Testing
import struct SystemPackage.FileDescriptor

@Suite("TLS on a connection", .timeLimit(.minutes(5)))
struct HandlerTests {
    private static let hello = Array("hello".utf8)

    private let authority: TestAuthority
    private let client: TLSContext
    private let server: TLSContext

    init() throws {
        authority = try TestAuthority()
        client = try TLSContext(authorities: [authority.file])
        server = try TLSContext(server: authority.identity())
    }

    /// A client of ours and a server that is OpenSSL by itself.
    private func withServer(
        keepsHalfClosed: Bool = true, host: String = "registry.test", names: [String] = ["DNS:registry.test"],
        _ body: (TestConnection, TestPeer) async throws -> Void
    ) async throws {
        let (near, far) = try UnixSocket.pair(.stream)
        let peer = TestPeer(far, server: authority.pair(names))
        let client = client
        let connection = try await TestConnection(near, keepsHalfClosed: keepsHalfClosed) {
            try $0.addTLS(client: client, to: host, handshakeTime: nil)
        }
        #expect(await peer.shakeHands())
        try await body(connection, peer)
        peer.close()
        await connection.close()
    }

    /// A server of ours and a client that is OpenSSL by itself.
    private func withClient(
        version: Int32 = 0, reads: Bool = true, _ body: (TestConnection, TestPeer) async throws -> Void
    ) async throws {
        let (near, far) = try UnixSocket.pair(.stream)
        let peer = TestPeer(far, version: version)
        let server = server
        let connection = try await TestConnection(near, reads: reads) { try $0.addTLS(server: server) }
        try await body(connection, peer)
        peer.close()
        await connection.close()
    }

    @Test("both sides hear each other, and what was written early comes after the handshake")
    func bothWays() async throws {
        let (near, far) = try await TestConnection.pair(client: client, server: server)
        try await near.write(Self.hello).get()
        try await far.seen { $0.bytes == Self.hello }
        try await far.write([1, 2, 3]).get()
        let seen = try await near.seen { $0.bytes == [1, 2, 3] }
        #expect(seen.errors == [])
        await near.close()
        let end = try await far.seen { $0.events.contains("end") }
        #expect(end.errors == [], "an end that was announced is no error")
        await far.close()
    }

    @Test(
        "a server is told the name that it is wanted for, and no address",
        arguments: [("registry.test", "DNS:registry.test", "registry.test"), ("127.0.0.1", "IP:127.0.0.1", nil)])
    func serverName(host: String, name: String, told: String?) async throws {
        try await withServer(host: host, names: [name]) { connection, peer in
            try await connection.write(Self.hello).get()
            #expect(await peer.read(5).bytes == Self.hello)
            #expect(peer.requestedName == told)
        }
    }

    @Test("versions below TLS 1.2 are refused", arguments: [TLS1_VERSION, TLS1_1_VERSION])
    func oldVersion(version: Int32) async throws {
        try await withClient(version: version) { connection, peer in
            #expect(await !peer.shakeHands())
            #expect(try await connection.error == .violation("unsupported protocol"))
            try await connection.seen { $0.events.last == "inactive" }
        }
    }

    @Test("TLS 1.2 is spoken, but keys are not agreed on anew")
    func renegotiation() async throws {
        try await withClient(version: TLS1_2_VERSION) { connection, peer in
            #expect(await peer.shakeHands())
            #expect(await peer.write(Self.hello))
            try await connection.seen { $0.bytes == Self.hello }
            #expect(await !peer.renegotiate())
        }
    }

    // MARK: Ends

    @Test("an end without close_notify is an error before it is an end", arguments: [true, false])
    func truncation(keepsHalfClosed: Bool) async throws {
        try await withServer(keepsHalfClosed: keepsHalfClosed) { connection, peer in
            #expect(await peer.write(Self.hello))
            peer.close()
            let seen = try await connection.seen { $0.events.count >= 2 }
            #expect(seen.bytes == Self.hello)
            #expect(seen.errors == [.truncated])
            #expect(seen.events.prefix(2) == ["error", keepsHalfClosed ? "end" : "inactive"])
        }
    }

    @Test("where there are no half-closed connections, the end of the input closes")
    func wholeClose() async throws {
        try await withServer(keepsHalfClosed: false) { connection, peer in
            #expect(await peer.write(Self.hello))
            await peer.endOutput()
            let seen = try await connection.seen { $0.events.contains("inactive") }
            #expect(seen.bytes == Self.hello)
            #expect(seen.events == ["inactive"])
            #expect(await peer.read().end == .announced)
        }
    }

    @Test("one who has said all still hears the answer")
    func halfClose() async throws {
        let (near, far) = try await TestConnection.pair(client: client, server: server)
        near.write(Self.hello).whenFailure { _ in }
        try await near.channel.close(mode: .output).get()
        let asked = try await far.seen { $0.events.contains("end") }
        #expect(asked.bytes == Self.hello)
        #expect(asked.errors == [])
        await #expect(throws: ChannelError.outputClosed) { try await near.write([1]).get() }
        let answer = [UInt8](repeating: 7, count: 1 << 20)
        far.write(answer).whenFailure { _ in }
        try await far.channel.close(mode: .output).get()
        let seen = try await near.seen { $0.events.contains("end") || $0.events.contains("inactive") }
        #expect(seen.bytes == answer)
        #expect(seen.errors == [])
        await near.close()
        await far.close()
    }

    @Test("a connection that closes before all has been sent does not say that this was all")
    func incomplete() async throws {
        try await withServer { connection, peer in
            let written = connection.write([UInt8](repeating: 7, count: 16 << 20))
            await connection.close()
            await #expect(throws: (any Error).self) { try await written.get() }
            let (bytes, end) = await peer.read()
            #expect(bytes.count < 16 << 20)
            #expect(end == .unannounced)
        }
    }

    @Test("a connection that closes after all has been sent says so")
    func complete() async throws {
        try await withServer { connection, peer in
            try await connection.write(Self.hello).get()
            await connection.close()
            let (bytes, end) = await peer.read()
            #expect(bytes == Self.hello)
            #expect(end == .announced)
            await #expect(throws: ChannelError.self) { try await connection.write([1]).get() }
        }
    }

    // MARK: Much, and many

    @Test("much goes to one who reads little at a time, and waits meanwhile", arguments: [1000, 16384])
    func backPressure(piece: Int) async throws {
        try await withClient { connection, peer in
            #expect(await peer.shakeHands())
            let bytes = (0..<(8 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
            let written = connection.write(bytes)
            // The kernel takes some of it; then the channel has a little, and the handler all that is left.
            var unsent = try await connection.unsent()
            while unsent.handler == 0 || unsent.channel == 0 { unsent = try await connection.unsent() }
            #expect(unsent.channel < 512 << 10)
            let (received, end) = await peer.read(bytes.count, piece: piece)
            #expect(received == bytes)
            #expect(end == nil)
            try await written.get()
            #expect(try await connection.unsent() == (0, 0))
        }
    }

    @Test("nothing is read that nobody has asked for")
    func demand() async throws {
        try await withClient(reads: false) { connection, peer in
            #expect(await peer.shakeHands(), "the handshake needs nobody who reads")
            #expect(await peer.write(Self.hello))
            #expect(try await connection.seen { _ in true }.bytes == [])
            connection.channel.read()
            try await connection.seen { $0.bytes == Self.hello }
            #expect(await peer.write([1]))
            // A round through the event loop, in which it could be read.
            try await connection.channel.eventLoop.submit {}.get()
            #expect(try await connection.seen { _ in true }.bytes == Self.hello)
        }
    }

    @Test("records that come in pieces are put together", arguments: [1, 7, 20000])
    func pieces(size: Int) async throws {
        let (near, one) = try UnixSocket.pair(.stream)
        let (other, far) = try UnixSocket.pair(.stream)
        let (client, server) = (client, server)
        let first = try await TestConnection(near) {
            try $0.addTLS(client: client, to: "registry.test", handshakeTime: nil)
        }
        let second = try await TestConnection(far) { try $0.addTLS(server: server) }
        async let there: Void = Self.pump(from: one, to: other, size: size)
        async let back: Void = Self.pump(from: other, to: one, size: size)
        let bytes = (0..<50_000).map { UInt8(truncatingIfNeeded: $0) }
        first.write(bytes).whenFailure { _ in }
        #expect(try await second.seen { $0.bytes.count >= bytes.count }.bytes == bytes)
        second.write(bytes).whenFailure { _ in }
        #expect(try await first.seen { $0.bytes.count >= bytes.count }.bytes == bytes)
        await first.close()
        await second.close()
        _ = await (there, back)
        one.discard()
        other.discard()
    }

    private static func pump(from: FileDescriptor, to: FileDescriptor, size: Int) async {
        await TestPeer.blocking {
            var buffer = [UInt8](repeating: 0, count: size)
            while true {
                let count = read(from.rawValue, &buffer, size)
                guard count > 0, send(to.rawValue, buffer, count, Int32(MSG_NOSIGNAL)) == count else { break }
            }
            shutdown(to.rawValue, Int32(SHUT_WR))
        }
    }

    @Test(
        "what is written while a message of the server has come in part waits for the rest of it",
        arguments: [true, false])
    func halfMessage(endsOutput: Bool) async throws {
        let (near, one) = try UnixSocket.pair(.stream)
        let (other, far) = try UnixSocket.pair(.stream)
        defer {
            one.discard()
            other.discard()
        }
        let peer = TestPeer(far, server: authority.pair(["DNS:registry.test"]), longTickets: true)
        let client = client
        let connection = try await TestConnection(near) {
            try $0.addTLS(client: client, to: "registry.test", handshakeTime: nil)
        }
        async let hands = peer.shakeHands()
        // The client speaks twice: in the beginning, and when it has all of the server's part of the handshake.
        let hasHandshake = await TestPeer.blocking {
            Self.relay(from: one, to: other) && Self.relay(from: other, to: one, until: one)
        }
        #expect(hasHandshake)
        #expect(await TestPeer.blocking { Self.relay(from: one, to: other) })
        #expect(await hands)
        // Now the server's tickets come, each in several records; the client gets the first one.
        #expect(await TestPeer.blocking { Self.relayRecord(from: other, to: one) })
        try await connection.channel.eventLoop.submit {}.get()
        let written = connection.write(Self.hello)
        if endsOutput { connection.channel.close(mode: .output, promise: nil) }
        try await connection.channel.eventLoop.submit {}.get()
        #expect(try await connection.seen { _ in true }.errors.isEmpty)
        async let there: Void = Self.pump(from: one, to: other, size: 1000)
        async let back: Void = Self.pump(from: other, to: one, size: 1000)
        try await written.get()
        let heard = await peer.read(endsOutput ? .max : Self.hello.count)
        #expect(heard.bytes == Self.hello && heard.end == (endsOutput ? .announced : nil))
        #expect(await peer.write([1, 2, 3]))
        #expect(try await connection.seen { $0.bytes.count == 3 }.errors.isEmpty)
        peer.close()
        await connection.close()
        _ = await (there, back)
    }

    /// Passes on what comes: once, or until something comes from the other side. Then all has been read.
    private static func relay(from: FileDescriptor, to: FileDescriptor, until stop: FileDescriptor? = nil) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        repeat {
            var polls = [pollfd(fd: from.rawValue, events: Int16(POLLIN), revents: 0)]
            if let stop { polls.append(pollfd(fd: stop.rawValue, events: Int16(POLLIN), revents: 0)) }
            guard poll(&polls, nfds_t(polls.count), -1) > 0 else { return false }
            if polls[0].revents == 0 { return true }
            let count = read(from.rawValue, &buffer, buffer.count)
            guard count > 0, send(to.rawValue, buffer, count, Int32(MSG_NOSIGNAL)) == count else { return false }
        } while stop != nil
        return true
    }

    /// Passes on one record, and waits until it has been read.
    private static func relayRecord(from: FileDescriptor, to: FileDescriptor) -> Bool {
        var record = [UInt8](repeating: 0, count: 1 << 17)
        guard recv(from.rawValue, &record, 5, Int32(MSG_WAITALL)) == 5 else { return false }
        let size = Int(record[3]) << 8 | Int(record[4])
        let hasBody = record.withUnsafeMutableBytes {
            recv(from.rawValue, $0.baseAddress.map { $0 + 5 }, size, Int32(MSG_WAITALL)) == size
        }
        guard hasBody, send(to.rawValue, record, 5 + size, Int32(MSG_NOSIGNAL)) == 5 + size else { return false }
        var unread: Int32 = 1
        while unread > 0 {
            guard ioctl(to.rawValue, UInt(TIOCOUTQ), &unread) == 0 else { return false }
            sched_yield()
        }
        return true
    }

    @Test("many connections at once are kept apart, and nothing of them is left")
    func many() async throws {
        let (client, server) = (client, server)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<100 {
                group.addTask {
                    let (near, far) = try await TestConnection.pair(client: client, server: server)
                    let bytes = [UInt8](repeating: UInt8(number), count: 100_000 + number)
                    near.write(bytes).whenFailure { _ in }
                    far.write(bytes.reversed()).whenFailure { _ in }
                    #expect(try await far.seen { $0.bytes.count >= bytes.count }.bytes == bytes)
                    #expect(try await near.seen { $0.bytes.count >= bytes.count }.bytes == bytes)
                    await near.close()
                    await far.close()
                    while near.isAlive() || far.isAlive() { try await Task.sleep(for: .milliseconds(1)) }
                }
            }
            try await group.waitForAll()
        }
    }

    // MARK: Whoever is at the other end

    @Test(
        "what is not TLS ends the connection",
        arguments: [
            ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", TLSError.notTLS), ("\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}\u{7}", .notTLS),
        ])
    func garbage(text: String, error: TLSError) async throws {
        for isServer in [true, false] {
            let (near, far) = try UnixSocket.pair(.stream)
            let (client, server) = (client, server)
            let connection = try await TestConnection(near) {
                isServer
                    ? try $0.addTLS(server: server)
                    : try $0.addTLS(client: client, to: "registry.test", handshakeTime: nil)
            }
            _ = try far.writeAll(Array(text.utf8))
            #expect(try await connection.error == error)
            try await connection.seen { $0.events == ["error", "inactive"] }
            far.discard()
            while connection.isAlive() { try await Task.sleep(for: .milliseconds(1)) }
        }
    }

    @Test("a client that speaks HTTP without TLS is told so")
    func plainClient() async throws {
        let (near, far) = try UnixSocket.pair(.stream)
        let server = server
        let connection = try await TestConnection(near) { try $0.addTLS(server: server) }
        _ = try far.writeAll(Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8))
        try await connection.seen { $0.events == ["error", "inactive"] }
        let answer = await TestPeer.blocking {
            var bytes = [UInt8](repeating: 0, count: 1000)
            let count = recv(far.rawValue, &bytes, bytes.count, Int32(MSG_WAITALL))
            return String(decoding: bytes[..<max(0, count)], as: UTF8.self)
        }
        let words = "Client sent an HTTP request to an HTTPS server.\n"
        #expect(answer == "HTTP/1.0 400 Bad Request\r\n\r\n" + words)
        far.discard()
    }

    @Test("a handshake that breaks off is an error", arguments: [0, 3, 5, 40], [true, false])
    func brokenHandshake(count: Int, keepsHalfClosed: Bool) async throws {
        let (near, far) = try UnixSocket.pair(.stream)
        let server = server
        let connection = try await TestConnection(near, keepsHalfClosed: keepsHalfClosed) {
            try $0.addTLS(server: server)
        }
        // The beginning of a record that is longer than what comes of it.
        let record: [UInt8] = [22, 3, 1, 1, 0, 1, 0, 0, 252, 3, 3] + [UInt8](repeating: 0, count: 29)
        _ = try far.writeAll(Array(record.prefix(count)))
        far.discard()
        #expect(try await connection.error == .endOfHandshake)
        try await connection.seen { $0.events == ["error", "inactive"] }
    }

    @Test("data that somebody has changed on the way ends the connection")
    func forgery() async throws {
        try await withServer { connection, peer in
            #expect(await peer.write(Self.hello))
            try await connection.seen { $0.bytes == Self.hello }
            // A record of application data whose seal is wrong.
            _ = try peer.socket.writeAll([23, 3, 3, 0, 32] + [UInt8](repeating: 0x5A, count: 32))
            guard case .violation = try await connection.error else {
                Issue.record("the record is taken")
                return
            }
            try await connection.seen { $0.events.last == "inactive" }
        }
    }

    @Test("a server that says nothing is given up")
    func silence() async throws {
        let (near, far) = try UnixSocket.pair(.stream)
        let client = client
        let connection = try await TestConnection(near) {
            try $0.addTLS(client: client, to: "registry.test", handshakeTime: .milliseconds(50))
        }
        let written = connection.write(Self.hello)
        #expect(try await connection.error == .handshakeTimeout)
        // The time may have been over before the write began.
        await #expect(throws: (any Error).self) { try await written.get() }
        far.discard()
    }
}
