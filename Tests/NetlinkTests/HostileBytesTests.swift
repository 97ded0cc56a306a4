import Addresses
import Netlink
import SystemPackage
import Testing

@Suite("answers that nobody would send")
struct HostileBytesTests {
    /// Reads the payload of a message as everything that it can be; whether there is an error is not what this is
    /// about.
    private func readAll(_ payload: ArraySlice<UInt8>) {
        _ = try? Link(payload: payload)
        _ = try? InterfaceAddress(payload: payload)
        _ = try? IPRoute(payload: payload)
        _ = try? RoutingRule(payload: payload)
        _ = try? Neighbour(payload: payload)
        _ = try? ForwardingEntry(payload: payload)
        _ = try? FirewallTable(payload: payload)
        _ = try? FirewallChain(payload: payload)
        _ = try? FirewallRule(payload: payload)
        _ = try? ConnectionEntry(payload: payload)
        _ = try? BoundSocket(payload: payload, .tcp)
        guard let set = try? FirewallSet(payload: payload) else { return }
        _ = try? set.elements(payloads: [payload])
        for key in [[DataType.port], [.ipv4, .port]] {
            let other = FirewallSet(set.table, set.name, key: key, hasIntervals: true)
            for element in (try? other.elements(payloads: [payload])) ?? [] {
                _ = element.key.values(key)
                _ = element.userData?.comment
            }
        }
    }

    private func readAll(in bytes: [UInt8]) {
        for message in (try? Message.all(in: bytes)) ?? [] {
            readAll(message.payload)
            _ = try? message.failure()
            _ = try? Link(message)
            _ = try? FirewallNotification(message)
        }
    }

    /// Messages with something in every field that is read.
    private func samples() throws -> [[UInt8]] {
        let subnet = try #require(IPSubnet("10.9.0.0/16"))
        let address = try #require(IPAddress("10.9.0.7"))
        let hardware = MACAddress(derivedFrom: address)
        let table = FirewallTable(.inet, "masu")
        let chain = FirewallChain(table, "c", .init(.nat, .prerouting, priority: -100, devices: ["a", "b"]))
        let map = FirewallSet(table, "m", key: [.ipv4, .port], .values([.ipv6, .port]), hasIntervals: true, size: 5)
        let ports = FirewallSet(table, "p", key: [.port], .verdicts, hasIntervals: true)
        let rule = FirewallRule(in: chain, comment: "why") {
            $0.require(.source(.ipv4), in: subnet)
            $0.require([.established])
            $0.require(.destinationPort, from: .port(1), through: .port(9))
            $0.translateDestination(.transportProtocol, .destinationPort, by: map, .ipv4)
            $0.masquerade()
            $0.redirect(to: 5)
            $0.proxy(to: 6)
            $0.rewrite(.source, of: .tcp, to: 7)
            $0.setMark(1)
            $0.limit(to: RateLimit(1))
            $0.count()
            $0.log("x")
            $0.reject()
            $0.goTo(chain)
        }
        let peer = NewLink.Peer(name: "eth0", index: 2, address: hardware, mtu: 1400)
        let settings = LinkSettings(
            isUp: true, master: 3, mtu: 1400, address: hardware, alias: "a", group: 4, hasLinkLocalAddress: false)
        let element = FirewallElement(
            FirewallKey(.address(address), .port(1)), through: FirewallKey(.address(address), .port(9)),
            .value(FirewallKey(bytes: Array(repeating: 1, count: 20))), userData: FirewallUserData(comment: "s"),
            timeout: 5)
        let ranges = [
            FirewallElement(FirewallKey(.port(1)), through: FirewallKey(.port(9)), .verdict(.jump("c"))),
            FirewallElement(FirewallKey(.port(65535)), .verdict(.drop)),
        ]
        var requests = [
            Link.set(.index(1), port: BridgePortSettings(isIsolated: true, learns: false)),
            try #require(IPInterface("10.9.0.1/16")).addition,
            IPRoute(subnet, gateway: address, interface: 1, source: address, table: 300, priority: 1, mtu: 9).addition,
            RoutingRule(
                .ipv4, preference: 1, table: 300, mark: .init(1), inputInterface: "a", outputInterface: "b",
                source: subnet, destination: subnet
            ).addition,
            Neighbour(address, at: hardware, interface: 1).replacement,
            ForwardingEntry(hardware, port: 1).replacement, table.addition, chain.addition, map.addition,
            ports.addition, rule.addition,
        ]
        requests += NewLink("a", .veth(peer: peer), index: 5, settings).requests
        requests += NewLink("a", .bridge(BridgeOptions(snoopsMulticast: false, ageingTime: 1)), index: 5).requests
        requests += NewLink("a", .ipvlan(.l3, .vepa, parent: 1), index: 5).requests
        requests += map.addition(of: [element]) + ports.addition(of: ranges)
        return requests.map(\.bytes)
    }

    @Test("bytes without a plan are read without harm")
    func randomBytes() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 0..<96, using: &generator)).map { _ in
                UInt8.random(in: 0...40, using: &generator)
            }
            readAll(in: bytes)
            readAll(bytes[...])
        }
    }

    @Test("messages that are cut anywhere are read without harm")
    func cut() throws {
        for sample in try samples() {
            for length in 16..<sample.count { readAll(sample[16..<length]) }
        }
    }

    @Test("messages with changed bytes are read without harm")
    func changed() throws {
        var generator = SystemRandomNumberGenerator()
        for sample in try samples() {
            for _ in 0..<200 {
                var bytes = sample
                for _ in 0..<Int.random(in: 1...3, using: &generator) {
                    let place = Int.random(in: 16..<bytes.count, using: &generator)
                    bytes[place] = [0, 1, 4, 8, 255, .random(in: 0...255)].randomElement(using: &generator) ?? 0
                }
                readAll(bytes[16...])
            }
        }
    }

    @Test("a list whose message is cut is an error")
    func cutList() throws {
        let sample = try #require(try samples().last)
        let set = FirewallSet(FirewallTable(.inet, "masu"), "p", key: [.port], .verdicts, hasIntervals: true)
        #expect(try set.elements(payloads: [sample[16...]]).count == 2)
        #expect(throws: Errno.badMessage) { try set.elements(payloads: [sample[16..<(sample.count - 8)]]) }
    }
}

extension IPInterface {
    fileprivate var addition: Request { InterfaceAddress(self, checksDuplicates: false).addition(to: 1) }
}
