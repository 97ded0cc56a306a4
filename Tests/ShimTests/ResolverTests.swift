import Addresses
import DNS
import Glibc
import LinuxKernel
import Shim
import ShimProtocol
import Synchronization
import SystemPackage
import TemporaryDirectories
import Testing

/// A resolver that runs in a thread whose network namespace plays the host's, for a container's namespace.
final class TestResolver: Sendable {
    /// A change of what the running resolver answers.
    typealias Change = @Sendable (ResolverConfiguration) -> Void

    let host: TestNetworkNamespace
    let container: TestNetworkNamespace
    private let ending: EventFD
    private let thread: Thread<Void>

    init(
        _ configuration: ResolverConfiguration, host: TestNetworkNamespace, container: TestNetworkNamespace,
        limits: NameService.Limits = NameService.Limits(), openFiles: Int = 10_000,
        then change: (after: FileDescriptor, to: ResolverConfiguration)? = nil,
        before prepare: @escaping @Sendable () throws -> Void = {}
    ) throws {
        self.host = host
        self.container = container
        let ending = try EventFD()
        self.ending = ending
        let (reading, writing) = try FileDescriptor.makePipe()
        defer { reading.discard() }
        thread = Thread {
            defer { writing.discard() }
            do {
                try Namespaces.network.enter(host.descriptor)
                let loop = try EventLoop()
                let service = try NameService(
                    configuration, namespace: try container.descriptor.duplicate(from: 3),
                    context: try StreamContext(loop: loop, descriptors: DescriptorBudget(openFiles: openFiles)),
                    limits: limits)
                defer { service.close() }
                try service.show()
                _ = try loop.watch(ending.descriptor, .readable) { _ in loop.stop() }
                if let change {
                    var watch: EventLoop.Watch?
                    watch = try loop.watch(change.after, .readable) { _ in
                        service.change(to: change.to)
                        if let watch { loop.unwatch(watch) }
                        change.after.discard()
                    }
                }
                try prepare()
                try writing.writeEntire("\n".utf8)
                loop.run()
            } catch {
                Issue.record("\(error)")
            }
        }
        // Nothing is said by one that could not begin.
        _ = try reading.readLine()
    }

    func stop() {
        try? ending.signal()
        thread.join()
        ending.descriptor.discard()
    }

    // MARK: Questions

    /// A connected socket in the container.
    func connect(_ transport: TransportProtocol) throws -> FileDescriptor {
        let socket = try container.socket(transport)
        _ = try socket.connect(to: SocketAddress(Resolver.address, 53))
        return socket
    }

    /// The answer to a question by UDP.
    func ask(_ name: String, _ type: RecordType = .a, id: UInt16 = 77) throws -> DNSMessage {
        let socket = try connect(.udp)
        defer { socket.discard() }
        try socket.writeEntire(query(name, type, id: id))
        return try DNSMessage(parsing: try socket.readOnce(capacity: 65536))
    }

    /// The answer to a question by TCP.
    func askByStream(_ name: String, _ type: RecordType = .a) throws -> DNSMessage {
        let socket = try connect(.tcp)
        defer { socket.discard() }
        try socket.writeMessage(query(name, type))
        return try DNSMessage(parsing: try #require(try socket.readMessage()))
    }
}

private func query(_ name: String, _ type: RecordType = .a, id: UInt16 = 77) throws -> [UInt8] {
    let name = try #require(DomainName(name))
    return DNSMessage(
        MessageHeader(id: id, flags: .recursionDesired), questions: [Question(name, type)]
    ).serialised()
}

extension DNSMessage {
    fileprivate var addresses: [String] {
        answers.map { record in
            guard case .address(let address) = record.content else { return "no address" }
            return address.description
        }
    }
}

@Suite("a container's resolver", .enabled(if: geteuid() == 0, "needs root"), .timeLimit(.minutes(2)))
struct ResolverTests {
    let directory: TemporaryDirectory
    let host: TestNetworkNamespace
    let container: TestNetworkNamespace

    init() throws {
        directory = try TemporaryDirectory(mode: 0o755)
        host = try TestNetworkNamespace()
        container = try TestNetworkNamespace()
        try write(["web": "172.18.0.2"])
    }

    var namesFile: FilePath { directory.path.appending("names") }

