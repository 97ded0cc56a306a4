import Addresses
import LinuxKernel
import Netlink
import Networks
import PublishedPorts
import SystemPackage
import Testing

@Suite(
    "The host's firewall", .timeLimit(.minutes(10)),
    .enabled(if: FirewallWorld.obstacle.isEmpty, Comment(rawValue: FirewallWorld.obstacle)))
struct FirewallTests {
    private let everywhere = [
        PublishedPort(.tcp, .unspecified(.ipv4), 8080, to: 80), PublishedPort(.tcp, .unspecified(.ipv6), 8080, to: 80),
    ]

    private func publish(_ ports: [PublishedPort], _ world: FirewallWorld, _ firewall: Firewall) throws {
        try world.onHost { try firewall.publish(ports, [], to: world.target) }
    }

    @Test(
        "a published port is reached from other machines, the host, containers and the container itself",
        arguments: [false, true])
    func everybody(_ bridgesCallFirewall: Bool) throws {
        let world = try FirewallWorld(bridgesCallFirewall: bridgesCallFirewall)
        try publish(everywhere, world, try world.firewall())
        try world.serving(world.one, .ipv4, 80) {
            #expect(FirewallWorld.ask(from: world.outside, "192.0.2.1", 8080) == "192.0.2.2")
            #expect(FirewallWorld.ask(from: world.host, "127.0.0.1", 8080) == "10.9.0.1")
            #expect(FirewallWorld.ask(from: world.host, "192.0.2.1", 8080) == "192.0.2.1")
            #expect(FirewallWorld.ask(from: world.two, "192.0.2.1", 8080) == "10.9.0.1")
            #expect(FirewallWorld.ask(from: world.one, "192.0.2.1", 8080) == "10.9.0.1")
            #expect(FirewallWorld.ask(from: world.one, "10.9.0.1", 8080) == "10.9.0.1")
        }
        try world.serving(world.one, .ipv6, 80) {
            #expect(FirewallWorld.ask(from: world.outside, "2001:db8::1", 8080) == "2001:db8::2")
            #expect(FirewallWorld.ask(from: world.host, "::1", 8080) == "fd00:9::1")
            #expect(FirewallWorld.ask(from: world.two, "2001:db8::1", 8080) == "fd00:9::1")
            #expect(FirewallWorld.ask(from: world.one, "2001:db8::1", 8080) == "fd00:9::1")
        }
    }

    @Test("a port of the loopback address is the host's alone")
    func loopbackOnly() throws {
        let world = try FirewallWorld()
        let firewall = try world.firewall()
        try publish([PublishedPort(.tcp, .loopback(.ipv4), 8080, to: 80)], world, firewall)
        // The other machine sends what is for 127.0.0.1 to the host.
        try NetworkNamespace.visit(world.outside) {
            Result {
                try ProcFile.write("1", to: "sys/net/ipv4/conf/eth0/route_localnet")
                let route = try RouteSocket()
                let own = try #require(IPInterface("127.0.0.1/8"))
                try route.perform(InterfaceAddress(own).removal(from: 1))
                let victim = try #require(IPSubnet("127.0.0.1/32"))
                try route.perform(
                    Route(victim, gateway: FirewallWorld.address("192.0.2.1"), interface: 2).addition)
            }
        }.get()
        try world.serving(world.one, .ipv4, 80) {
            #expect(FirewallWorld.ask(from: world.host, "127.0.0.1", 8080) == "10.9.0.1")
            #expect(FirewallWorld.ask(from: world.host, "192.0.2.1", 8080) == nil)
            #expect(FirewallWorld.ask(from: world.outside, "192.0.2.1", 8080) == nil)
            #expect(FirewallWorld.ask(from: world.outside, "127.0.0.1", 8080) == nil)
        }
    }

    @Test("a port of one address is not one of the others")
    func oneAddress() throws {
        let world = try FirewallWorld()
        let port = PublishedPort(.tcp, FirewallWorld.address("192.0.2.1"), 8080, to: 80)
        try publish([port], world, try world.firewall())
        try world.serving(world.one, .ipv4, 80) {
            #expect(FirewallWorld.ask(from: world.outside, "192.0.2.1", 8080) == "192.0.2.2")
            #expect(FirewallWorld.ask(from: world.host, "127.0.0.1", 8080) == nil)
        }
    }

    @Test(
        "others reach a container's own address as the network's gateway mode says",
        arguments: [(GatewayMode.nat, false, false), (.natUnprotected, true, true), (.routed, true, false)])
    func gatewayModes(_ mode: GatewayMode, _ reachesPublished: Bool, _ reachesOther: Bool) throws {
        let world = try FirewallWorld()
        let firewall = try world.firewall(FirewallBridge(FirewallWorld.bridge, ipv4: mode, ipv6: .nat))
        var target = world.target
        target.ipv4?.mode = mode
        try world.onHost { try firewall.publish([], [PortRequest(80)], to: target) }
        let own = try #require(IPSubnet("10.9.0.0/16"))
        try RouteSocket.opened(in: world.outside).perform(
            Route(own, gateway: FirewallWorld.address("192.0.2.1"), interface: 2).addition)
        try world.serving(world.one, .ipv4, 80) {
            let expected = reachesPublished ? "192.0.2.2" : nil
            #expect(FirewallWorld.ask(from: world.outside, "10.9.0.2", 80) == expected)
            // The host itself is always a neighbour.
            #expect(FirewallWorld.ask(from: world.host, "10.9.0.2", 80) == "10.9.0.1")
        }
        try world.serving(world.one, .ipv4, 81) {
            #expect((FirewallWorld.ask(from: world.outside, "10.9.0.2", 81) != nil) == reachesOther)
        }
    }

