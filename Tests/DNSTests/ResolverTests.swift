import Addresses
import DNS
import Testing

@Suite("what a resolver does with a query")
struct ResolverTests {
    /// Two networks with a name of their own each, and one in common; `Web` has both kinds of addresses.
    private static let tables: [String: [NamedEndpoint]] = [
        "Front": [
            NamedEndpoint(
                names: ["Web", "www", "example.com"],
                addresses: [DNSMessageTests.address("172.18.0.2"), DNSMessageTests.address("fd00::2")]),
            NamedEndpoint(names: ["shared"], addresses: [DNSMessageTests.address("172.18.0.3")]),
            NamedEndpoint(names: ["pool", "p1"], addresses: [DNSMessageTests.address("172.18.0.4")]),
            NamedEndpoint(names: ["pool", "p2"], addresses: [DNSMessageTests.address("172.18.0.5")]),
        ],
        "back.net": [
            NamedEndpoint(names: ["db"], addresses: [DNSMessageTests.address("172.19.0.2")]),
            NamedEndpoint(names: ["shared"], addresses: [DNSMessageTests.address("172.19.0.3")]),
        ],
    ]
    private static let host = ResolverConfiguration.Server(DNSMessageTests.address("127.0.0.53"), from: .host)
    private static let given = ResolverConfiguration.Server(DNSMessageTests.address("9.9.9.9"), from: .container)

    private func resolver(_ change: (inout ResolverConfiguration) -> Void = { _ in }) throws -> Resolver {
        var configuration = ResolverConfiguration(
            networks: ["Front", "back.net"].map { ResolverConfiguration.Network(name: $0, namesFile: $0) },
            servers: [Self.host])
        change(&configuration)
        var tables: [String: NameTable] = [:]
        for (name, endpoints) in Self.tables {
            tables[name] = try NameTableTests.table(NameTableWriter.image(of: endpoints, generation: 1))
        }
        return Resolver(configuration) { network in { tables[network.namesFile] } }
    }

    private func query(
        _ name: String, _ type: RecordType = .a, _ recordClass: RecordClass = .internet, edns: ExtendedDNS? = nil
    ) -> [UInt8] {
        DNSMessage(
            MessageHeader(id: 0x4242, flags: .recursionDesired),
            questions: [Question(DNSMessageTests.name(name), type, recordClass)],
            additional: edns.map { [$0.record()] } ?? []
        ).serialised()
    }

    private func decide(
        _ resolver: Resolver, _ query: [UInt8], by transport: ResolverTransport = .udp
    ) -> ResolverDecision {
        var generator = SystemRandomNumberGenerator()
        return query.withUnsafeBytes { resolver.decide($0, by: transport, using: &generator) }
    }

    /// The answer, if it is not left to servers.
    private func answer(
        _ resolver: Resolver, _ query: [UInt8], by transport: ResolverTransport = .udp
    ) throws -> DNSMessage? {
        guard case .answer(let bytes) = decide(resolver, query, by: transport) else { return nil }
        return try DNSMessage(parsing: bytes)
    }

    private func addresses(_ resolver: Resolver, _ name: String, _ type: RecordType = .a) throws -> [String]? {
        try answer(resolver, query(name, type))?.answers.map {
            guard case .address(let address) = $0.content else { return "no address" }
            return address.description
        }
    }

    // MARK: Names

    @Test(
        "names are found on all networks, with and without the network's name, in any case",
        arguments: [
            ("web", "172.18.0.2"), ("WEB", "172.18.0.2"), ("www.", "172.18.0.2"), ("web.front", "172.18.0.2"),
            ("example.com", "172.18.0.2"), ("example.com.FRONT", "172.18.0.2"),
            ("db", "172.19.0.2"), ("db.back.net", "172.19.0.2"), ("DB.Back.Net", "172.19.0.2"),
            ("shared", "172.18.0.3"), ("shared.back.net", "172.19.0.3"),
        ])
    func names(name: String, address: String) throws {
        #expect(try addresses(resolver(), name) == [address])
    }

