import Addresses
import LinuxKernel
import Netlink
import Networks
import PublishedPorts
import SystemPackage
import Testing

@Suite("Traffic of published ports", .timeLimit(.minutes(10)), .needsNamespaces)
struct PublishedPortTrafficTests {
    private let everywhere = [
        PublishedPort(.tcp, .unspecified(.ipv4), 8080, to: 80), PublishedPort(.tcp, .unspecified(.ipv6), 8080, to: 80),
    ]

    @Test(
        "a published port is reached from other machines, the host, containers and the container itself",
        arguments: [false, true])
    func everybody(_ bridgesCallFirewall: Bool) async throws {
        let world = try await FirewallWorld(bridgesCallFirewall: bridgesCallFirewall)
        try await world.publish(everywhere)
        let server = try world.serve(world.one, .ipv4, 80)
        defer { server.stop() }
        #expect(FirewallWorld.ask(from: world.outside, "192.0.2.1", 8080) == "192.0.2.2")
        #expect(FirewallWorld.ask(from: world.host, "127.0.0.1", 8080) == world.gateway4)
        #expect(FirewallWorld.ask(from: world.host, "192.0.2.1", 8080) == "192.0.2.1")
        #expect(FirewallWorld.ask(from: world.two, "192.0.2.1", 8080) == world.gateway4)
        #expect(FirewallWorld.ask(from: world.one, "192.0.2.1", 8080) == world.gateway4)
        #expect(FirewallWorld.ask(from: world.one, world.gateway4, 8080) == world.gateway4)
        let other = try world.serve(world.one, .ipv6, 80)
        defer { other.stop() }
        #expect(FirewallWorld.ask(from: world.outside, "2001:db8::1", 8080) == "2001:db8::2")
        #expect(FirewallWorld.ask(from: world.host, "2001:db8::1", 8080) == "2001:db8::1")
        #expect(FirewallWorld.ask(from: world.two, "2001:db8::1", 8080) == world.gateway6)
        #expect(FirewallWorld.ask(from: world.one, "2001:db8::1", 8080) == world.gateway6)
    }

    @Test("a port of the loopback address is the host's alone")
    func loopbackOnly() async throws {
        let world = try await FirewallWorld()
        try await world.publish([PublishedPort(.tcp, .loopback(.ipv4), 8080, to: 80)])
        // The other machine sends what is for 127.0.0.1 to the host.
        try NetworkNamespace.visit(world.outside) {
            Result {
                try ProcFile.write("1", to: "sys/net/ipv4/conf/eth0/route_localnet")
                let route = try RouteSocket()
                let own = try #require(IPInterface("127.0.0.1/8"))
                try route.perform(InterfaceAddress(own).removal(from: 1))
                let victim = try #require(IPSubnet("127.0.0.1/32"))
                try route.perform(
                    IPRoute(victim, gateway: IPAddress("192.0.2.1"), interface: 2).addition)
            }
        }.get()
        let server = try world.serve(world.one, .ipv4, 80)
        defer { server.stop() }
        #expect(FirewallWorld.ask(from: world.host, "127.0.0.1", 8080) == world.gateway4)
        #expect(FirewallWorld.isSilent(from: world.host, "192.0.2.1", 8080))
        #expect(FirewallWorld.isSilent(from: world.outside, "192.0.2.1", 8080))
        #expect(FirewallWorld.isSilent(from: world.outside, "127.0.0.1", 8080))
    }

    @Test("what is for ::1 is left to the shim's socket, which has the port")
    func loopbackOfIPv6() async throws {
        let world = try await FirewallWorld()
        try await world.publish(everywhere)
        let shim = try world.serve(world.host, .ipv6, 8080)
        defer { shim.stop() }
        #expect(FirewallWorld.ask(from: world.host, "::1", 8080) == "::1")
    }

    @Test("a port of one address is not one of the others")
    func oneAddress() async throws {
        let world = try await FirewallWorld()
        let address = try #require(IPAddress("192.0.2.1"))
        try await world.publish([PublishedPort(.tcp, address, 8080, to: 80)])
        let server = try world.serve(world.one, .ipv4, 80)
        defer { server.stop() }
        #expect(FirewallWorld.ask(from: world.outside, "192.0.2.1", 8080) == "192.0.2.2")
        #expect(FirewallWorld.isSilent(from: world.host, "127.0.0.1", 8080))
    }

    @Test(
        "others reach a container's own address as the network's gateway mode says",
        arguments: [(GatewayMode.nat, false, false), (.natUnprotected, true, true), (.routed, true, false)])
    func gatewayModes(_ mode: GatewayMode, _ reachesPublished: Bool, _ reachesOther: Bool) async throws {
        let world = try await FirewallWorld(["com.docker.network.bridge.gateway_mode_ipv4": mode.rawValue])
        try await world.publish([], [PortRequest(80)])
        let address = try #require(world.target.ipv4).address
        let own = try #require(IPSubnet(containing: address, prefixLength: 32))
        try RouteSocket.opened(in: world.outside).perform(
            IPRoute(own, gateway: IPAddress("192.0.2.1"), interface: 2).addition)
        let server = try world.serve(world.one, .ipv4, 80)
        defer { server.stop() }
        #expect(Self.reaches(world, address, 80, expecting: reachesPublished) == reachesPublished)
        let other = try world.serve(world.one, .ipv4, 81)
        defer { other.stop() }
        #expect(Self.reaches(world, address, 81, expecting: reachesOther) == reachesOther)
    }

