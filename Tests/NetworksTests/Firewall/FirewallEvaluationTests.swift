import Addresses
import LinuxKernel
import Netlink
import Networks
import PublishedPorts
import SystemPackage
import Testing

@Suite("what a packet filter would do")
struct FirewallEvaluationTests {
    private let filter = FirewallTable(.inet, "filter")

    private func chain(
        _ name: String, _ hook: FirewallChain.Hook? = nil, drops: Bool = false, priority: Int32 = 0
    ) -> FirewallChain {
        FirewallChain(filter, name, hook.map { .init(.filter, $0, priority: priority, accepts: !drops) })
    }

    private func outcome(
        _ host: HostRuleset, _ hook: FirewallChain.Hook = .input, port: UInt16? = 8080, from interface: String = "eth0"
    ) -> FirewallEvaluation.Outcome {
        FirewallEvaluation(host).outcome(
            of: FirewallPacket(.ipv4, .tcp, port: port, originalPort: port, inputInterface: interface), at: hook)
    }

    @Test("without chains everything passes")
    func empty() {
        #expect(outcome(HostRuleset()) == .init(verdict: .accept, reason: nil))
    }

    @Test("a policy decides about what no rule does")
    func policy() {
        let host = HostRuleset(chains: [chain("input", .input, drops: true)])
        #expect(outcome(host) == .init(verdict: .drop, reason: "chain inet filter input: policy drop"))
        #expect(outcome(host, .forward).verdict == .accept)
    }

    @Test("a rule that lets a port pass is for that port alone")
    func port() {
        let input = chain("input", .input, drops: true)
        let rules = [
            FirewallRule(in: input) {
                $0.require([.established] as ConnectionState)
                $0.accept()
            },
            FirewallRule(in: input) {
                $0.require(.destinationPort, .equal, .port(8080))
                $0.accept()
            },
        ]
        let host = HostRuleset(chains: [input], rules: rules)
        #expect(outcome(host) == .init(verdict: .accept, reason: "inet filter input: th dport 8080 accept"))
        #expect(outcome(host, port: 8081).verdict == .drop)
        #expect(outcome(host, port: nil).verdict == .unknown)
    }

    @Test("a drop of any chain is final, whatever another one says")
    func severalChains() {
        let (first, second) = (chain("a", .input, priority: -10), chain("b", .input, priority: 10))
        let rules = [FirewallRule(in: first) { $0.accept() }, FirewallRule(in: second) { $0.drop() }]
        let outcome = outcome(HostRuleset(chains: [second, first], rules: rules))
        #expect(outcome == .init(verdict: .drop, reason: "inet filter b: drop"))
    }