    @Test(
        "names that are on no network are asked of servers", arguments: ["nobody", "web.back.net", "db.net", "front"])
    func unknown(name: String) throws {
        let query = query(name)
        guard case .forward(let forwarded, let servers) = try decide(resolver(), query) else {
            Issue.record("answered")
            return
        }
        #expect(forwarded.bytes == query)
        #expect(servers == [Self.host])
    }

    @Test("an answer repeats the question as it was written, and may be kept for ten minutes")
    func echo() throws {
        let message = try #require(try answer(resolver(), query("wEb")))
        #expect(message.header.id == 0x4242)
        #expect(message.header.flags == [.response, .recursionDesired, .recursionAvailable])
        #expect(message.questions == [Question(DNSMessageTests.name("wEb"), .a)])
        #expect(
            message.answers == [
                ResourceRecord(
                    DNSMessageTests.name("wEb"), .address(DNSMessageTests.address("172.18.0.2")), timeToLive: 600)
            ])
    }

    @Test(
        "what is asked of a known name, and it has not, is an empty answer",
        arguments: [
            ("shared", RecordType.aaaa), ("web", .mx), ("web", RecordType(rawValue: 16)), ("db.back.net", .aaaa),
        ])
    func otherTypes(name: String, type: RecordType) throws {
        let message = try #require(try answer(resolver(), query(name, type)))
        #expect(message.header.responseCode == .noError)
        #expect(message.answers.isEmpty)
    }

    @Test("IPv6 addresses are told")
    func ipv6() throws {
        #expect(try addresses(resolver(), "web", .aaaa) == ["fd00::2"])
    }

    @Test("several addresses come in all orders")
    func roundRobin() throws {
        let resolver = try resolver()
        var orders: Set<[String]> = []
        for _ in 0..<200 { orders.insert(try addresses(resolver, "pool") ?? []) }
        #expect(orders == [["172.18.0.4", "172.18.0.5"], ["172.18.0.5", "172.18.0.4"]])
    }

    @Test(
        "an address has its container's first name, with the network's",
        arguments: [
            ("2.0.18.172.in-addr.arpa", "Web.Front."), ("2.0.19.172.IN-ADDR.ARPA.", "db.back.net."),
            ("2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa", "Web.Front."),
        ])
    func pointers(name: String, host: String) throws {
        let message = try #require(try answer(resolver(), query(name, .ptr)))
        #expect(message.answers.map(\.content) == [.pointer(DNSMessageTests.name(host))])
        #expect(message.answers.map(\.timeToLive) == [600])
    }

    @Test(
        "names of addresses that nobody has are asked of servers",
        arguments: [
            "9.9.9.9.in-addr.arpa", "18.172.in-addr.arpa", "02.0.18.172.in-addr.arpa", "2.0.18.172.in-addr.arpa.x",
            "x.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa", "ip6.arpa",
        ])
    func unknownPointers(name: String) throws {
        #expect(try answer(resolver(), query(name, .ptr)) == nil)
    }

    @Test("a link's alias is a name for its container alone, and hides others of the same name")
    func links() throws {
        let linked = try resolver {
            $0.networks[1].links = ["Database": "db", "web": "db", "gone": "nobody", "shared": "nobody"]
        }
        #expect(try addresses(linked, "database") == ["172.19.0.2"])
        #expect(try addresses(linked, "database.back.net") == ["172.19.0.2"])
        #expect(try addresses(linked, "web") == ["172.19.0.2"])
        #expect(try addresses(linked, "web.front") == ["172.18.0.2"])
        #expect(try addresses(linked, "gone") == nil)
        // The network with the link does not answer with another's address; the other network does.
        #expect(try addresses(linked, "shared") == ["172.18.0.3"])
        #expect(try addresses(linked, "shared.back.net") == nil)
        #expect(try addresses(resolver(), "database") == nil)
    }

    @Test("questions of other classes are asked of servers")
    func classes() throws {
        #expect(try answer(resolver(), query("web", .a, RecordClass(rawValue: 3))) == nil)
    }

    // MARK: Servers

    @Test("with ndots, names of one label are not asked of servers")
    func singleLabels() throws {
        let resolver = try resolver { $0.keepsSingleLabels = true }
        for type in [RecordType.a, .aaaa] {
            let message = try #require(try answer(resolver, query("nobody", type)))
            #expect(message.header.responseCode == .noError)
            #expect(message.answers.isEmpty)
        }
        #expect(try answer(resolver, query("nobody", .mx)) == nil)
        #expect(try answer(resolver, query("nobody.example")) == nil)
        #expect(try addresses(resolver, "db") == ["172.19.0.2"])
    }

    @Test("three servers are asked at most, and on internal networks none through the host's namespace")
    func servers() throws {
        func servers(_ change: (inout ResolverConfiguration) -> Void) throws -> [ResolverConfiguration.Server] {
            guard case .forward(_, let servers) = try decide(resolver(change), query("nobody")) else { return [] }
            return servers
        }
        #expect(try servers { $0.servers = Array(repeating: Self.given, count: 5) }.count == 3)
        #expect(try servers { $0.servers = [Self.host, Self.given] } == [Self.host, Self.given])
        let internalOnly = try servers {
            $0.mayUseHost = false
            $0.servers = [Self.host, Self.given]
        }
        #expect(internalOnly == [Self.given])
    }

    @Test("without a server the answer is that of a failure")
    func noServer() throws {
        for change in [{ $0.servers = [] }, { $0.mayUseHost = false }] as [(inout ResolverConfiguration) -> Void] {
            let message = try #require(try answer(resolver(change), query("nobody")))
            #expect(message.header.responseCode == .serverFailure)
            #expect(message.questions == [Question(DNSMessageTests.name("nobody"), .a)])
        }
    }

    // MARK: Sizes

    @Test("an answer by UDP has at most 512 bytes, or what the query says; by TCP it is whole")
    func sizes() throws {
        let endpoints = (0..<300).map {
            NamedEndpoint(names: ["all"], addresses: [IPAddress(.ipv4, 0x0A00_0000 + UInt128($0))])
        }
        let table = try NameTableTests.table(NameTableWriter.image(of: endpoints, generation: 1))
        let network = ResolverConfiguration.Network(name: "n", namesFile: "")
        let resolver = Resolver(ResolverConfiguration(networks: [network])) { _ in { table } }
        let small = try #require(try answer(resolver, query("all")))
        #expect(small.header.flags.contains(.truncated))
        #expect(small.answers.count == (512 - 12 - 9) / 16)
        for (size, count) in [(100, (512 - 12 - 9 - 11) / 16), (1232, (1232 - 12 - 9 - 11) / 16), (8192, 300)] {
            let edns = ExtendedDNS(payloadSize: UInt16(size), wantsSignatures: true)
            let message = try #require(try answer(resolver, query("all", edns: edns)))
            #expect(message.answers.count == count)
            #expect(message.header.flags.contains(.truncated) == (count < 300))
            #expect(message.extended == ExtendedDNS(payloadSize: 4096, wantsSignatures: true))
        }
        let whole = try #require(try answer(resolver, query("all"), by: .tcp))
        #expect(whole.answers.count == 300)
        #expect(!whole.header.flags.contains(.truncated))
    }

    // MARK: Bad queries

    @Test("an answer is no query")
    func ignored() throws {
        var bytes = query("web")
        bytes[2] |= 0x80
        #expect(try decide(resolver(), bytes) == .ignore)
        #expect(try decide(resolver(), Array(bytes.prefix(11))) == .ignore)
    }

    @Test("queries that cannot be understood get an answer that says so")
    func refused() throws {
        let resolver = try resolver()
        func code(_ bytes: [UInt8]) throws -> ResponseCode? { try answer(resolver, bytes)?.header.responseCode }
        var update = query("web")
        update[2] |= 5 << 3
        #expect(try code(update) == .notImplemented)
        var two = query("web")
        two[5] = 2
        #expect(try code(two + query("web").dropFirst(12)) == .formatError)
        #expect(try code(query("web").dropLast(1).map { $0 }) == .formatError)
        #expect(try code(Array(query("web").prefix(12))) == .formatError)
        var many = query("web")
        many[6] = 0xFF
        #expect(try code(many) == .formatError)
        let future = try #require(
            try answer(resolver, query("web", edns: ExtendedDNS(payloadSize: 512, version: 1))))
        #expect(future.header.responseCode == .noError)
        #expect(future.additional.first?.timeToLive == 0x0100_0000)
        #expect(future.answers.isEmpty)
    }

    @Test("no bytes end the process")
    func randomBytes() throws {
        var generator = SystemRandomNumberGenerator()
        let resolver = try resolver()
        let good = query("a.b.web.back.net", .ptr, edns: ExtendedDNS(payloadSize: 1232))
        for _ in 0..<20_000 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = .random(in: 0...255, using: &generator)
            }
            if Bool.random(using: &generator) { bytes.removeLast(.random(in: 0..<bytes.count, using: &generator)) }
            if case .answer(let answer) = decide(resolver, bytes) {
                #expect(Array(answer.prefix(2)) == Array(bytes.prefix(2)))
            }
        }
    }

    // MARK: Answers of servers

    private func forwarded(_ query: [UInt8]) throws -> ForwardedQuery {
        guard case .forward(let forwarded, _) = try decide(resolver(), query) else {
            preconditionFailure("not forwarded")
        }
        return forwarded
    }

    private func judge(_ query: ForwardedQuery, _ answer: [UInt8], id: UInt16 = 7) -> ForwardedQuery.Verdict {
        answer.withUnsafeBytes { query.judge($0, id: id) }
    }

    @Test("the answer to a query gets the id that its sender knows")
    func goodAnswer() throws {
        let query = try forwarded(query("nobody.example"))
        var answer = query.bytes(id: 7)
        #expect(Array(answer.prefix(2)) == [0, 7])
        answer[2] |= 0x80
        #expect(judge(query, answer) == .answer([0x42, 0x42] + answer.dropFirst(2)))
        answer[3] |= 3
        #expect(judge(query, answer) == .answer([0x42, 0x42] + answer.dropFirst(2)))
        // Servers may write the name in another case.
        answer[13] ^= 0x20
        #expect(judge(query, answer) == .answer([0x42, 0x42] + answer.dropFirst(2)))
    }

    @Test("a server that fails or refuses is not the last one", arguments: [2, 5] as [UInt8])
    func failure(code: UInt8) throws {
        let query = try forwarded(query("nobody.example"))
        var answer = query.bytes(id: 7)
        answer[2] |= 0x80
        answer[3] |= code
        #expect(judge(query, answer) == .tryNext)
        #expect(judge(query, Array(answer.prefix(4)) + [0, 0, 0, 0, 0, 0, 0, 0]) == .tryNext)
    }

    @Test("what is not about the query is no answer to it")
    func unrelated() throws {
        let query = try forwarded(query("nobody.example"))
        let answer: [UInt8] = {
            var bytes = query.bytes(id: 7)
            bytes[2] |= 0x80
            return bytes
        }()
        #expect(judge(query, answer, id: 8) == .unrelated)
        #expect(judge(query, query.bytes(id: 7)) == .unrelated)
        #expect(judge(query, []) == .unrelated)
        #expect(judge(query, Array(answer.prefix(20))) == .unrelated)
        #expect(judge(query, Array(answer.prefix(4)) + [UInt8](repeating: 0, count: 8)) == .unrelated)
        for position in [2, 14, answer.count - 3, answer.count - 1] {
            var changed = answer
            changed[position] ^= 0x08
            #expect(judge(query, changed) == .unrelated, "\(position)")
        }
        #expect(
            judge(query, Array(answer.prefix(3)) + [1] + [UInt8](repeating: 0, count: 8))
                == .answer([0x42, 0x42, answer[2], 1] + [UInt8](repeating: 0, count: 8)))
    }
}
