import Addresses
import LinuxKernel
import Netlink
import Networks
import SystemPackage
import Testing

@Suite("Traffic of networks", .needsNamespaces)
struct NetworkTrafficTests {
    private struct Scene {
        let host: TestHost
        let networks: Networks
        let network: Network
        let sandbox: Sandbox
        let inside: FileDescriptor

        init(
            _ options: [String: String] = [:], isInternal: Bool = false, hasIPv6: Bool = true
        ) async throws {
            host = try TestHost()
            networks = try await host.open()
            network = try await networks.create(
                NetworkRequest(name: "web", options: options, isInternal: isInternal, enablesIPv6: hasIPv6)
            ).network
            sandbox = try await networks.join(
                SandboxRequest(id: TestID.make(1), name: "c1", endpoints: [EndpointRequest(network: "web")]))
            inside = try #require(sandbox.namespace)
        }

        /// Lets those outside know the way to the container's addresses.
        func routeOutside() throws {
            let route = try RouteSocket.opened(in: host.outside)
            for pool in network.pools {
                let router = try #require(IPAddress(pool.subnet.family == .ipv4 ? "192.0.2.1" : "2001:db8::1"))
                try route.perform(IPRoute(pool.subnet, gateway: router, interface: 2).addition)
            }
        }

        func outer(_ family: IPAddress.Family, _ number: Int) throws -> IPAddress {
            try #require(IPAddress(family == .ipv4 ? "192.0.2.\(number)" : "2001:db8::\(number)"))
        }
    }

    @Test("what goes out has the host's address, by both families", arguments: IPAddress.Family.allCases)
    func masquerade(family: IPAddress.Family) async throws {
        let scene = try await Scene()
        let target = try scene.outer(family, 2)
        let seen = try Traffic.connect(from: scene.inside, to: target, of: scene.host.outside)
        #expect(seen == (try scene.outer(family, 1)))
    }

    @Test("a network may name the address that it has outside")
    func source() async throws {
        let scene = try await Scene(["com.docker.network.host_ipv4": "192.0.2.77"], hasIPv6: false)
        let address = InterfaceAddress(try #require(IPInterface("192.0.2.77/24")))
        try scene.host.route().perform(address.addition(to: 2))
        let seen = try Traffic.connect(from: scene.inside, to: try scene.outer(.ipv4, 2), of: scene.host.outside)
        #expect(seen?.description == "192.0.2.77")
    }

    @Test("in routed mode, and without masquerading, containers keep their addresses outside")
    func routed() async throws {
        let scene = try await Scene([
            "com.docker.network.bridge.gateway_mode_ipv6": "routed",
            "com.docker.network.bridge.enable_ip_masquerade": "false",
        ])
        try scene.routeOutside()
        for family in IPAddress.Family.allCases {
            let target = try scene.outer(family, 2)
            let seen = try Traffic.connect(from: scene.inside, to: target, of: scene.host.outside)
            #expect(seen == scene.sandbox.endpoints[0].address(family)?.address)
        }
    }

    @Test(
        "nobody outside reaches a container's own address, unless the network says so",
        arguments: [
            ("nat", false), ("nat-unprotected", true),
        ])
    func direct(mode: String, isOpen: Bool) async throws {
        let scene = try await Scene([
            "com.docker.network.bridge.gateway_mode_ipv4": mode, "com.docker.network.bridge.gateway_mode_ipv6": mode,
        ])
        try scene.routeOutside()
        for family in IPAddress.Family.allCases {
            let target = try #require(scene.sandbox.endpoints[0].address(family)).address
            let seen = try Traffic.connect(
                from: scene.host.outside, to: target, of: scene.inside, milliseconds: isOpen ? 120_000 : 300)
            #expect((seen != nil) == isOpen)
        }
    }

    @Test("networks are apart from each other")
    func isolation() async throws {
        let scene = try await Scene()
        let other = try await scene.networks.join(
            SandboxRequest(id: TestID.make(2), name: "c2", endpoints: [EndpointRequest(network: "bridge")]))
        let target = try #require(other.endpoints[0].ipv4).address
        let namespace = try #require(other.namespace)
        #expect(try Traffic.connect(from: scene.inside, to: target, of: namespace, milliseconds: 300) == nil)
    }

    @Test("from an internal network nobody gets out, whatever routes the container sets")
    func inner() async throws {
        let scene = try await Scene(isInternal: true, hasIPv6: false)
        let gateway = try #require(scene.network.pools[0].gateway)
        let inside = try RouteSocket.opened(in: scene.inside)
        let index = try #require(try inside.link(.name("eth0"))).index
        try inside.perform(IPRoute.standard(by: gateway, interface: index).addition)
        let target = try scene.outer(.ipv4, 2)
        #expect(
            try Traffic.connect(from: scene.inside, to: target, of: scene.host.outside, milliseconds: 300) == nil)
        #expect(try Traffic.connect(from: scene.inside, to: gateway, of: scene.host.namespace) != nil)
    }

