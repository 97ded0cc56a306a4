import Addresses
import Testing

import Networks

@Suite("Blocks of addresses for networks")
struct PoolChoiceTests {
    private func subnets(_ texts: String...) -> [IPSubnet] { texts.compactMap(IPSubnet.init) }

    @Test("networks get Docker's blocks in Docker's order, and then small ones")
    func order() throws {
        var taken: [IPSubnet] = []
        for _ in 0..<33 {
            taken.append(
                try SubnetChoice.choose(.ipv4, size: nil, from: PoolSource.defaults, taken: taken, avoided: []))
        }
        #expect(taken[0].description == "172.17.0.0/16")
        #expect(taken[14].description == "172.31.0.0/16")
        #expect(taken[15].description == "192.168.0.0/20")
        #expect(taken[30].description == "192.168.240.0/20")
        #expect(taken[31].description == "10.0.0.0/24")
        #expect(taken[32].description == "10.0.1.0/24")
    }

    @Test("a thousand networks get blocks that do not overlap, around what the host uses")
    func many() throws {
        let avoided = subnets("172.16.0.0/12", "10.0.3.0/25", "192.168.1.1/32", "0.0.0.0/8")
        var taken: [IPSubnet] = []
        for _ in 0..<1000 {
            let next = try SubnetChoice.choose(
                .ipv4, size: nil, from: PoolSource.defaults, taken: taken, avoided: avoided)
            taken.append(next)
        }
        #expect(taken.first?.description == "192.168.16.0/20")
        let sorted = (taken + avoided).sorted()
        #expect(zip(sorted, sorted.dropFirst()).allSatisfy { !$0.overlaps($1) })
    }

    @Test("when all is used up, Docker's error says so")
    func exhausted() throws {
        let source = try PoolSource(try #require(IPSubnet("10.0.0.0/30")), size: 31)
        var taken: [IPSubnet] = []
        for _ in 0..<2 {
            taken.append(try SubnetChoice.choose(.ipv4, size: nil, from: [source], taken: taken, avoided: []))
        }
        #expect(throws: NetworksError(.invalid, "all predefined address pools have been fully subnetted")) {
            try SubnetChoice.choose(.ipv4, size: nil, from: [source], taken: taken, avoided: [])
        }
    }

    @Test("the end of the address space ends the search")
    func end() throws {
        let source = try PoolSource(try #require(IPSubnet("255.255.255.0/24")), size: 24)
        #expect(throws: NetworksError.self) {
            try SubnetChoice.choose(
                .ipv4, size: nil, from: [source], taken: subnets("255.255.255.255/32"), avoided: [])
        }
    }

    private func pools(
        _ request: PoolRequest?, taken: [IPSubnet] = [], avoided: [IPSubnet] = [], options: [String: String] = [:],
        driver: String = "", hasIPv6: Bool = false
    ) throws(NetworksError) -> [AddressPool] {
        let plan = try NetworkPlan(
            NetworkRequest(
                name: "web", driver: driver, options: options, isInternal: true, enablesIPv6: hasIPv6,
                addressing: AddressingRequest(pools: request.map { [$0] } ?? [])),
            id: String(repeating: "a", count: 64), defaults: [:], existing: { _ in nil })
        let sources = PoolSource.defaults + [PoolSource.uniqueLocal(of: "this machine")].compactMap(\.self)
        return try PoolChoice(sources: sources, taken: taken, avoided: avoided, links: []).pools(for: plan)
    }

    @Test("the gateway is the first address, of the range where there is one")
    func gateway() throws {
        #expect(try pools(nil)[0].gateway?.description == "172.17.0.1")
        let ranged = PoolRequest(subnet: IPInterface("10.1.0.0/16"), range: IPInterface("10.1.5.0/24"))
        #expect(try pools(ranged)[0].gateway?.description == "10.1.5.0")
        let named = PoolRequest(subnet: IPInterface("10.1.0.0/16"), gateway: IPAddress("10.1.0.9"))
        #expect(try pools(named)[0].gateway?.description == "10.1.0.9")
    }

    @Test("isolated networks and those of others' interfaces have no gateway unless asked for")
    func noGateway() throws {
        let isolated = ["com.docker.network.bridge.gateway_mode_ipv4": "isolated"]
        #expect(try pools(nil, options: isolated)[0].gateway == nil)
        #expect(try pools(nil, options: ["com.docker.network.bridge.inhibit_ipv4": "1"])[0].gateway == nil)
        #expect(try pools(nil, driver: "macvlan")[0].gateway == nil)
    }

    @Test("0.0.0.0/24 is any block of that size")
    func size() throws {
        let pool = try pools(PoolRequest(subnet: IPInterface("0.0.0.0/24")))[0]
        #expect(pool.subnet.description == "172.17.0.0/24")
    }

    @Test("a block that overlaps another network's is refused, whatever the host's routes are")
    func overlap() throws {
        let request = PoolRequest(subnet: IPInterface("10.1.0.0/16"))
        #expect(try pools(request, avoided: subnets("10.0.0.0/8")).count == 1)
        let expected = NetworksError(
            .forbidden, "invalid pool request: Pool overlaps with other one on this address space")
        #expect(throws: expected) { try pools(request, taken: subnets("10.1.7.0/24")) }
    }

    @Test("where routes cover everything, blocks that only routes cover are given")
    func covered() throws {
        #expect(try pools(nil, avoided: subnets("0.0.0.0/1", "128.0.0.0/1"))[0].subnet.description == "172.17.0.0/16")
    }

    @Test("IPv6 networks get a unique local block that stays the same on a machine")
    func uniqueLocal() throws {
        let pools = try pools(nil, hasIPv6: true)
        #expect(pools.count == 2)
        #expect(pools[1].subnet.prefixLength == 64)
        #expect(pools[1].subnet.description.hasPrefix("fd"))
        #expect(pools[1].gateway == pools[1].subnet.address.advanced(by: 1))
        #expect(PoolSource.uniqueLocal(of: "a") != PoolSource.uniqueLocal(of: "b"))
        #expect(PoolSource.uniqueLocal(of: "a") == PoolSource.uniqueLocal(of: "a"))
    }
}