    /// Whether somebody outside gets an answer; one that is expected has more time.
    private static func reaches(
        _ world: FirewallWorld, _ address: IPAddress, _ port: UInt16, expecting isExpected: Bool
    ) -> Bool {
        let text = address.description
        if isExpected { return FirewallWorld.ask(from: world.outside, text, port) != nil }
        return !FirewallWorld.isSilent(from: world.outside, text, port)
    }

    @Test("a drop of the host's own chains wins, until the host lets the port pass")
    func hostDrops() async throws {
        let world = try await FirewallWorld()
        try await world.publish(everywhere)
        try world.administer(.forward, drops: true)
        let server = try world.serve(world.one, .ipv4, 80)
        defer { server.stop() }
        #expect(FirewallWorld.isSilent(from: world.outside, "192.0.2.1", 8080))
        #expect(FirewallWorld.ask(from: world.host, "127.0.0.1", 8080) == world.gateway4)
        try world.administer(
            .forward, drops: true,
            [
                {
                    $0.require([.established] as ConnectionState)
                    $0.accept()
                },
                {
                    $0.require(.originalDestinationPort, .equal, .port(8080))
                    $0.accept()
                },
            ])
        #expect(FirewallWorld.ask(from: world.outside, "192.0.2.1", 8080) == "192.0.2.2")
    }

    @Test("after the table was removed, ports are put back with it")
    func restoration() async throws {
        let world = try await FirewallWorld()
        try await world.publish(everywhere)
        let filter = try world.filter()
        try filter.perform(FirewallTransaction([PortTable.table.removal]))
        let isBack = try await TestHost.wait {
            // The table itself, and the map, may not be there yet.
            (try? filter.elements(of: PortTable.ports(.ipv4)))?.count == 1
        }
        #expect(isBack)
        let server = try world.serve(world.one, .ipv4, 80)
        defer { server.stop() }
        #expect(FirewallWorld.ask(from: world.outside, "192.0.2.1", 8080) == "192.0.2.2")
    }

    @Test("ten thousand ports come and go in one step each, and name their sandbox")
    func many() async throws {
        let world = try await FirewallWorld()
        let ports = (0..<10_000).map {
            PublishedPort(.tcp, .unspecified(.ipv4), UInt16(20_000 + $0), to: UInt16(20_000 + $0))
        }
        try await world.publish(ports)
        let filter = try world.filter()
        let elements = try filter.elements(of: PortTable.ports(.ipv4))
        #expect(elements.count == 10_000)
        #expect(elements.allSatisfy { $0.userData?.comment == world.target.sandbox })
        let server = try world.serve(world.one, .ipv4, 29_999)
        defer { server.stop() }
        #expect(FirewallWorld.ask(from: world.outside, "192.0.2.1", 29_999) == "192.0.2.2")
        // As the shim does at the end; the daemon does it once more, for shims that were killed.
        try PortElements(ports, to: world.target, mode: .nat).remove(by: filter)
        #expect(try filter.elements(of: PortTable.ports(.ipv4)).isEmpty)
        try await world.networks.unpublish(ports, [], of: world.target)
    }

    @Test("an element that is stale gives place to that of the port's new owner")
    func stale() async throws {
        let world = try await FirewallWorld()
        let filter = try world.filter()
        let old = PortTarget(sandbox: "old", ipv4: PortTarget.Place(try #require(IPAddress("10.9.0.99"))))
        try PortElements(everywhere, to: old, mode: .nat).add(by: filter)
        try await world.publish(everywhere)
        #expect(
            try filter.elements(of: PortTable.ports(.ipv4)).map(\.userData?.comment) == [world.target.sandbox])
    }

    @Test("a recovery removes the elements of containers that have ended, and no others")
    func recovery() async throws {
        let world = try await FirewallWorld()
        let filter = try world.filter()
        let old = PortTarget(sandbox: "old", ipv4: PortTarget.Place(try #require(IPAddress("10.9.0.99"))))
        let port = PublishedPort(.tcp, .unspecified(.ipv4), 9090, to: 90)
        try PortElements([port], to: old, mode: .nat).add(by: filter)
        try await world.publish(everywhere)
        await world.networks.recover([world.target.sandbox, TestID.make(2)])
        #expect(
            try filter.elements(of: PortTable.ports(.ipv4)).map(\.userData?.comment) == [world.target.sandbox])
        try await world.networks.forgetPorts(of: world.target.sandbox)
        #expect(try filter.elements(of: PortTable.ports(.ipv4)).isEmpty)
        #expect(try filter.elements(of: PortTable.ports(.ipv6)).isEmpty)
    }

    @Test("the mode follows the host's chains, and the report names what drops and what to type")
    func report() async throws {
        let world = try await FirewallWorld(mode: nil)
        #expect(world.networks.firewallMode == .nat)
        try world.administer(
            .input, drops: true,
            [
                {
                    $0.require([.established] as ConnectionState)
                    $0.accept()
                }
            ])
        #expect(try await world.machine.open().firewallMode == .input)
        try world.administer(.forward, drops: true)
        #expect(try await world.machine.open().firewallMode == .nat)
        let report = try await world.networks.firewallReport([
            FirewallReport.Port(everywhere[0], to: world.target, bridge: world.bridge)
        ])
        #expect(report.entries.map(\.verdict) == [.accept, .drop, .drop])
        #expect(report.entries[1].reason == "chain inet host forward: policy drop")
        #expect(
            report.entries[1].remedy
                == "nft insert rule inet host forward ct status dnat meta l4proto tcp ct original proto-dst 8080 accept"
        )
    }
}
