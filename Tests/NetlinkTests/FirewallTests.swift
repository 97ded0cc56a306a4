import Addresses
import JSON
import LinuxKernel
import Netlink
import SystemPackage
import Testing

@Suite("nf_tables")
struct FirewallTests {
    private let table = FirewallTable(.inet, "masu")

    private func namespace() throws -> (TestNamespace, NetfilterSocket) {
        let namespace = try TestNamespace()
        return (namespace, try NetfilterSocket.opened(in: namespace.descriptor))
    }

    /// The maps, chains and rules that publish ports, in every form of rule there is.
    private func publishing() throws -> (FirewallTransaction, [FirewallSet], [FirewallChain], [FirewallRule]) {
        let key: [DataType] = [.transportProtocol, .port]
        let ports4 = FirewallSet(table, "ports4", key: key, .values([.ipv4, .port]))
        let ports6 = FirewallSet(table, "ports6", key: key, .values([.ipv6, .port]))
        let bridges = FirewallSet(table, "bridges", key: [.interfaceName])
        let pairs = FirewallSet(table, "pairs", key: [.interfaceName, .interfaceName], .verdicts)
        let subnets = FirewallSet(table, "subnets", key: [.ipv4], hasIntervals: true)
        let ranges = FirewallSet(table, "ranges", key: [.ipv4, .port], hasIntervals: true, size: 100)
        let marks = FirewallSet(table, "marks", key: [.mark], hasTimeouts: true)
        let sets = [ports4, ports6, bridges, pairs, subnets, ranges, marks]

        let raw = FirewallChain(table, "raw", .init(.filter, .prerouting, priority: -300))
        let before = FirewallChain(table, "prerouting", .init(.nat, .prerouting, priority: -100))
        let after = FirewallChain(table, "postrouting", .init(.nat, .postrouting, priority: 100))
        let forward = FirewallChain(table, "forward", .init(.filter, .forward, priority: 0, accepts: false))
        let output = FirewallChain(table, "output", .init(.route, .output, priority: -150))
        let other = FirewallChain(table, "other")
        let chains = [raw, before, after, forward, output, other]
        let loopback = try #require(IPSubnet("127.0.0.0/8"))
        let odd = try #require(IPSubnet("fd00:9::/59"))
        let address = try #require(IPAddress("10.9.0.2"))
        let address6 = try #require(IPAddress("fd00:9::2"))
        let rules = [
            FirewallRule(in: raw, comment: "nobody else is the machine itself") {
                $0.require(.inputInterface, .notEqual, .name("lo"))
                $0.require(.destination(.ipv4), in: loopback)
                $0.count()
                $0.drop()
            },
            FirewallRule(in: before) {
                $0.require(.destinationKind, .equal, .kind(.local))
                $0.translateDestination(.transportProtocol, .destinationPort, by: ports4, .ipv4)
            },
            FirewallRule(in: before) {
                $0.require(.destinationKind, .equal, .kind(.local))
                $0.translateDestination(.transportProtocol, .destinationPort, by: ports6, .ipv6)
            },
            FirewallRule(in: before) {
                $0.require(.transportProtocol, .equal, .transport(.tcp))
                $0.require(.destinationPort, .equal, .port(8080))
                $0.translateDestination(to: address, port: 80)
            },
            FirewallRule(in: before) {
                $0.require(.transportProtocol, .equal, .transport(.udp))
                $0.require(.destinationPort, from: .port(53), through: .port(60))
                $0.redirect(to: 5353)
            },
            FirewallRule(in: before) {
                $0.require(.source(.ipv6), in: odd)
                $0.translateDestination(to: address6)
            },
            FirewallRule(in: after) {
                $0.require(.outputInterface, in: bridges)
                $0.require([.destinationNAT])
                $0.masquerade()
            },
            FirewallRule(in: after) {
                $0.require(.source(.ipv4), in: subnets)
                $0.require(.outputInterface, in: bridges, isInverted: true)
                $0.translateSource(to: address)
            },
            FirewallRule(in: forward) {
                $0.require([.established, .related])
                $0.accept()
            },
            FirewallRule(in: forward) { $0.decide(.inputInterface, .outputInterface, by: pairs) },
            FirewallRule(in: forward) {
                $0.require(.transportProtocol, .equal, .transport(.tcp))
                $0.require(.originalDestination(.ipv4), .equal, .address(address))
                $0.require(.originalDestinationPort, .equal, .port(8080))
                $0.jump(to: other)
            },
            FirewallRule(in: forward) {
                $0.require(.destination(.ipv4), .destinationPort, in: ranges)
                $0.limit(to: RateLimit(5))
                $0.log("masu ")
                $0.reject()
            },
            FirewallRule(in: output) {
                $0.require(.inputInterface, .equal, .name(beginningWith: "ms"))
                $0.require(.mark, in: marks, isInverted: true)
                $0.setMark(0x6d)
                $0.setConnectionMark(7)
            },
            FirewallRule(in: other) {
                $0.require(.inputInterfaceIndex, .equal, .index(1))
                $0.return()
            },
        ]
        var transaction = FirewallTransaction([table.creation])
        transaction.append(sets.map(\.creation))
        transaction.append(chains.map(\.creation))
        transaction.append(rules.map(\.addition))
        return (transaction, sets, chains, rules)
    }