    @Test("what leaves a network has the host's address")
    func masquerade() throws {
        let world = try FirewallWorld()
        _ = try world.firewall()
        try world.serving(world.outside, .ipv4, 80) {
            #expect(FirewallWorld.ask(from: world.one, "192.0.2.2", 80) == "192.0.2.1")
        }
    }

    @Test("a drop of the host's own chains wins, until the host lets the port pass")
    func hostDrops() throws {
        let world = try FirewallWorld()
        try publish(everywhere, world, try world.firewall())
        try world.administer(.forward, drops: true)
        try world.serving(world.one, .ipv4, 80) {
            #expect(FirewallWorld.ask(from: world.outside, "192.0.2.1", 8080) == nil)
            #expect(FirewallWorld.ask(from: world.host, "127.0.0.1", 8080) == "10.9.0.1")
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
    }

    @Test("after the packet filter was emptied, everything is put back")
    func restoration() throws {
        let world = try FirewallWorld()
        let firewall = try world.firewall()
        try publish(everywhere, world, firewall)
        let socket = try NetfilterSocket.opened(in: world.host)
        try socket.perform(FirewallTransaction([PortTable.table.removal]))
        #expect(try !firewall.isInstalled())
        try firewall.restore()
        #expect(try firewall.isInstalled())
        try world.serving(world.one, .ipv4, 80) {
            #expect(FirewallWorld.ask(from: world.outside, "192.0.2.1", 8080) == "192.0.2.2")
        }
    }

    @Test("ten thousand ports come and go in one step each, and name their sandbox")
    func many() throws {
        let world = try FirewallWorld()
        let firewall = try world.firewall()
        let ports = (0..<10_000).map {
            PublishedPort(.tcp, .unspecified(.ipv4), UInt16(20_000 + $0), to: UInt16(20_000 + $0))
        }
        try publish(ports, world, firewall)
        let socket = try NetfilterSocket.opened(in: world.host)
        let elements = try socket.elements(of: PortTable.ports(.ipv4))
        #expect(elements.count == 10_000)
        #expect(elements.allSatisfy { $0.userData?.comment == world.target.sandbox })
        try world.serving(world.one, .ipv4, 29_999) {
            #expect(FirewallWorld.ask(from: world.outside, "192.0.2.1", 29_999) == "192.0.2.2")
        }
        // As the shim does at the end; the daemon does it once more, for shims that were killed.
        try PortElements(ports, to: world.target, mode: .nat).remove(by: socket)
        #expect(try socket.elements(of: PortTable.ports(.ipv4)).isEmpty)
        try world.onHost { try firewall.unpublish(ports, [], of: world.target) }
    }

    @Test("a stale element in the way gives place")
    func stale() throws {
        let world = try FirewallWorld()
        let firewall = try world.firewall()
        let socket = try NetfilterSocket.opened(in: world.host)
        var old = world.target
        old.sandbox = "old"
        old.ipv4 = PortTarget.Place(FirewallWorld.address("10.9.0.99"))
        try PortElements(everywhere, to: old, mode: .nat).add(by: socket)
        try publish(everywhere, world, firewall)
        let owners = try socket.elements(of: PortTable.ports(.ipv4)).map(\.userData?.comment)
        #expect(owners == [world.target.sandbox])
    }

    @Test("a network that is dismissed leaves nothing in the table")
    func dismissal() throws {
        let world = try FirewallWorld()
        let firewall = try world.firewall(
            FirewallBridge(
                FirewallWorld.bridge, ipv6: .routed, isInternal: true, sources: [FirewallWorld.address("192.0.2.1")],
                trustedInterfaces: ["up0"]))
        try world.onHost { try firewall.dismiss(FirewallWorld.bridge) }
        let socket = try NetfilterSocket.opened(in: world.host)
        for set in PortTable.bridgeSets { #expect(try socket.elements(of: set).isEmpty) }
        let rules = try RouteSocket.opened(in: world.host).rules(.ipv6)
        #expect(!rules.contains { $0.inputInterface == FirewallWorld.bridge })
    }

    @Test("nothing leaves an internal network, and nothing enters it")
    func internalNetwork() throws {
        let world = try FirewallWorld()
        _ = try world.firewall(FirewallBridge(FirewallWorld.bridge, ipv6: .nat, isInternal: true))
        try world.serving(world.outside, .ipv4, 80) {
            #expect(FirewallWorld.ask(from: world.one, "192.0.2.2", 80) == nil)
        }
        try world.serving(world.one, .ipv4, 80) {
            #expect(FirewallWorld.ask(from: world.two, "10.9.0.2", 80) == "10.9.0.3")
        }
    }

    @Test("the mode follows the host's chains, and the report names what drops and what to type")
    func report() throws {
        let world = try FirewallWorld()
        let firewall = try world.firewall(mode: nil)
        #expect(firewall.mode == .nat)
        try world.administer(.input, drops: true)
        #expect(try world.onHost { try Firewall(mode: nil, route: RouteSocket()).mode } == .input)
        try world.administer(.forward, drops: true)
        #expect(try world.onHost { try Firewall(mode: nil, route: RouteSocket()).mode } == .nat)
        let report = try firewall.report([
            FirewallReport.Port(everywhere[0], to: world.target, bridge: FirewallWorld.bridge)
        ])
        #expect(report.entries.map(\.verdict) == [.accept, .drop, .drop])
        #expect(report.entries[1].reason == "chain inet host forward: policy drop")
        #expect(
            report.entries[1].remedy
                == "nft insert rule inet host forward meta l4proto tcp ct original proto-dst 8080 accept")
    }
}
