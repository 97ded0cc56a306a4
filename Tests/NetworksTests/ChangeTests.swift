import Addresses
import GRDB
import LinuxKernel
import Netlink
import Networks
import PublishedPorts
import SystemPackage
import Testing

/// What containers, administrators and failures change while networks are in use.
@Suite("Networks that are changed", .needsNamespaces, .timeLimit(.minutes(10)))
struct ChangeTests {
    private func request(_ number: Int, _ networks: String...) -> SandboxRequest {
        SandboxRequest(
            id: TestID.make(number), name: "c\(number)", endpoints: networks.map { EndpointRequest(network: $0) })
    }

    // MARK: Containers

    @Test("an address is free only when no interface has it, also where others still have the container's namespace")
    func sharedNamespace() async throws {
        let host = try TestHost()
        let networks = try await host.open()
        _ = try await networks.create(NetworkRequest(name: "web", enablesIPv6: true))
        let first = try await networks.join(request(1, "bridge", "web"))
        let inside = try RouteSocket.opened(in: try #require(first.namespace))
        #expect(try inside.links().filter { $0.name.hasPrefix("eth") }.count == 2)
        await networks.leave(first.id, sharedNamespace: first.namespace)
        #expect(try inside.links().filter { $0.name.hasPrefix("eth") }.isEmpty)
        let second = try await networks.join(request(2, "bridge", "web"))
        #expect(second.endpoints.map(\.ipv4) == first.endpoints.map(\.ipv4))
        for address in second.endpoints.flatMap({ [$0.ipv4, $0.ipv6] }).compactMap({ $0?.address }) {
            let namespace = try #require(second.namespace)
            #expect(try Traffic.connect(from: host.namespace, to: address, of: namespace) != nil)
        }
    }

    @Test("a container that gives its interfaces other names is taken from the network that was asked for")
    func renamedInterface() async throws {
        let host = try TestHost()
        let networks = try await host.open()
        for name in ["a", "b"] { _ = try await networks.create(NetworkRequest(name: name)) }
        let sandbox = try await networks.join(request(1, "a", "b"))
        let namespace = try #require(sandbox.namespace)
        let inside = try RouteSocket.opened(in: namespace)
        let numbers = try ["eth0", "eth1"].map { try #require(try inside.link(.name($0))).index }
        // Each has the other's name.
        for (number, name) in [(numbers[0], "x"), (numbers[1], "eth0"), (numbers[0], "eth1")] {
            try inside.perform(Link.set(.index(number), LinkSettings(isUp: false)))
            try inside.perform(Link.set(.index(number), LinkSettings(name: name)))
            try inside.perform(Link.set(.index(number), LinkSettings(isUp: true)))
        }
        try await networks.disconnect("b", sandbox: sandbox.id, namespace: namespace)
        #expect(try inside.link(.index(numbers[1])) == nil)
        let address = try #require(sandbox.endpoints[0].ipv4).address
        #expect(try Traffic.connect(from: host.namespace, to: address, of: namespace) != nil)
        let port = try host.links().filter { $0.alias == sandbox.id }
        #expect(port.count == 1)
    }

    @Test("a container that has an interface with the last number is put on more networks, and so is one on the host")
    func lastNumber() async throws {
        let host = try TestHost()
        try host.route().perform(Batch(NewLink("last0", .bridge(BridgeOptions()), index: .max).requests))
        let networks = try await host.open()
        for name in ["a", "b"] { _ = try await networks.create(NetworkRequest(name: name)) }
        let sandbox = try await networks.join(request(1, "bridge"))
        let namespace = try #require(sandbox.namespace)
        let inside = try RouteSocket.opened(in: namespace)
        try inside.perform(Batch(NewLink("last0", .bridge(BridgeOptions()), index: .max).requests))
        // One more, which the next one must not meet.
        try inside.perform(Batch(NewLink("third0", .bridge(BridgeOptions()), index: 4).requests))
        for name in ["a", "b"] {
            let endpoint = try await networks.connect(
                EndpointRequest(network: name),
                SandboxRequest(id: sandbox.id, name: "c1", endpoints: [], namespace: namespace))
            let address = try #require(endpoint.ipv4).address
            #expect(try Traffic.connect(from: host.namespace, to: address, of: namespace) != nil)
        }
    }

    // MARK: Failures

    @Test("a container whose place cannot be freed does not keep a recovery from the others")
    func recoveryError() async throws {
        let host = try TestHost()
        var networks = try await host.open()
        var sandboxes: [Sandbox] = []
        for number in 1...12 { sandboxes.append(try await networks.join(request(number, "bridge"))) }
        try await host.database.write { database in
            for number in 1...4 {
                try database.execute(
                    sql: """
                        CREATE TRIGGER stuck\(number) BEFORE DELETE ON networkEndpoint
                        WHEN OLD.sandbox = '\(TestID.make(number))' BEGIN SELECT RAISE(ABORT, 'stuck'); END
                        """)
            }
        }
        sandboxes.removeAll()
        networks = try await host.open()
        await networks.recover([TestID.make(12)])
        let left = networks.endpoints(on: try networks.network("bridge").id).map(\.sandbox)
        #expect(Set(left) == Set([1, 2, 3, 4, 12].map(TestID.make)))
        #expect(try await host.database.read { try $0.rowCount("networkEndpoint") } == 5)
    }

    @Test("a table that is removed while networks come and go has, when it is back, those that there are")
    func removedTable() async throws {
        let host = try TestHost()
        let networks = try await host.open()
        let socket = try NetfilterSocket.opened(in: host.namespace)
        let bridges = FirewallSet(PortTable.table, "bridges", key: [.interfaceName])
        for number in 0..<40 {
            async let change: Void = {
                _ = try await networks.create(NetworkRequest(name: "n\(number)"))
                if number > 2 { _ = try await networks.remove("n\(number - 2)") }
            }()
            // It may be gone, or not be back yet.
            try? socket.perform(FirewallTransaction([PortTable.table.removal]))
            try await change
        }
        let wanted = Set(networks.all.compactMap(\.interfaceName).map { FieldValue.name($0).bytes })
        func present() -> Set<[UInt8]> {
            Set(((try? socket.elements(of: bridges)) ?? []).map { $0.key.bytes })
        }
        #expect(wanted.count > 2)
        #expect(try await TestHost.wait { present() == wanted })
        #expect(present() == wanted)
    }

    // MARK: Internal networks

    @Test("a published port is nobody's on an internal network, by whatever address of the host it asks")
    func published() async throws {
        let world = try await FirewallWorld()
        try await world.publish([PublishedPort(.tcp, .unspecified(.ipv4), 8080, to: 80)])
        let (network, _) = try await world.networks.create(NetworkRequest(name: "inner", isInternal: true))
        let sandbox = try await world.networks.join(request(3, "inner"))
        let inside = try #require(sandbox.namespace)
        let gateway = try #require(network.pools[0].gateway)
        // Whatever routes the container sets.
        let route = try RouteSocket.opened(in: inside)
        let index = try #require(try route.link(.name("eth0"))).index
        try route.perform(IPRoute.standard(by: gateway, interface: index).addition)
        let server = try world.serve(world.one, .ipv4, 80)
        defer { server.stop() }
        for address in ["192.0.2.1", world.gateway4, gateway.description] {
            #expect(FirewallWorld.isSilent(from: inside, address, 8080), "\(address)")
        }
        #expect(FirewallWorld.ask(from: world.outside, "192.0.2.1", 8080) == "192.0.2.2")
        withExtendedLifetime(sandbox) {}
    }
}