    @Test("what was made is read back the same", .needsNamespaces)
    func readBack() throws {
        let (_, socket) = try namespace()
        let (transaction, sets, chains, rules) = try publishing()
        try socket.perform(transaction)
        let ruleset = try socket.ruleset()
        #expect(ruleset.tables == [table])
        #expect(Set(ruleset.chains) == Set(chains))
        #expect(Set(ruleset.sets) == Set(sets))
        for chain in chains {
            let expected = rules.filter { $0.chain == chain.name }
            let found = ruleset.rules(of: chain)
            #expect(found.map(\.expressions) == expected.map(\.expressions), "\(chain)")
            #expect(found.map(\.userData) == expected.map(\.userData) && found.allSatisfy { $0.handle != nil })
        }
        #expect(ruleset.rules.first?.userData?.comment == "nobody else is the machine itself")
    }

    @Test("nft prints what was made as a person would have written it", .needsNamespaces)
    func printed() throws {
        let (namespace, socket) = try namespace()
        let (transaction, sets, _, _) = try publishing()
        try socket.perform(transaction)
        let ports = FirewallElement(
            FirewallKey(.transport(.tcp), .port(8080)),
            .value(FirewallKey(.address(try #require(IPAddress("10.9.0.2"))), .port(80))),
            userData: FirewallUserData(comment: "sandbox"))
        try socket.perform(FirewallTransaction(sets[0].creation(of: [ports])))
        guard let text = try namespace.output(of: "nft", ["-n", "-s", "list", "ruleset"]) else { return }
        for line in [
            "type inet_proto . inet_service : ipv4_addr . inet_service",
            #"elements = { 6 . 8080 comment "sandbox" : 10.9.0.2 . 80 }"#,
            "type ifname . ifname : verdict", "type ipv4_addr . inet_service", "flags interval",
            "type filter hook prerouting priority -300; policy accept;",
            "type filter hook forward priority 0; policy drop;",
            #"iifname != "lo" ip daddr 127.0.0.0/8 counter drop comment "nobody else is the machine itself""#,
            "fib daddr type 2 dnat ip to meta l4proto . th dport map @ports4",
            "fib daddr type 2 dnat ip6 to meta l4proto . th dport map @ports6",
            "tcp dport 8080 dnat ip to 10.9.0.2:80", "udp dport 53-60 redirect to :5353",
            "ip6 saddr fd00:9::/59 dnat ip6 to fd00:9::2", "oifname @bridges ct status 0x20 masquerade",
            "ip saddr @subnets oifname != @bridges snat ip to 10.9.0.2", "ct state 0x2,0x4 accept",
            "iifname . oifname vmap @pairs", "ct original ip daddr 10.9.0.2 ct original proto-dst 8080 jump other",
            #"ip daddr . th dport @ranges limit rate 5/second log prefix "masu " reject"#,
            #"iifname "ms*" meta mark != @marks"#, "ct mark set 0x00000007", #"iif "lo" return"#,
        ] {
            #expect(text.contains(line), "\(line) is not in\n\(text)")
        }
    }

    @Test("what nft wrote is read, with what is not known here by its name", .needsNamespaces)
    func writtenByNFT() throws {
        let (namespace, socket) = try namespace()
        let rules = """
            add table ip t; add set ip t s { type ipv4_addr; flags interval; };
            add element ip t s { 10.0.0.0/8, 192.168.1.7, 192.168.1.8-192.168.1.20, 255.0.0.0/8 };
            add chain ip t c { type filter hook input priority 0; policy drop; };
            add rule ip t c ip saddr @s tcp dport { 80, 443 } accept;
            add rule ip t c tcp dport 22 ct state new accept comment "hi"; add rule ip t c numgen inc mod 2 0 drop;
            add rule ip t c iifname "eth*" tcp flags syn reject with tcp reset
            """
        guard try namespace.output(of: "nft", [rules]) != nil else { return }
        let ruleset = try socket.ruleset()
        #expect(ruleset.tables == [FirewallTable(.ipv4, "t")])
        let chain = try #require(ruleset.chains.first)
        #expect(chain.base == .init(.filter, .input, priority: 0, accepts: false))
        let found = ruleset.rules(of: chain)
        #expect(found.count == 4 && found[0].expressions.last == .verdict(.accept))
        #expect(found[0].expressions.contains(.isMember(.first, of: "s", isInverted: false)))
        #expect(found[1].userData?.comment == "hi")
        #expect(found[1].expressions.contains(.compare(.first, .equal, FieldValue.port(22).bytes)))
        #expect(found[2].expressions.contains(.unknown("numgen")) && found[2].expressions.last == .verdict(.drop))
        #expect(found[3].expressions.last == .reject(.reset))
        let set = try #require(ruleset.sets.first { $0.name == "s" })
        #expect(set.hasIntervals && set.key == [.ipv4])
        func key(_ text: String) throws -> FirewallKey { FirewallKey(.address(try #require(IPAddress(text)))) }
        let elements = try socket.elements(of: set)
        #expect(
            try elements.map(\.key) == [key("10.0.0.0"), key("192.168.1.7"), key("192.168.1.8"), key("255.0.0.0")])
        #expect(
            try elements.map(\.lastKey) == [
                key("10.255.255.255"), nil, key("192.168.1.20"), key("255.255.255.255"),
            ])
    }

    @Test("rules of iptables-nft are read with the names of its extensions", .needsNamespaces)
    func writtenByIPTables() throws {
        let (namespace, socket) = try namespace()
        let arguments = [
            "-A", "INPUT", "-p", "tcp", "--dport", "80", "-m", "conntrack", "--ctstate", "NEW", "-j", "LOG",
        ]
        guard try namespace.output(of: "iptables-nft", arguments) != nil else { return }
        let rules = try socket.rules(of: FirewallTable(.ipv4, "filter"))
        let steps = rules.flatMap(\.expressions)
        #expect(steps.contains { if case .tablesMatch(let match) = $0 { match.name == "conntrack" } else { false } })
        #expect(steps.contains { if case .tablesTarget(let target) = $0 { target.name == "LOG" } else { false } })
    }

    @Test("thousands of elements are added, read and removed, whatever their size", .needsNamespaces)
    func manyElements() throws {
        let (_, socket) = try namespace()
        let map = FirewallSet(table, "ports", key: [.transportProtocol, .port], .values([.ipv6, .port]))
        let comment = FirewallUserData(comment: String(repeating: "a", count: 64))
        let elements = (0..<3000).map { number in
            FirewallElement(
                FirewallKey(.transport(.tcp), .port(UInt16(10000 + number))),
                .value(FirewallKey(.address(IPAddress(.ipv6, 0xfd << 120 | UInt128(number))), .port(80))),
                userData: comment)
        }
        let additions = map.creation(of: elements)
        #expect(additions.count > 4, "an attribute has room for less than half of a megabyte")
        try socket.perform(FirewallTransaction([table.addition, map.addition] + additions))
        #expect(Set(try socket.elements(of: map)) == Set(elements))
        try socket.perform(FirewallTransaction(map.removal(of: Array(elements.dropFirst()))))
        #expect(try socket.elements(of: map) == [elements[0]])
        try socket.perform(FirewallTransaction([map.flush]))
        #expect(try socket.elements(of: map).isEmpty)
    }

    @Test("ranges, of one part and of several, and verdicts are read back", .needsNamespaces)
    func ranges() throws {
        let (_, socket) = try namespace()
        let ports = FirewallSet(table, "ports", key: [.port], .verdicts, hasIntervals: true)
        let pairs = FirewallSet(table, "pairs", key: [.ipv4, .port], hasIntervals: true)
        let target = FirewallChain(table, "target")
        let first = try #require(IPAddress("10.0.0.0")), last = try #require(IPAddress("10.0.0.255"))
        let portElements = [
            FirewallElement(FirewallKey(.port(80)), .verdict(.accept)),
            FirewallElement(FirewallKey(.port(81)), through: FirewallKey(.port(90)), .verdict(.jump("target"))),
            FirewallElement(FirewallKey(.port(65000)), through: FirewallKey(.port(65535)), .verdict(.drop)),
        ]
        let pairElements = [
            FirewallElement(
                FirewallKey(.address(first), .port(80)), through: FirewallKey(.address(last), .port(90)))
        ]
        try socket.perform(
            FirewallTransaction(
                [table.addition, target.addition, ports.addition, pairs.addition]
                    + ports.addition(of: portElements) + pairs.addition(of: pairElements)))
        #expect(try socket.elements(of: ports) == portElements)
        #expect(try socket.elements(of: pairs) == pairElements)
        try socket.perform(
            FirewallTransaction(ports.removal(of: [portElements[1]]) + pairs.removal(of: pairElements)))
        #expect(try socket.elements(of: ports) == [portElements[0], portElements[2]])
        #expect(try socket.elements(of: pairs).isEmpty)
    }

    @Test("an element is for all keys that no other one is for", .needsNamespaces)
    func others() throws {
        let (_, socket) = try namespace()
        let map = FirewallSet(table, "m", key: [.port], .verdicts)
        let elements = [FirewallElement(FirewallKey(.port(80)), .verdict(.accept)), .others(.verdict(.drop))]
        try socket.perform(FirewallTransaction([table.addition, map.addition] + map.addition(of: elements)))
        #expect(try Set(socket.elements(of: map)) == Set(elements))
        try socket.perform(FirewallTransaction(map.removal(of: [elements[1]])))
        #expect(try socket.elements(of: map) == [elements[0]])
    }

    @Test("of changes one of which is wrong none is made, and the wrong one is named", .needsNamespaces)
    func wrongChange() throws {
        let (_, socket) = try namespace()
        let missing = FirewallChain(FirewallTable(.inet, "missing"), "c")
        let changes = [table.creation, missing.creation, FirewallChain(table, "c").creation]
        let error = #expect(throws: NetlinkError.self) { try socket.perform(FirewallTransaction(changes)) }
        #expect(error?.index == 1 && error?.errno == .noSuchFileOrDirectory)
        #expect(error?.request == "create the chain inet missing c")
        #expect(try socket.tables().isEmpty)
    }

    @Test("changes for another state are refused", .needsNamespaces)
    func stale() throws {
        let (_, socket) = try namespace()
        let generation = try socket.ruleset().generation
        try socket.perform(FirewallTransaction([table.creation], generation: generation))
        let error = #expect(throws: NetlinkError.self) {
            try socket.perform(FirewallTransaction([table.removal], generation: generation))
        }
        #expect(error?.isStale == true && error?.index == nil)
        #expect(try socket.tables() == [table])
        try socket.perform(FirewallTransaction([table.removal], generation: socket.generation()))
        #expect(try socket.tables().isEmpty)
    }

    @Test("rules are inserted, replaced and removed by their handles", .needsNamespaces)
    func handles() throws {
        let (_, socket) = try namespace()
        let chain = FirewallChain(table, "c")
        func rule(_ mark: UInt32) -> FirewallRule { FirewallRule(in: chain) { $0.setMark(mark) } }
        func marks() throws -> [[Expression]] { try socket.rules(of: table).map(\.expressions) }
        try socket.perform(
            FirewallTransaction([table.addition, chain.addition, rule(2).addition, rule(1).insertion]))
        #expect(try marks() == [rule(1).expressions, rule(2).expressions])
        let second = try #require(try socket.rules(of: table).last?.handle)
        var new = rule(4)
        new.handle = second
        try socket.perform(FirewallTransaction([rule(3).insertion(before: second), new.replacement]))
        #expect(try marks() == [rule(1).expressions, rule(3).expressions, rule(4).expressions])
        let first = try #require(try socket.rules(of: table).first?.handle)
        try socket.perform(FirewallTransaction([FirewallRule.removal(first, of: chain)]))
        #expect(try marks() == [rule(3).expressions, rule(4).expressions])
        try socket.perform(FirewallTransaction([chain.flush, chain.removal]))
        #expect(try socket.chains().isEmpty)
    }

    @Test("what is not there is destroyed without an error", .needsNamespaces)
    func destruction() throws {
        let (_, socket) = try namespace()
        let set = FirewallSet(table, "s", key: [.port])
        try socket.perform(FirewallTransaction([table.addition, set.addition]))
        let gone = FirewallElement(FirewallKey(.port(1)))
        do {
            try socket.perform(FirewallTransaction(set.destruction(of: [gone])))
        } catch {
            // Before Linux 6.3.
            #expect(error.errno == .invalidArgument || error.errno == .notSupported)
            return
        }
        #expect(throws: NetlinkError.self) { try socket.perform(FirewallTransaction(set.removal(of: [gone]))) }
        let chain = FirewallChain(table, "c")
        try socket.perform(
            FirewallTransaction([chain.destruction, set.destruction, set.destruction, table.destruction]))
        #expect(try socket.tables().isEmpty)
        try socket.perform(FirewallTransaction([table.destruction]))
    }

    @Test("a flushed firewall is told, with who did it", .needsNamespaces)
    func notifications() throws {
        let (namespace, socket) = try namespace()
        let news = try NetworkNamespace.visit(namespace.descriptor) { Result { try Subscription([.firewall]) } }.get()
        try socket.perform(FirewallTransaction([table.creation]))
        try socket.perform(FirewallTransaction([table.removal]))
        var told: [FirewallNotification] = []
        while case .messages(let messages) = try news.take(), !messages.isEmpty {
            told += try messages.compactMap { try FirewallNotification($0) }
        }
        #expect(told.first == .tableAdded(table))
        #expect(told.contains(.tableRemoved(table)))
        guard case .generation(let number, let processID, _) = told.last else {
            Issue.record("no generation: \(told)")
            return
        }
        #expect(try number == socket.generation() && processID != nil)
    }

    @Test("ports are rewritten and packets handed on in the chains of their families", .needsNamespaces)
    func rewriting() throws {
        let (namespace, socket) = try namespace()
        let names = FirewallTable(.ipv4, "masu_dns")
        let output = FirewallChain(names, "out", .init(.filter, .output, priority: -300))
        let resolver = try #require(IPAddress("127.0.0.11"))
        var transaction = FirewallTransaction([names.creation, output.creation])
        for transport in [TransportProtocol.tcp, .udp] {
            let asked = FirewallRule(in: output) {
                $0.require(.destination(.ipv4), .equal, .address(resolver))
                $0.require(.transportProtocol, .equal, .transport(transport))
                $0.require(.destinationPort, .equal, .port(53))
                $0.rewrite(.destination, of: transport, to: 45678)
            }
            let answered = FirewallRule(in: output) {
                $0.require(.source(.ipv4), .equal, .address(resolver))
                $0.require(.transportProtocol, .equal, .transport(transport))
                $0.require(.sourcePort, .equal, .port(45678))
                $0.doNotTrack()
                $0.rewrite(.source, to: 53)
            }
            transaction.append([asked.addition, answered.addition])
        }
        try socket.perform(transaction)
        if let text = try namespace.output(of: "nft", ["-n", "list", "ruleset"]) {
            #expect(text.contains("ip daddr 127.0.0.11 tcp dport 53 tcp dport set 45678"), "\(text)")
            #expect(text.contains("udp sport 45678 notrack udp sport set 53"), "\(text)")
        }
    }

    @Test("steps that only some kernels have are read back the same, or refused", .needsNamespaces)
    func rareSteps() throws {
        let (_, socket) = try namespace()
        let chain = FirewallChain(table, "proxied", .init(.filter, .prerouting, priority: -150))
        try socket.perform(FirewallTransaction([table.creation, chain.creation]))
        let rules = [
            FirewallRule(in: chain) {
                $0.require(.ipv4)
                $0.require(.transportProtocol, .equal, .transport(.tcp))
                $0.proxy(to: 9000)
            },
            FirewallRule(in: chain, [.socket(.isTransparent, into: .first), .compare(.first, .equal, [1])]),
            FirewallRule(in: chain, [.routeLookup(.interfaceIndex, [.source, .inputInterface], into: .first)]),
            FirewallRule(in: chain, [.limit(RateLimit(7, seconds: 60, countsBytes: true, isInverted: true))]),
            FirewallRule(in: chain, [.reject(.icmpOfAnyFamily(code: 3))]),
        ]
        for rule in rules {
            let result = Result { () throws(NetlinkError) in
                try socket.perform(FirewallTransaction([chain.flush, rule.addition]))
            }
            switch result {
            case .success: #expect(try socket.rules(of: table).map(\.expressions) == [rule.expressions])
            case .failure(let error):
                #expect([.noSuchFileOrDirectory, .notSupported].contains(error.errno) && error.index == 1, "\(error)")
            }
        }
    }
}