    @Test("jumps come back, and rejections are drops")
    func jumps() {
        let (input, other) = (chain("input", .input), chain("other"))
        let rules = [
            FirewallRule(in: input) { $0.jump(to: other) }, FirewallRule(in: input) { $0.reject() },
            FirewallRule(in: other) {
                $0.require(.inputInterface, .equal, .name("lo"))
                $0.accept()
            },
        ]
        let host = HostRuleset(chains: [input, other], rules: rules)
        #expect(outcome(host).verdict == .drop)
        #expect(
            outcome(host, from: "lo") == .init(verdict: .accept, reason: "inet filter other: iifname \"lo\" accept"))
    }

    @Test("members of sets and ranges are found, and what a set of the kernel does not say is unknown")
    func sets() {
        let input = chain("input", .input, drops: true)
        let set = FirewallSet(filter, "ports", key: [.port], hasIntervals: true)
        let rules = [
            FirewallRule(in: input) {
                $0.require(.destinationPort, in: set)
                $0.accept()
            }
        ]
        let element = FirewallElement(FirewallKey(.port(8000)), through: FirewallKey(.port(8999)))
        let host = HostRuleset(
            chains: [input], rules: rules, sets: [set], elements: ["inet filter ports": [element]])
        #expect(outcome(host).verdict == .accept && outcome(host, port: 9000).verdict == .drop)
        #expect(outcome(HostRuleset(chains: [input], rules: rules, sets: [set])).verdict == .unknown)
    }

    @Test("rules of iptables-nft are understood: ports and the state of connections")
    func tables() {
        let input = FirewallChain(
            FirewallTable(.ipv4, "filter"), "INPUT", .init(.filter, .input, priority: 0, accepts: false))
        // --dport 8080: all source ports, one destination port, nothing inverted.
        let tcp: [UInt8] = [0, 0, 255, 255, 0x90, 0x1F, 0x90, 0x1F, 0, 0, 0, 0]
        let rule = FirewallRule(
            in: input,
            [
                .tablesMatch(TablesExtension(name: "tcp", revision: 0, information: tcp)),
                .counter(packets: 0, bytes: 0),
                .verdict(.accept),
            ])
        let host = HostRuleset(chains: [input], rules: [rule])
        #expect(outcome(host) == .init(verdict: .accept, reason: "ip filter INPUT: tcp dport 8080 accept"))
        #expect(outcome(host, port: 80).verdict == .drop)
    }

    @Test("headers that ordinary packets do not have are nobody's, as ufw's rules for IPv6 ask for them")
    func rareHeaders() {
        let input = FirewallChain(FirewallTable(.ipv6, "filter"), "INPUT", .init(.filter, .input, priority: 0))
        let match = TablesExtension(name: "rt", revision: 0, information: [])
        let host = HostRuleset(
            chains: [input], rules: [FirewallRule(in: input, [.tablesMatch(match), .verdict(.drop)])])
        let packet = FirewallPacket(.ipv6, .tcp, port: 8080, originalPort: 8080, inputInterface: "eth0")
        #expect(FirewallEvaluation(host).outcome(of: packet, at: .input).verdict == .accept)
    }

    @Test("a condition that is not known makes a rule that decides otherwise a doubt")
    func unknown() {
        let input = chain("input", .input)
        let rule = FirewallRule(
            in: input,
            [.tablesMatch(TablesExtension(name: "geoip", revision: 0, information: [])), .verdict(.drop)])
        let host = HostRuleset(chains: [input], rules: [rule])
        #expect(outcome(host) == .init(verdict: .unknown, reason: "inet filter input: xt match geoip drop"))
    }

    @Test("the shim carries packets where the input chain drops and the forward chain does not")
    func modes() {
        let input = chain("input", .input, drops: true)
        #expect(FirewallMode.suiting(HostRuleset()) == .nat)
        #expect(FirewallMode.suiting(HostRuleset(chains: [input])) == .input)
        #expect(FirewallMode.suiting(HostRuleset(chains: [input, chain("forward", .forward, drops: true)])) == .nat)
        // One family is enough.
        let ipv6 = FirewallChain(
            FirewallTable(.ipv6, "filter"), "INPUT", .init(.filter, .input, priority: 0, accepts: false))
        #expect(FirewallMode.suiting(HostRuleset(chains: [ipv6])) == .input)
    }

    @Test("firewalld lets pass what is translated, and so the shim carries packets beside it")
    func firewalldMode() {
        let table = FirewallTable(.inet, "firewalld")
        func rules(_ chain: FirewallChain) -> [FirewallRule] {
            [
                FirewallRule(in: chain) {
                    $0.require([.established, .related] as ConnectionState)
                    $0.accept()
                },
                FirewallRule(in: chain) {
                    $0.require([.destinationNAT] as ConnectionStatus)
                    $0.accept()
                },
                FirewallRule(in: chain) {
                    $0.require(.inputInterface, .equal, .name("lo"))
                    $0.accept()
                },
                FirewallRule(in: chain) { $0.reject() },
            ]
        }
        let chains = [
            FirewallChain(table, "filter_INPUT", .init(.filter, .input, priority: 10)),
            FirewallChain(table, "filter_FORWARD", .init(.filter, .forward, priority: 10)),
        ]
        #expect(FirewallMode.suiting(HostRuleset(chains: chains, rules: chains.flatMap(rules))) == .input)
        // Where it forwards nothing that is not allowed (StrictForwardPorts), it decides about what is translated.
        let strict = rules(chains[0]) + [rules(chains[1])[0], rules(chains[1])[3]]
        #expect(FirewallMode.suiting(HostRuleset(chains: chains, rules: strict)) == .nat)
    }

    @Test("tables that are not read may drop, and so the shim carries packets unless forwarded ones are dropped anyhow")
    func legacyMode() {
        for family in IPAddress.Family.allCases {
            var host = HostRuleset(legacyTables: [LegacyFilterTable(family, "filter")])
            #expect(FirewallMode.suiting(host) == .input)
            host.chains = [chain("forward", .forward, drops: true)]
            #expect(FirewallMode.suiting(host) == .nat)
        }
    }

    @Test("only a kernel without nf_tables has certainly no chains; what else cannot be read may drop")
    func unreadable() {
        for error in [Errno.invalidArgument, .notSupported, .protocolNotSupported] {
            #expect(FirewallMode.suiting(unreadable: error) == .nat)
        }
        for error in [Errno.noMemory, .notPermitted, .interrupted, .noBufferSpace, .resourceTemporarilyUnavailable] {
            #expect(FirewallMode.suiting(unreadable: error) == .input)
        }
    }

    @Test("what may lead back to a chain is one of two possibilities for all that follows there")
    func doubtfulReturn() {
        let (input, other) = (chain("input", .input), chain("other"))
        let unknown = Expression.tablesMatch(TablesExtension(name: "geoip", revision: 0, information: []))
        let rules = [
            FirewallRule(in: input) { $0.jump(to: other) },
            FirewallRule(in: other, [unknown, .verdict(.return)]),
            FirewallRule(in: other) { $0.drop() },
        ]
        let host = HostRuleset(chains: [input, other], rules: rules)
        #expect(outcome(host) == .init(verdict: .unknown, reason: "inet filter other: drop"))
        // Without doubt nothing comes back.
        let certain = HostRuleset(chains: [input, other], rules: [rules[0], rules[2]])
        #expect(outcome(certain) == .init(verdict: .drop, reason: "inet filter other: drop"))
    }

    @Test("rules of iptables about translated connections are understood")
    func translatedConnections() {
        let forward = FirewallChain(
            FirewallTable(.ipv4, "filter"), "FORWARD", .init(.filter, .forward, priority: 0, accepts: false))
        // --ctstate DNAT --ctorigdstport 8080: what is asked, the state, the port's range.
        var information = [UInt8](repeating: 0, count: 168)
        for (offset, value) in [(140, 8080), (146, 0x201), (150, 128), (156, 8080)] {
            information[offset] = UInt8(value & 0xff)
            information[offset + 1] = UInt8(value >> 8)
        }
        let match = TablesExtension(name: "conntrack", revision: 3, information: information)
        let rule = FirewallRule(in: forward, [.tablesMatch(match), .verdict(.accept)])
        let host = HostRuleset(chains: [forward], rules: [rule])
        func outcome(_ port: UInt16, isTranslated: Bool) -> FirewallEvaluation.Outcome {
            FirewallEvaluation(host).outcome(
                of: FirewallPacket(.ipv4, .tcp, port: 80, originalPort: port, isTranslated: isTranslated),
                at: .forward)
        }
        #expect(
            outcome(8080, isTranslated: true)
                == .init(
                    verdict: .accept,
                    reason: "ip filter FORWARD: ct state dnat ct original proto-dst 8080 accept"))
        #expect(outcome(8081, isTranslated: true).verdict == .drop)
        #expect(outcome(8080, isTranslated: false).verdict == .drop)
    }

    // MARK: Reports

    private let published = FirewallReport.Port(
        PublishedPort(.tcp, .unspecified(.ipv4), 8080, to: 80),
        to: PortTarget(sandbox: "a", ipv4: PortTarget.Place(IPAddress(.ipv4, 0x0A09_0002))), bridge: "masu0")

    private func machines(
        _ host: HostRuleset, _ mode: FirewallMode = .input, interfaces: [String] = []
    ) throws -> FirewallReport.Entry {
        try #require(
            FirewallReport([published], mode: mode, host, interfaces: interfaces).entries.first {
                $0.source == .machines
            })
    }

    @Test(
        "what to type is for the tool whose table it is",
        arguments: [
            (
                FirewallTable(.inet, "firewalld"), "filter_INPUT", [],
                "firewall-cmd --permanent --add-port=8080/tcp && firewall-cmd --reload"
            ),
            (FirewallTable(.ipv4, "filter"), "INPUT", ["ufw-user-input"], "ufw allow 8080/tcp"),
            (FirewallTable(.ipv4, "filter"), "INPUT", [], "iptables-nft -I INPUT -p tcp --dport 8080 -j ACCEPT"),
            (FirewallTable(.ipv4, "raw"), "INPUT", [], "iptables-nft -t raw -I INPUT -p tcp --dport 8080 -j ACCEPT"),
            (FirewallTable(.inet, "mine"), "input", [], "nft insert rule inet mine input tcp dport 8080 accept"),
            (FirewallTable(.inet, "filter"), "INPUT", [], "nft insert rule inet filter INPUT tcp dport 8080 accept"),
        ])
    func remedies(_ table: FirewallTable, _ name: String, _ others: [String], _ line: String) throws {
        let chain = FirewallChain(table, name, .init(.filter, .input, priority: 0, accepts: false))
        // Somebody else's table, of another tool, is none of the matter.
        let foreign = FirewallChain(
            FirewallTable(.inet, "other"), "in", .init(.filter, .input, priority: -10, accepts: true))
        let chains = [foreign, chain] + others.map { FirewallChain(table, $0) }
        let entry = try machines(HostRuleset(chains: chains))
        #expect(entry.verdict == .drop && entry.remedy == line)
        #expect(entry.reason == "\(chain): policy drop")
    }

    @Test("where several chains drop, what to type is a line for each")
    func severalRemedies() throws {
        let first = chain("input", .input, drops: true)
        let second = FirewallChain(
            FirewallTable(.ipv4, "filter"), "INPUT", .init(.filter, .input, priority: 0, accepts: false))
        let entry = try machines(HostRuleset(chains: [first, second]))
        #expect(
            entry.remedy
                == "nft insert rule inet filter input tcp dport 8080 accept && "
                + "iptables-nft -I INPUT -p tcp --dport 8080 -j ACCEPT")
    }

    @Test("what to type for translated packets opens the container's port, or is not said")
    func translatedRemedies() throws {
        let ufw = FirewallTable(.ipv4, "filter")
        let forward = FirewallChain(ufw, "FORWARD", .init(.filter, .forward, priority: 0, accepts: false))
        let answers = FirewallRule(in: forward) {
            $0.require([.established, .related] as ConnectionState)
            $0.accept()
        }
        let host = HostRuleset(chains: [forward, FirewallChain(ufw, "ufw-user-input")], rules: [answers])
        #expect(try machines(host, .nat).remedy == "ufw route allow proto tcp to 10.9.0.2 port 80")
        // It has no line for answers, and without one the other does not help.
        let closed = try machines(HostRuleset(chains: host.chains), .nat)
        #expect(closed.verdict == .drop && closed.remedy == nil)
        let firewalld = FirewallChain(
            FirewallTable(.inet, "firewalld"), "filter_FORWARD", .init(.filter, .forward, priority: 10, accepts: false))
        let entry = try machines(HostRuleset(chains: [firewalld]), .nat)
        #expect(entry.verdict == .drop && entry.remedy == nil)
    }

    @Test("firewalld's line is for the zone of the interface, whose name is one word of the shell")
    func zones() throws {
        let input = FirewallChain(
            FirewallTable(.inet, "firewalld"), "filter_INPUT", .init(.filter, .input, priority: 10, accepts: false))
        let report = FirewallReport(
            [published], mode: .input, HostRuleset(chains: [input]), interfaces: ["eth1", "$(reboot)", "it's"])
        func line(_ source: FirewallReport.Source) -> String? {
            report.entries.first { $0.source == source }?.remedy
        }
        func expected(_ interface: String) -> String {
            "firewall-cmd --permanent --zone=\"$(firewall-cmd --get-zone-of-interface=\(interface))\" "
                + "--add-port=8080/tcp && firewall-cmd --reload"
        }
        #expect(line(.interface("eth1")) == expected("eth1"))
        #expect(line(.interface("$(reboot)")) == expected("'$(reboot)'"))
        #expect(line(.interface("it's")) == expected("'it'\\''s'"))
        #expect(line(.containers) == expected("masu0"))
        #expect(line(.host) == "firewall-cmd --permanent --add-port=8080/tcp && firewall-cmd --reload")
    }

    @Test(
        "names that nft's language does not have are in no line", arguments: ["a;flush ruleset", "$(reboot)", "it's"])
    func strangeNames(_ name: String) throws {
        for (table, chain) in [(name, "input"), ("mine", name)] {
            let input = FirewallChain(
                FirewallTable(.inet, table), chain, .init(.filter, .input, priority: 0, accepts: false))
            let entry = try machines(HostRuleset(chains: [input]))
            #expect(entry.verdict == .drop && entry.remedy == nil)
            let ingress = FirewallChain(
                FirewallTable(.netdev, table), chain, .init(.filter, .ingress, priority: 0, devices: ["eth0"]))
            let notes = FirewallReport([], mode: .nat, HostRuleset(chains: [ingress])).notes
            #expect(notes.count == 1 && notes[0].hasSuffix("(nft list ruleset)"))
        }
    }

    @Test("what opens a port of the host for its own programs opens no port of others")
    func ownPackets() throws {
        let nft = chain("output", .output, drops: true)
        let tables = FirewallChain(
            FirewallTable(.ipv4, "filter"), "OUTPUT", .init(.filter, .output, priority: 0, accepts: false))
        for (chain, line) in [
            (nft, "nft insert rule inet filter output oifname lo tcp dport 8080 accept && "),
            (tables, "iptables-nft -I OUTPUT -p tcp -o lo --dport 8080 -j ACCEPT && "),
        ] {
            let report = FirewallReport([published], mode: .input, HostRuleset(chains: [chain]))
            let entry = try #require(report.entries.first { $0.source == .host })
            #expect(entry.remedy?.hasPrefix(line) == true)
        }
    }

    @Test("of both ports asked for at once the known one decides")
    func bothPorts() throws {
        let input = chain("input", .input, drops: true)
        func entry(_ port: UInt16) throws -> FirewallReport.Entry {
            // As iptables-nft writes `--sport 67 --dport <port>`.
            let rule = FirewallRule(
                in: input,
                [
                    .payload(PayloadField(.transport, offset: 0, length: 4), into: .first),
                    .compare(.first, .equal, FieldValue.port(67).bytes + FieldValue.port(port).bytes),
                    .verdict(.accept),
                ])
            return try machines(HostRuleset(chains: [input], rules: [rule]))
        }
        #expect(try entry(68).verdict == .drop)
        #expect(try entry(68).remedy != nil)
        #expect(try entry(8080).verdict == .unknown)
    }

    @Test("where it is not known what drops, there is nothing to type")
    func doubtfulRemedy() throws {
        let input = chain("input", .input)
        let rule = FirewallRule(
            in: input,
            [.tablesMatch(TablesExtension(name: "geoip", revision: 0, information: [])), .verdict(.drop)])
        let entry = try machines(HostRuleset(chains: [input], rules: [rule]))
        #expect(entry.verdict == .unknown && entry.remedy == nil)
    }

    @Test("a chain that drops answers closes a port as well")
    func answers() throws {
        let output = chain("output", .output, drops: true)
        let entry = try machines(HostRuleset(chains: [output]))
        #expect(entry.verdict == .drop && entry.reason == "answers: chain inet filter output: policy drop")
        let line = "nft insert rule inet filter output tcp sport 8080 ct state established accept"
        #expect(entry.remedy == line)
        let established = FirewallRule(in: output) {
            $0.require([.established, .related] as ConnectionState)
            $0.accept()
        }
        #expect(try machines(HostRuleset(chains: [output], rules: [established])).verdict == .accept)
    }

    @Test("an interface is known by its number, too")
    func interfaceNumbers() {
        let input = chain("input", .input, drops: true)
        let rule = FirewallRule(in: input) {
            $0.require(.inputInterfaceIndex, .equal, .index(7))
            $0.accept()
        }
        var host = HostRuleset(chains: [input], rules: [rule])
        host.interfaces["eth0"] = 7
        #expect(outcome(host).verdict == .accept)
        #expect(outcome(host, from: "eth1").verdict == .drop && outcome(host, from: "lo").verdict == .drop)
    }

    @Test("interfaces are told apart where a rule does, and only there")
    func interfaces() {
        let input = chain("input", .input, drops: true)
        let rule = FirewallRule(in: input) {
            $0.require(.inputInterface, .equal, .name("eth1"))
            $0.accept()
        }
        func sources(_ rules: [FirewallRule]) -> [FirewallReport.Source: FirewallEvaluation.Verdict] {
            let host = HostRuleset(chains: [input], rules: rules)
            let report = FirewallReport([published], mode: .input, host, interfaces: ["eth0", "eth1"])
            return Dictionary(uniqueKeysWithValues: report.entries.map { ($0.source, $0.verdict) })
        }
        #expect(
            sources([rule])
                == [.host: .drop, .interface("eth0"): .drop, .interface("eth1"): .accept, .containers: .drop])
        #expect(sources([]) == [.host: .drop, .machines: .drop, .containers: .drop])
    }

    @Test("what cannot be read is not taken for an accept, and is named")
    func unseen() throws {
        var host = HostRuleset(legacyTables: [LegacyFilterTable(.ipv4, "filter")])
        let entry = try machines(host)
        #expect(entry.verdict == .unknown && entry.remedy == nil)
        #expect(
            entry.reason
                == "rules of iptables-legacy are not read here (table filter); see iptables-legacy -t filter -S")
        #expect(FirewallReport([], mode: .nat, host).notes == [entry.reason])
        // A drop that is seen is one.
        host.chains = [chain("input", .input, drops: true)]
        #expect(try machines(host).verdict == .drop)
        // Nothing is said of the other family.
        host = HostRuleset(legacyTables: [LegacyFilterTable(.ipv6, "filter")])
        #expect(try machines(host).verdict == .accept)
        let ingress = FirewallChain(
            FirewallTable(.netdev, "early"), "in", .init(.filter, .ingress, priority: 0, devices: ["eth0"]))
        host = HostRuleset(chains: [ingress], bridgesCallFirewall: true)
        let notes = FirewallReport([], mode: .nat, host).notes
        #expect(notes.count == 2 && notes[0].hasPrefix("chain netdev early in may drop packets as well"))
        #expect(notes[1].hasPrefix("bridges call the packet filter"))
    }
}
