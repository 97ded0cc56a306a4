import Addresses
import PublishedPorts
import Testing

@Suite("the search for ports")
struct PortSearchTests {
    private let target = PortTarget(
        sandbox: "a", ipv4: PortTarget.Place(IPAddress(.ipv4, 0xAC11_0002)),
        ipv6: PortTarget.Place(IPAddress(.ipv6, 0xFD << 120 | 2)))
    private let ephemeral = EphemeralPorts(range: "40000\t40003\n", reserved: "40001\n")

    private func groups(_ requests: [PortRequest], _ target: PortTarget? = nil) -> [PortSearch.Group] {
        PortSearch(PortPublication(requests, to: target ?? self.target)).groups
    }

    @Test("all addresses are one of each family, with the same number")
    func bothFamilies() throws {
        let group = try #require(groups([PortRequest(80)]).first)
        #expect(
            group.ports(8080).map(\.description) == ["0.0.0.0:8080", "[::]:8080"]
                && group.ports(8080).allSatisfy { $0.containerPort == 80 })
    }

    @Test("two addresses of a port get the same number, but two wishes for the same address do not")
    func grouping() {
        let local = [PortRequest(80, address: .loopback(.ipv4)), PortRequest(80, address: .loopback(.ipv6))]
        #expect(groups(local).map(\.addresses) == [[.loopback(.ipv4), .loopback(.ipv6)]])
        #expect(groups([PortRequest(80), PortRequest(80)]).count == 2)
        #expect(groups([PortRequest(80, address: .loopback(.ipv4)), PortRequest(80)]).count == 2)
        #expect(groups([PortRequest(80), PortRequest(81)]).count == 2)
    }

    @Test("exact ports are taken before ranges, and ranges before any")
    func order() {
        let requests = [
            PortRequest(1), PortRequest(2, host: .range(1...9)), PortRequest(3, host: .exact(5)), PortRequest(4),
        ]
        #expect(groups(requests).map(\.containerPort) == [3, 2, 1, 4])
    }

    @Test("any port is one of those for clients, from some place on, without reserved ones")
    func candidates() throws {
        let group = try #require(groups([PortRequest(80)]).first)
        #expect(group.candidates(ephemeral: ephemeral, random: 4) == [40002, 40003, 40000])
        let range = try #require(groups([PortRequest(80, host: .range(7...9))]).first)
        #expect(range.candidates(ephemeral: ephemeral, random: 1) == [7, 8, 9])
    }

    @Test("a range that the kernel does not say is Linux' own")
    func defaults() {
        #expect(EphemeralPorts(range: "", reserved: "1,3-5").range == 32768...60999)
        #expect(EphemeralPorts(range: "", reserved: "1,3-5\n").reserved == [1...1, 3...5])
    }

    @Test("a family that the sandbox lacks is for the shim to carry, if it may")
    func otherFamily() {
        var target = target
        target.ipv6 = nil
        #expect(groups([PortRequest(80)], target).first?.addresses.count == 2)
        var publication = PortPublication([PortRequest(80)], to: target, splices: false)
        #expect(PortSearch(publication).groups.first?.addresses == [.unspecified(.ipv4)])
        publication.requests = [PortRequest(80, .sctp)]
        publication.splices = true
        #expect(PortSearch(publication).groups.first?.addresses == [.unspecified(.ipv4)])
    }

    @Test(
        "a network that routes, or is isolated, has no ports of the host", arguments: [GatewayMode.routed, .isolated])
    func routed(_ mode: GatewayMode) {
        var target = target
        target.ipv6?.mode = mode
        #expect(groups([PortRequest(80)], target).map(\.addresses) == [[.unspecified(.ipv4)]])
        target.ipv4?.mode = mode
        #expect(groups([PortRequest(80)], target).isEmpty)
    }
}
