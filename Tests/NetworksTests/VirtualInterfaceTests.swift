import Addresses
import LinuxKernel
import Netlink
import Networks
import SystemPackage
import Testing

@Suite("macvlan and ipvlan", .needsNamespaces)
struct VirtualInterfaceTests {
    private func request(_ number: Int, _ network: String) -> SandboxRequest {
        SandboxRequest(id: TestID.make(number), name: "c\(number)", endpoints: [EndpointRequest(network: network)])
    }

    private func create(_ networks: Networks, _ driver: String, _ options: [String: String]) async throws -> Network {
        try await networks.create(
            NetworkRequest(
                name: "lan", driver: driver, options: options, enablesIPv6: false,
                addressing: AddressingRequest(pools: [
                    PoolRequest(
                        subnet: IPInterface("192.0.2.0/24"), range: IPInterface("192.0.2.128/25"),
                        gateway: IPAddress("192.0.2.2"))
                ]))
        ).network
    }

    @Test("containers on a macvlan network are on the parent's network with addresses of their own")
    func macvlan() async throws {
        let host = try TestHost()
        let networks = try await host.open()
        let network = try await create(networks, "macvlan", ["parent": "up0"])
        #expect(network.interfaceName == "up0" && network.pools.first?.gateway?.description == "192.0.2.2")
        let first = try await networks.join(request(1, "lan"))
        let second = try await networks.join(request(2, "lan"))
        let (one, two) = (try #require(first.namespace), try #require(second.namespace))
        let (address, other) = (
            try #require(first.endpoints[0].ipv4).address, try #require(second.endpoints[0].ipv4).address
        )
        #expect(address.description == "192.0.2.128")
        #expect(try Traffic.connect(from: one, to: try #require(IPAddress("192.0.2.2")), of: host.outside) == address)
        #expect(try Traffic.connect(from: host.outside, to: address, of: one)?.description == "192.0.2.2")
        #expect(try Traffic.connect(from: one, to: other, of: two) == address)
        #expect(try RouteSocket.opened(in: one).defaultRoute(.ipv4)?.gateway?.description == "192.0.2.2")
        for sandbox in [first, second] { await networks.leave(sandbox.id) }
        _ = try await networks.remove("lan")
        #expect(try host.route().link(.name("up0")) != nil)
    }

    @Test("an interface that the container has renamed goes with its place, also where others have the namespace")
    func renamed() async throws {
        let host = try TestHost()
        let networks = try await host.open()
        _ = try await create(networks, "macvlan", ["parent": "up0"])
        for isShared in [false, true] {
            let sandbox = try await networks.join(request(1, "lan"))
            let namespace = try #require(sandbox.namespace)
            let inside = try RouteSocket.opened(in: namespace)
            let index = try #require(try inside.link(.name("eth0"))).index
            for settings in [LinkSettings(isUp: false), LinkSettings(name: "mine")] {
                try inside.perform(Link.set(.index(index), settings))
            }
            if isShared {
                await networks.leave(sandbox.id, sharedNamespace: namespace)
            } else {
                try await networks.disconnect("lan", sandbox: sandbox.id, namespace: namespace)
            }
            #expect(try inside.link(.name("mine")) == nil)
            #expect(networks.endpoints(of: sandbox.id).isEmpty)
        }
    }

    @Test("a parent that is taken, is not there or cannot be made is refused before anything is left")
    func refused() async throws {
        let host = try TestHost()
        let networks = try await host.open()
        await #expect(
            throws: NetworksError(.invalid, "invalid subinterface vlan name nothing, example formatting is eth0.10")
        ) { try await create(networks, "macvlan", ["parent": "nothing"]) }
        await #expect(throws: NetworksError(.invalid, "vlan id must be between 1-4094, received: 9999")) {
            try await create(networks, "macvlan", ["parent": "up0.9999"])
        }
        _ = try await networks.create(
            NetworkRequest(name: "first", driver: "macvlan", options: ["parent": "up0"]))
        await #expect(throws: NetworksError.self) { try await create(networks, "ipvlan", ["parent": "up0"]) }
        await #expect(throws: NetworksError.self) {
            try await create(networks, "macvlan", ["parent": "up0", "macvlan_mode": "passthru"])
        }
        #expect(networks.all.map(\.name) == ["bridge", "first", "host", "none"])
    }

    @Test("the daemon makes a parent, and removes it with the last network on it", arguments: ["", "up0.10"])
    func parent(name: String) async throws {
        let host = try TestHost()
        let networks = try await host.open()
        do {
            _ = try await create(networks, "macvlan", name.isEmpty ? [:] : ["parent": name])
        } catch let error as NetworksError where error.message.contains("Unknown device type") {
            // This kernel has no such interfaces: the error says so, and nothing is left.
            #expect(networks.all.count == 3)
            return
        }
        let parent = try #require(try networks.network("lan").interfaceName)
        #expect(try host.route().link(.name(parent))?.isUp == true)
        let sandbox = try await networks.join(request(1, "lan"))
        #expect(try RouteSocket.opened(in: try #require(sandbox.namespace)).link(.name("eth0")) != nil)
        await networks.leave(sandbox.id)
        _ = try await networks.remove("lan")
        #expect(try host.route().link(.name(parent)) == nil)
    }

    @Test("ipvlan works in all its modes, or the error says that the kernel has none", arguments: ["l2", "l3", "l3s"])
    func ipvlan(mode: String) async throws {
        let host = try TestHost()
        let networks = try await host.open()
        _ = try await create(networks, "ipvlan", ["parent": "up0", "ipvlan_mode": mode])
        do {
            let sandbox = try await networks.join(request(1, "lan"))
            let route = try RouteSocket.opened(in: try #require(sandbox.namespace)).defaultRoute(.ipv4)
            #expect(route?.gateway?.description == (mode == "l2" ? "192.0.2.2" : nil))
        } catch let error as NetworksError {
            #expect(error.message == "cannot create the interface eth0: operation not supported (Unknown device type)")
            #expect(networks.endpoints(of: TestID.make(1)).isEmpty)
        }
    }
}
