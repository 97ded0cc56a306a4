import Addresses
import Netlink
import Networks
import PublishedPorts
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
    }

    @Test(
        "what to type depends on what the administrator uses",
        arguments: [
            ("firewalld", "filter_INPUT", "firewall-cmd --permanent --add-port=8080/tcp && firewall-cmd --reload"),
            ("filter", "ufw-user-input", "ufw allow 8080/tcp"),
            ("filter", "INPUT", "iptables -I INPUT -p tcp --dport 8080 -j ACCEPT"),
            ("mine", "input", "nft insert rule inet mine input tcp dport 8080 accept"),
        ])
    func remedies(_ table: String, _ name: String, _ line: String) throws {
        let chain = FirewallChain(
            FirewallTable(.inet, table), name, .init(.filter, .input, priority: 0, accepts: false))
        let target = PortTarget(sandbox: "a", ipv4: PortTarget.Place(IPAddress(.ipv4, 0x0A09_0002)))
        let port = FirewallReport.Port(
            PublishedPort(.tcp, .unspecified(.ipv4), 8080, to: 80), to: target, bridge: "masu0")
        let report = FirewallReport([port], mode: .input, HostRuleset(chains: [chain]))
        let entry = try #require(report.entries.first { $0.source == .machines })
        #expect(entry.verdict == .drop && entry.remedy == line)
    }
}