    private func write(_ addresses: [String: String]) throws {
        try NameTableWriter.write(
            try addresses.map { NamedEndpoint(names: [$0], addresses: [try #require(IPAddress($1))]) }, to: namesFile)
    }

    func configuration(
        _ servers: [(String, ResolverConfiguration.NetworkNamespace)] = []
    ) throws -> ResolverConfiguration {
        ResolverConfiguration(
            networks: [.init(name: "net", namesFile: namesFile.string)],
            servers: try servers.map { .init(try #require(IPAddress($0)), from: $1) })
    }

    func withResolver(
        _ configuration: ResolverConfiguration, limits: NameService.Limits = NameService.Limits(),
        _ body: (TestResolver) throws -> Void
    ) throws {
        let resolver = try TestResolver(configuration, host: host, container: container, limits: limits)
        defer { resolver.stop() }
        try body(resolver)
    }

    func withServer(
        _ address: String = "127.0.0.53", in namespace: TestNetworkNamespace? = nil,
        _ answers: @escaping @Sendable (FakeNameServer.Query) -> [[UInt8]] = { [$0.answer("192.0.2.1")] },
        _ body: (FakeNameServer) throws -> Void
    ) throws {
        let server = try FakeNameServer(address, in: namespace ?? host, answers)
        defer { server.stop() }
        try body(server)
    }

    // MARK: Names

    @Test("names are answered by UDP and TCP")
    func names() throws {
        try withResolver(configuration()) { (resolver: TestResolver) throws in
            for message in [try resolver.ask("WEB"), try resolver.askByStream("web.net")] {
                #expect(message.header.id == 77)
                #expect(message.addresses == ["172.18.0.2"])
            }
        }
    }

    @Test(
        "the C library finds names with it",
        .enabled(if: Files.exists("/usr/bin/getent") && Files.exists("/usr/bin/nsenter"), "needs getent and nsenter"))
    func getent() throws {
        let file = directory.path.appending("resolv.conf")
        try Files.replace(file, with: Array("nameserver 127.0.0.11\noptions ndots:0\n".utf8), mode: 0o644)
        try withResolver(configuration()) { (_: TestResolver) throws in
            let namespace = "/proc/\(getpid())/fd/\(container.descriptor.rawValue)"
            let script = "mount --bind \(file) /etc/resolv.conf && getent ahosts web.net && getent hosts 172.18.0.2"
            let command = "nsenter --net=\(namespace) unshare -m --propagation private sh -c '\(script)' 2>&1"
            let output = try #require(popen(command, "re"))
            defer { pclose(output) }
            var text = ""
            var line = [CChar](repeating: 0, count: 256)
            while fgets(&line, 256, output) != nil {
                text += String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            }
            #expect(text.contains("172.18.0.2      STREAM web.net\n"), "\(text)")
            #expect(text.contains("172.18.0.2      web.net\n"), "\(text)")
        }
    }

    @Test("names that are written meanwhile are answered")
    func replacedNames() throws {
        try withResolver(configuration()) { (resolver: TestResolver) throws in
            #expect(try resolver.ask("db").header.responseCode == .serverFailure)
            try write(["db": "172.18.0.3"])
            #expect(try resolver.ask("db").addresses == ["172.18.0.3"])
            #expect(try resolver.ask("web").header.responseCode == .serverFailure)
        }
    }

    @Test("a resolver can be told to answer otherwise")
    func change() throws {
        let (reading, writing) = try FileDescriptor.makePipe()
        defer { writing.discard() }
        let resolver = try TestResolver(
            try configuration(), host: host, container: container,
            then: (reading, ResolverConfiguration(networks: [])))
        defer { resolver.stop() }
        #expect(try resolver.ask("web").addresses == ["172.18.0.2"])
        try writing.writeEntire([1])
        while try resolver.ask("web").header.responseCode == .noError { usleep(1000) }
    }

    @Test("many questions on one connection are answered in order, however they are cut")
    func pipelining() throws {
        try withResolver(configuration()) { (resolver: TestResolver) throws in
            let socket = try resolver.connect(.tcp)
            defer { socket.discard() }
            var bytes: [UInt8] = []
            for id in 0..<50 as Range<UInt16> {
                let query = try query("web", id: id)
                bytes += [0, UInt8(query.count)] + query
            }
            for byte in bytes.prefix(100) { try socket.writeEntire([byte]) }
            try socket.writeEntire(bytes.dropFirst(100))
            for id in 0..<50 as Range<UInt16> {
                let message = try DNSMessage(parsing: try #require(try socket.readMessage()))
                #expect(message.header.id == id)
                #expect(message.addresses == ["172.18.0.2"])
            }
        }
    }

    @Test("each question among thousands of messages that are none is answered once")
    func shortMessages() throws {
        try withResolver(configuration()) { (resolver: TestResolver) throws in
            let socket = try resolver.connect(.tcp)
            defer { socket.discard() }
            let ids: ClosedRange<UInt16> = 1...60
            // Between them messages of a few bytes. What is read at once, 64 KiB, does not end with one.
            let between: [UInt8] = (0..<2000).flatMap { [[0, 0], [0, 1, 7], [0, 2, 7, 7]][$0 % 3] as [UInt8] }
            let bytes: [UInt8] = try ids.flatMap { id in
                let question = try query("web", id: id)
                return between + [0, UInt8(question.count)] + question
            }
            let writer = Thread { try? socket.writeEntire(bytes) }
            for id in ids {
                let message = try DNSMessage(parsing: try #require(try socket.readMessage()))
                #expect(message.header.id == id && message.addresses == ["172.18.0.2"])
            }
            writer.join()
        }
    }

    @Test("more connections than are taken at once are all answered, and so is a datagram behind them")
    func manyConnections() throws {
        var limits = NameService.Limits()
        limits.streams = 200
        let container = container
        let sockets = Mutex<[FileDescriptor]>([])
        let question = try query("web")
        // The loop does not run yet: all of them wait when it begins.
        let resolver = try TestResolver(
            configuration(), host: host, container: container, limits: limits,
            before: {
                for _ in 0..<120 {
                    let socket = try container.socket(.tcp)
                    sockets.withLock { $0.append(socket) }
                    try socket.setNonBlocking(true)
                    _ = try socket.connect(to: SocketAddress(Resolver.address, 53))
                }
            })
        defer {
            resolver.stop()
            for socket in sockets.withLock({ $0 }) { socket.discard() }
        }
        #expect(try resolver.ask("web").addresses == ["172.18.0.2"])
        for socket in sockets.withLock({ $0 }) {
            // Those for which the queue had no place ask again.
            _ = try Poll.wait(for: [(socket, .writable)], milliseconds: 60_000)
            try socket.setNonBlocking(false)
            try socket.writeMessage(question)
            let message = try DNSMessage(parsing: try #require(try socket.readMessage()))
            #expect(message.addresses == ["172.18.0.2"])
        }
    }

    @Test("whatever is sent, the next question is answered")
    func hostile() throws {
        try withResolver(configuration()) { (resolver: TestResolver) throws in
            var generator = SystemRandomNumberGenerator()
            let socket = try resolver.connect(.udp)
            defer { socket.discard() }
            let good = try query("web")
            for count in 1...2000 {
                var bytes = good
                for _ in 0..<Int.random(in: 0...8, using: &generator) {
                    bytes[.random(in: 0..<bytes.count, using: &generator)] = .random(in: 0...255, using: &generator)
                }
                bytes.removeLast(.random(in: 0..<bytes.count, using: &generator))
                try socket.writeEntire(bytes)
                // So that the socket's buffer does not overflow, and this question with it.
                if count % 50 == 0 { #expect(try resolver.ask("web").addresses == ["172.18.0.2"]) }
            }
            let stream = try resolver.connect(.tcp)
            defer { stream.discard() }
            try stream.writeEntire([0xFF, 0xFF, 1, 2, 3])
            let rubbish = try resolver.connect(.tcp)
            defer { rubbish.discard() }
            try rubbish.writeMessage((0..<600).map { _ in .random(in: 0...255, using: &generator) })
            #expect(try resolver.ask("web").addresses == ["172.18.0.2"])
        }
    }

    // MARK: Servers

    @Test("other names are asked of the host's server, with ids and ports that cannot be guessed")
    func hostServer() throws {
        try withServer { (server: FakeNameServer) throws in
            try withResolver(configuration([("127.0.0.53", .host)])) { (resolver: TestResolver) throws in
                for _ in 0..<20 {
                    let message = try resolver.ask("example.org", id: 5)
                    #expect(message.header.id == 5)
                    #expect(message.addresses == ["192.0.2.1"])
                }
                #expect(try resolver.askByStream("example.org").addresses == ["192.0.2.1"])
                #expect(try resolver.ask("web").addresses == ["172.18.0.2"])
            }
            #expect(server.queries.map(\.transport) == Array(repeating: .udp, count: 20) + [.tcp])
            #expect(Set(server.queries.map(\.port)).count > 10)
            #expect(Set(server.queries.map(\.message.header.id)).count > 10)
            #expect(server.queries.allSatisfy { $0.message.questions == [Question(DomainName("example.org")!, .a)] })
        }
    }

    @Test("a container's own server is asked from within the container")
    func containerServer() throws {
        try withServer(in: host, { [$0.answer("192.0.2.1")] }) { (outside: FakeNameServer) throws in
            try withServer(in: container, { [$0.answer("192.0.2.2")] }) { (inside: FakeNameServer) throws in
                try withResolver(configuration([("127.0.0.53", .container)])) { (resolver: TestResolver) throws in
                    #expect(try resolver.ask("example.org").addresses == ["192.0.2.2"])
                    #expect(try resolver.askByStream("example.org").addresses == ["192.0.2.2"])
                }
                #expect(outside.queries.isEmpty)
            }
        }
    }

    @Test(
        "a server that fails, refuses or is not there is followed by the next",
        arguments: [TransportProtocol.udp, .tcp])
    func nextServer(transport: TransportProtocol) throws {
        try withServer("127.0.0.2", { [$0.answer("192.0.2.2", code: .serverFailure)] }) { (_: FakeNameServer) throws in
            try withServer("127.0.0.3", { [$0.answer("192.0.2.3", code: .refused)] }) { (_: FakeNameServer) throws in
                try withServer("127.0.0.4") { (_: FakeNameServer) throws in
                    for first in ["127.0.0.2", "127.0.0.3", "127.0.0.9"] {
                        try withResolver(configuration([(first, .host), ("127.0.0.4", .host)])) {
                            (resolver: TestResolver) throws in
                            let message =
                                try transport == .udp ? resolver.ask("a.org") : resolver.askByStream("a.org")
                            #expect(message.addresses == ["192.0.2.1"])
                        }
                    }
                    let failing =
                        [("127.0.0.2", .host), ("127.0.0.3", .host), ("127.0.0.9", .host)]
                        as [(String, ResolverConfiguration.NetworkNamespace)]
                    try withResolver(configuration(failing + [("127.0.0.4", .host)])) {
                        (resolver: TestResolver) throws in
                        let message = try transport == .udp ? resolver.ask("a.org") : resolver.askByStream("a.org")
                        #expect(message.header.responseCode == .serverFailure)
                        #expect(message.questions.count == 1)
                    }
                }
            }
        }
    }

    @Test("a server that says nothing is followed by the next", arguments: [TransportProtocol.udp, .tcp])
    func silentServer(transport: TransportProtocol) throws {
        var limits = NameService.Limits()
        limits.serverPatience = 50
        try withServer("127.0.0.2", { _ in [] }) { (silent: FakeNameServer) throws in
            try withServer("127.0.0.3") { (_: FakeNameServer) throws in
                try withResolver(configuration([("127.0.0.2", .host), ("127.0.0.3", .host)]), limits: limits) {
                    (resolver: TestResolver) throws in
                    let message = try transport == .udp ? resolver.ask("a.org") : resolver.askByStream("a.org")
                    #expect(message.addresses == ["192.0.2.1"])
                }
            }
            #expect(silent.queries.count == 1)
        }
    }

    @Test("answers with another id, to another question or from another sender are none")
    func forged() throws {
        let forger: @Sendable (FakeNameServer.Query) -> [[UInt8]] = { query in
            var wrongID = query.answer("192.0.2.66")
            wrongID[0] ^= 1
            var wrongName = query.answer("192.0.2.66")
            wrongName[13] ^= 1
            var question = query.answer("192.0.2.66")
            question[2] &= 0x7F
            return [wrongID, [], [1], wrongName, question, query.answer("192.0.2.1"), query.answer("192.0.2.67")]
        }
        try withServer("127.0.0.53", forger) { (_: FakeNameServer) throws in
            try withResolver(configuration([("127.0.0.53", .host)])) { (resolver: TestResolver) throws in
                for _ in 0..<10 { #expect(try resolver.ask("example.org").addresses == ["192.0.2.1"]) }
            }
        }
    }

    @Test("a long answer comes by TCP, and one that does not fit says so by UDP")
    func longAnswer() throws {
        let answers: @Sendable (FakeNameServer.Query) -> [[UInt8]] = { query in
            var answer = DNSMessage(query.message.header.response(.noError), questions: query.message.questions)
            answer.answers = (0..<3500).map {
                ResourceRecord(query.message.questions[0].name, .address(IPAddress(.ipv4, $0)), timeToLive: 1)
            }
            return [answer.serialised(limit: query.transport == .udp ? 512 : 65535)]
        }
        try withServer("127.0.0.53", answers) { (_: FakeNameServer) throws in
            try withResolver(configuration([("127.0.0.53", .host)])) { (resolver: TestResolver) throws in
                #expect(try resolver.ask("example.org").header.flags.contains(.truncated))
                let socket = try resolver.connect(.tcp)
                defer { socket.discard() }
                for _ in 0..<3 {
                    try socket.writeMessage(query("example.org"))
                    let bytes = try #require(try socket.readMessage())
                    #expect(try DNSMessage(parsing: bytes, mostRecords: 4000).answers.count == 3500)
                }
            }
        }
    }

    @Test("no more queries than the limit wait for servers; the others are refused")
    func manyQueries() throws {
        try withServer("127.0.0.53", { _ in [] }) { (_: FakeNameServer) throws in
            var limits = NameService.Limits()
            let limit = 100
            limits.forwardings = limit
            try withResolver(configuration([("127.0.0.53", .host)]), limits: limits) {
                (resolver: TestResolver) throws in
                let socket = try resolver.connect(.udp)
                defer { socket.discard() }
                // A few at a time, so that none is lost in the socket's buffer.
                for id in 0..<limit + 8 {
                    try socket.writeEntire(query("example.org", id: UInt16(id)))
                    if id % 64 == 63 { #expect(try resolver.ask("web").addresses == ["172.18.0.2"]) }
                }
                for id in limit..<limit + 8 {
                    let message = try DNSMessage(parsing: try socket.readOnce())
                    #expect(message.header.responseCode == .refused)
                    #expect(message.header.id == UInt16(id))
                }
                #expect(try resolver.ask("web").addresses == ["172.18.0.2"])
            }
        }
    }

    // MARK: Connections

    @Test("a silent connection ends, and makes room for others before that")
    func connections() throws {
        var limits = NameService.Limits()
        limits.streams = 2
        limits.streamPatience = 300
        try withResolver(configuration(), limits: limits) { (resolver: TestResolver) throws in
            let first = try resolver.connect(.tcp)
            let second = try resolver.connect(.tcp)
            defer {
                first.discard()
                second.discard()
            }
            try first.writeMessage(query("web"))
            #expect(try first.readMessage() != nil)
            #expect(try resolver.askByStream("web").addresses == ["172.18.0.2"])
            // Both end: one was in the way, the other says nothing.
            #expect(try first.readOnce() == [])
            #expect(try second.readOnce() == [])
        }
    }

    @Test("connections that end while a server is asked leave nothing behind")
    func abandoned() throws {
        try withServer("127.0.0.53", { _ in [] }) { (server: FakeNameServer) throws in
            try withResolver(configuration([("127.0.0.53", .host)])) { (resolver: TestResolver) throws in
                for count in 1...3 {
                    let socket = try resolver.connect(.tcp)
                    try socket.writeMessage(query("example.org"))
                    while server.queries.count < count { usleep(1000) }
                    // Not read: the end is an abrupt one.
                    var linger = linger(l_onoff: 1, l_linger: 0)
                    setsockopt(socket.rawValue, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
                    socket.discard()
                }
                #expect(try resolver.askByStream("web").addresses == ["172.18.0.2"])
            }
        }
    }
}