    @Test("packets for 127.0.0.0/8 do not come from outside, though bridges route them")
    func loopback() async throws {
        let scene = try await Scene(hasIPv6: false)
        let inside = try RouteSocket.opened(in: scene.inside)
        try inside.perform(
            IPRoute(
                try #require(IPSubnet("127.0.0.1/32")), gateway: scene.network.pools[0].gateway, interface: nil,
                table: 99
            ).addition)
        try inside.perform(RoutingRule(.ipv4, preference: 0, table: 99).addition)
        try NetworkNamespace.visit(scene.inside) {
            try? ProcFile.write("1", to: "sys/net/ipv4/conf/eth0/route_localnet")
        }
        let target = try #require(IPAddress("127.0.0.1"))
        #expect(
            try Traffic.connect(from: scene.inside, to: target, of: scene.host.namespace, milliseconds: 300) == nil)
    }

    @Test("rules that others flush are put back")
    func flush() async throws {
        let scene = try await Scene(hasIPv6: false)
        let socket = try NetfilterSocket.opened(in: scene.host.namespace)
        let before = try socket.ruleset()
        try socket.perform(FirewallTransaction(try socket.tables().map(\.removal)))
        #expect(try await TestHost.wait { try socket.tables().contains { $0.name == "masu" } })
        let after = try socket.ruleset()
        #expect(after.rules.map(\.expressions) == before.rules.map(\.expressions))
        let seen = try Traffic.connect(from: scene.inside, to: try scene.outer(.ipv4, 2), of: scene.host.outside)
        #expect(seen?.description == "192.0.2.1")
    }

    @Test("a network's removal takes its elements out of all sets, and leaves those of others")
    func removal() async throws {
        let host = try TestHost()
        let networks = try await host.open()
        let socket = try NetfilterSocket.opened(in: host.namespace)
        func elements() throws -> [String] {
            try socket.sets().flatMap { set in try socket.elements(of: set).map { "\(set.name) \($0.key.bytes)" } }
                .sorted()
        }
        let before = try elements()
        #expect(!before.isEmpty)
        _ = try await networks.create(
            NetworkRequest(
                name: "web", options: ["com.docker.network.bridge.trusted_host_interfaces": "up0"], enablesIPv6: true))
        #expect(try elements().count > before.count)
        _ = try await networks.remove("web")
        #expect(try elements() == before)
    }

    @Test("a host's drop wins over all rules of networks")
    func host() async throws {
        let scene = try await Scene(hasIPv6: false)
        let table = FirewallTable(.inet, "host")
        let chain = FirewallChain(table, "forward", .init(.filter, .forward, priority: 0, accepts: false))
        let socket = try NetfilterSocket.opened(in: scene.host.namespace)
        try socket.perform(FirewallTransaction([table.creation, chain.creation]))
        let target = try scene.outer(.ipv4, 2)
        #expect(
            try Traffic.connect(from: scene.inside, to: target, of: scene.host.outside, milliseconds: 300) == nil)
        try socket.perform(FirewallTransaction([table.removal]))
        #expect(try Traffic.connect(from: scene.inside, to: target, of: scene.host.outside) != nil)
    }
}
