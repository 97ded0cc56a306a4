import Addresses
import DNS
import LinuxKernel
import Netlink
import Networks
import SystemPackage
import Testing

@Suite("Bridge networks", .needsNamespaces)
struct BridgeTests {
    private func request(_ number: Int, _ networks: EndpointRequest...) -> SandboxRequest {
        SandboxRequest(id: TestID.make(number), name: "c\(number)", endpoints: networks)
    }

    @Test("the daemon makes its default bridge, with the way out's size of packets, and finds it again")
    func defaultBridge() async throws {
        let host = try TestHost(mtu: 1400)
        let networks = try await host.open()
        #expect(networks.all.map(\.name) == ["bridge", "host", "none"])
        let bridge = try networks.network("bridge")
        #expect(bridge.pools.first?.subnet.description == "172.17.0.0/16")
        let link = try #require(try host.links().first { $0.name == "masu0" })
        #expect(link.mtu == 1400 && link.isUp)
        let again = try await host.open()
        #expect(try again.network("bridge") == bridge)
        #expect(try host.links().map(\.index) == [link.index])
    }

    @Test("networks take the way out's size of packets when they are made, and when the daemon starts")
    func changedWayOut() async throws {
        let host = try TestHost(mtu: 1400)
        let networks = try await host.open()
        _ = try await networks.create(NetworkRequest(name: "old", options: ["com.docker.network.bridge.name": "old0"]))
        let fixed = ["com.docker.network.bridge.name": "fixed0", "com.docker.network.driver.mtu": "1350"]
        _ = try await networks.create(NetworkRequest(name: "fixed", options: fixed))
        try host.route().perform(Link.set(.index(2), LinkSettings(mtu: 1300)))
        _ = try await networks.create(NetworkRequest(name: "new", options: ["com.docker.network.bridge.name": "new0"]))
        func sizes() throws -> [String: UInt32] {
            Dictionary(uniqueKeysWithValues: try host.links().map { ($0.name, $0.mtu) })
        }
        #expect(try sizes() == ["masu0": 1400, "old0": 1400, "fixed0": 1350, "new0": 1300])
        let before = try await networks.join(request(1, EndpointRequest(network: "old")))
        let next = try await host.open()
        await next.recover([TestID.make(1)])
        #expect(
            try sizes().filter { !$0.key.hasPrefix("ms") }
                == ["masu0": 1300, "old0": 1300, "fixed0": 1350, "new0": 1300])
        let after = try await next.join(request(2, EndpointRequest(network: "old")))
        func inside(_ sandbox: Sandbox) throws -> UInt32? {
            try RouteSocket.opened(in: try #require(sandbox.namespace)).link(.name("eth0"))?.mtu
        }
        #expect(try inside(before) == 1400 && inside(after) == 1300)
    }

    @Test("the default bridge follows the configuration, and keeps what that says nothing about")
    func changedDefaultBridge() async throws {
        let host = try TestHost()
        let first = try await host.open()
        let id = try first.network("bridge").id
        let dual = try await host.open { $0.defaultBridge.hasIPv6 = true }.network("bridge")
        #expect(dual.id == id && dual.pools.map(\.subnet.family) == [.ipv4, .ipv6])
        #expect(dual.pools[0].subnet.description == "172.17.0.0/16")
        let named = try await host.open {
            $0.defaultBridge.ipv4 = IPInterface("10.99.0.1/24")
            $0.defaultBridge.ipv4Range = IPSubnet("10.99.0.128/25")
            $0.defaultBridge.ipv4Gateway = IPAddress("10.99.0.7")
        }
        let sandbox = try await named.join(request(1, EndpointRequest(network: "bridge")))
        #expect(sandbox.endpoints[0].ipv4?.description == "10.99.0.128/24")
        #expect(sandbox.endpoints[0].ipv4Gateway?.description == "10.99.0.7")
        let link = try #require(try host.links().first { $0.name == "masu0" })
        let addresses = try host.route().addresses(of: link.index).map(\.description)
        #expect(addresses == ["10.99.0.1/24"])
        await named.leave(sandbox.id)
        _ = try await host.open { $0.defaultBridge.isEnabled = false }
        #expect(try !host.links().contains { $0.name == "masu0" })
    }

    @Test("a bridge of the administrator's is used as it is, and stays when its network goes")
    func foreignBridge() async throws {
        let host = try TestHost()
        let networks = try await host.open()
        try host.route().perform(Batch(NewLink("own0", .bridge(BridgeOptions()), LinkSettings(mtu: 1300)).requests))
        let own = try #require(try host.route().link(.name("own0")))
        let options = ["com.docker.network.bridge.name": "own0"]
        _ = try await networks.create(NetworkRequest(name: "web", options: options))
        await #expect(throws: NetworksError.self) {
            try await networks.create(NetworkRequest(name: "other", options: options))
        }
        let first = try await networks.join(request(1, EndpointRequest(network: "web")))
        let second = try await networks.join(request(2, EndpointRequest(network: "web")))
        let address = try #require(second.endpoints[0].ipv4).address
        let (one, two) = (try #require(first.namespace), try #require(second.namespace))
        #expect(try Traffic.connect(from: one, to: address, of: two) != nil)
        #expect(try RouteSocket.opened(in: one).link(.name("eth0"))?.mtu == 1300)
        for sandbox in [first, second] { await networks.leave(sandbox.id) }
        _ = try await networks.remove("web")
        #expect(try host.route().link(.name("own0"))?.index == own.index)
    }

    @Test("containers on one network reach each other and the host by both families", arguments: [false, true])
    func traffic(hasIPv6: Bool) async throws {
        let host = try TestHost()
        let networks = try await host.open()
        let made = try await networks.create(NetworkRequest(name: "web", enablesIPv6: hasIPv6))
        let first = try await networks.join(request(1, EndpointRequest(network: "web")))
        let second = try await networks.join(request(2, EndpointRequest(network: made.network.id)))
        let (one, two) = (try #require(first.namespace), try #require(second.namespace))
        for family in IPAddress.Family.allCases where family == .ipv4 || hasIPv6 {
            let address = try #require(second.endpoints[0].address(family)).address
            let seen = try Traffic.connect(from: one, to: address, of: two)
            #expect(seen == first.endpoints[0].address(family)?.address)
            let gateway = try #require(made.network.pool(family)?.gateway)
            #expect(try Traffic.connect(from: two, to: gateway, of: host.namespace) == address)
            #expect(try Traffic.connect(from: host.namespace, to: address, of: two) == gateway)
        }
        #expect(first.endpoints[0].ipv4?.description == "172.18.0.2/16")
        #expect(first.endpoints[0].macAddress?.description == "02:42:ac:12:00:02")
        let inside = try RouteSocket.opened(in: one)
        #expect(try inside.link(.name("eth0"))?.address == [2, 0x42, 172, 18, 0, 2])
        #expect(try inside.defaultRoute(.ipv4)?.gateway?.description == "172.18.0.1")
        #expect(try (inside.defaultRoute(.ipv6) != nil) == hasIPv6)
        #expect(try inside.addresses().contains { $0.interface?.address.isIPv6 == true && $0.index > 1 } == hasIPv6)
    }

    @Test("a network's removal leaves nothing in the kernel, the database and the file system")
    func removal() async throws {
        let host = try TestHost()
        let networks = try await host.open { $0.defaultBridge.isEnabled = false }
        let before = try snapshot(host)
        let (network, _) = try await networks.create(NetworkRequest(name: "web", enablesIPv6: true))
        var sandboxes = [try await networks.join(request(1, EndpointRequest(network: "web", aliases: ["db"])))]
        #expect(Files.exists(networks.namesFile(of: network.id)))
        let error = await #expect(throws: NetworksError.self) { try await networks.remove("web") }
        let endpoint = String(sandboxes[0].endpoints[0].id.prefix(12))
        #expect(
            error
                == NetworksError(
                    .forbidden,
                    "error while removing network: network web has active endpoints (name:\"c1\" id:\"\(endpoint)\")"))
        await networks.leave(TestID.make(1))
        sandboxes.removeAll()
        _ = try await networks.remove("web")
        _ = try await TestHost.wait { try snapshot(host) == before }
        #expect(try snapshot(host) == before)
        #expect(try await host.database.read { try $0.rowCount("network") } == 2)
        #expect(try await host.database.read { try $0.rowCount("networkEndpoint") } == 0)
        #expect(!Files.exists(networks.namesFile(of: network.id).removingLastComponent()))
        await #expect(throws: NetworksError(.notFound, "network web not found")) { try await networks.remove("web") }
    }

    private func snapshot(_ host: TestHost) throws -> [String] {
        let route = try host.route()
        var lines = try route.links().map { "link \($0.name)" }
        lines += try route.addresses().map { "address \($0)" }
        for family in IPAddress.Family.allCases {
            // A host that forwards has some more of these.
            lines += try route.routes(family).filter { $0.kind != .anycast }.map { "route \($0)" }
            lines += try route.rules(family).map { "rule \($0.preference)" }
            lines += try route.neighbours(family).filter(\.isPermanent).filter { !$0.address.isMulticast }
                .map { "neighbour \($0.address)" }
        }
        return lines.sorted()
    }

    @Test("predefined networks cannot be removed, and nobody gets their names")
    func predefined() async throws {
        let host = try TestHost()
        let networks = try await host.open()
        await #expect(throws: NetworksError(.forbidden, "host is a pre-defined network and cannot be removed")) {
            try await networks.remove("host")
        }
        await #expect(throws: NetworksError.self) { try await networks.create(NetworkRequest(name: "bridge")) }
    }

    @Test("of two requests for one name or one block, one is refused")
    func conflicts() async throws {
        let host = try TestHost()
        let networks = try await host.open()
        let pool = AddressingRequest(pools: [PoolRequest(subnet: IPInterface("10.5.0.0/24"))])
        _ = try await networks.create(NetworkRequest(name: "one", addressing: pool))
        await #expect(throws: NetworksError(.conflict, "network with name one already exists")) {
            try await networks.create(NetworkRequest(name: "one"))
        }
        let expected = NetworksError(
            .forbidden, "invalid pool request: Pool overlaps with other one on this address space")
        await #expect(throws: expected) {
            try await networks.create(NetworkRequest(name: "two", addressing: pool))
        }
        #expect(try host.links().count == 2)
    }

    @Test("an internal network has no way out, and a container on two networks takes the other one's")
    func several() async throws {
        let host = try TestHost()
        let networks = try await host.open()
        _ = try await networks.create(NetworkRequest(name: "a-inner", isInternal: true))
        _ = try await networks.create(NetworkRequest(name: "b-first"))
        _ = try await networks.create(NetworkRequest(name: "c-second"))
        let sandbox = try await networks.join(
            request(
                1, EndpointRequest(network: "a-inner"), EndpointRequest(network: "b-first"),
                EndpointRequest(network: "c-second")))
        #expect(sandbox.endpoints.map(\.interfaceName) == ["eth0", "eth1", "eth2"])
        let inside = try RouteSocket.opened(in: try #require(sandbox.namespace))
        #expect(try inside.defaultRoute(.ipv4)?.gateway?.description == "172.19.0.1")
        let preferred = try await networks.join(
            request(
                2, EndpointRequest(network: "b-first"),
                EndpointRequest(network: "c-second", gatewayPriority: 5)))
        let other = try RouteSocket.opened(in: try #require(preferred.namespace))
        #expect(try other.defaultRoute(.ipv4)?.gateway?.description == "172.20.0.1")
        let alone = try await networks.join(request(3, EndpointRequest(network: "a-inner")))
        #expect(try RouteSocket.opened(in: try #require(alone.namespace)).defaultRoute(.ipv4) == nil)
    }

    @Test("a container that runs is put on networks and taken from them, and its default route follows")
    func connect() async throws {
        let host = try TestHost()
        let networks = try await host.open()
        for name in ["a", "b"] { _ = try await networks.create(NetworkRequest(name: name, enablesIPv6: true)) }
        let sandbox = try await networks.join(request(1, EndpointRequest(network: "b")))
        let peer = try await networks.join(request(2, EndpointRequest(network: "a")))
        let namespace = try #require(sandbox.namespace)
        let endpoint = try await networks.connect(
            EndpointRequest(network: "a", ipv4: IPAddress("172.18.0.77"), aliases: ["db"]),
            SandboxRequest(id: TestID.make(1), name: "c1", endpoints: [], namespace: namespace))
        #expect(endpoint.interfaceName == "eth1" && endpoint.ipv4?.description == "172.18.0.77/16")
        #expect(endpoint.dnsNames == ["c1", "db", String(TestID.make(1).prefix(12))])
        let inside = try RouteSocket.opened(in: namespace)
        #expect(try inside.defaultRoute(.ipv4)?.gateway?.description == "172.18.0.1")
        for address in [endpoint.ipv4, endpoint.ipv6].compactMap({ $0?.address }) {
            let seen = try Traffic.connect(from: try #require(peer.namespace), to: address, of: namespace)
            #expect(seen != nil)
        }
        try await networks.disconnect("a", sandbox: TestID.make(1), namespace: namespace)
        #expect(try inside.link(.name("eth1")) == nil)
        #expect(try inside.defaultRoute(.ipv4)?.gateway?.description == "172.19.0.1")
        #expect(networks.endpoints(of: TestID.make(1)).map(\.networkName) == ["b"])
        let table = try NameTable(mapping: networks.namesFile(of: try networks.network("a").id))
        #expect(table.addresses(of: try #require(DomainName("db")), .ipv4) == nil)
        #expect(table.addresses(of: try #require(DomainName("c2")), .ipv4)?.count == 1)
    }

    @Test("names are those of all who are on a network, however many come and go at once")
    func manyNames() async throws {
        let host = try TestHost()
        let networks = try await host.open { $0.defaultBridge.isEnabled = false }
        let (network, _) = try await networks.create(NetworkRequest(name: "web"))
        var sandboxes: [Sandbox] = []
        let web = EndpointRequest(network: "web")
        for number in 0..<40 where number % 2 == 0 { sandboxes.append(try await networks.join(request(number, web))) }
        sandboxes += try await withThrowingTaskGroup(of: Sandbox?.self) { group in
            for number in 0..<40 {
                group.addTask {
                    if number % 2 == 1 { return try await networks.join(request(number, web)) }
                    await networks.leave(TestID.make(number))
                    // Nobody finds it from now on.
                    let table = try NameTable(mapping: networks.namesFile(of: network.id))
                    #expect(table.addresses(of: try #require(DomainName("c\(number)")), .ipv4) == nil)
                    return nil
                }
            }
            return try await group.reduce(into: []) { if let sandbox = $1 { $0.append(sandbox) } }
        }
        let table = try NameTable(mapping: networks.namesFile(of: network.id))
        for number in 0..<40 {
            let addresses = table.addresses(of: try #require(DomainName("c\(number)")), .ipv4)
            #expect(addresses?.count == (number % 2 == 1 ? 1 : nil))
        }
        withExtendedLifetime(sandboxes) {}
    }

    @Test("a container that is renamed is found by its new name and its aliases, also by the next daemon")
    func rename() async throws {
        let host = try TestHost()
        let networks = try await host.open { $0.defaultBridge.isEnabled = false }
        let (network, _) = try await networks.create(NetworkRequest(name: "web"))
        let sandbox = try await networks.join(request(1, EndpointRequest(network: "web", aliases: ["db"])))
        try await networks.rename(TestID.make(1), to: "store")
        func addresses(_ name: String) throws -> Int {
            let table = try NameTable(mapping: networks.namesFile(of: network.id))
            return table.addresses(of: try #require(DomainName(name)), .ipv4)?.count ?? 0
        }
        #expect(try addresses("store") == 1 && addresses("db") == 1 && addresses("c1") == 0)
        networks.close()
        let next = try await host.open { $0.defaultBridge.isEnabled = false }
        #expect(next.endpoints(of: sandbox.id).first?.sandboxName == "store")
        #expect(next.endpoints(of: sandbox.id).first?.dnsNames.first == "store")
    }

    @Test("with enable_icc=false containers do not reach each other, but the gateway")
    func isolation() async throws {
        let host = try TestHost()
        let networks = try await host.open()
        let (network, _) = try await networks.create(
            NetworkRequest(name: "web", options: ["com.docker.network.bridge.enable_icc": "false"]))
        let first = try await networks.join(request(1, EndpointRequest(network: "web")))
        let second = try await networks.join(request(2, EndpointRequest(network: "web")))
        let (one, two) = (try #require(first.namespace), try #require(second.namespace))
        let address = try #require(second.endpoints[0].ipv4).address
        #expect(try Traffic.connect(from: one, to: address, of: two, milliseconds: 300) == nil)
        let gateway = try #require(network.pools[0].gateway)
        #expect(try Traffic.connect(from: one, to: gateway, of: host.namespace) != nil)
    }

    @Test("an endpoint gets the address, hardware address, name and kernel parameters that it asks for")
    func asked() async throws {
        let host = try TestHost()
        let networks = try await host.open()
        _ = try await networks.create(
            NetworkRequest(
                name: "web", addressing: AddressingRequest(pools: [PoolRequest(subnet: IPInterface("10.5.0.0/24"))])))
        let sandbox = try await networks.join(
            request(
                1,
                EndpointRequest(
                    network: "web", ipv4: IPAddress("10.5.0.9"), macAddress: MACAddress("02:00:00:00:00:07"),
                    linkLocal: [try #require(IPAddress("169.254.7.7"))],
                    driverOptions: [
                        "com.docker.network.endpoint.ifname": "net7",
                        "com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.log_martians=1",
                    ])))
        let namespace = try #require(sandbox.namespace)
        let link = try #require(try RouteSocket.opened(in: namespace).link(.name("net7")))
        #expect(link.address == [2, 0, 0, 0, 0, 7])
        let addresses = try RouteSocket.opened(in: namespace).addresses(of: link.index).map(\.description)
        #expect(Set(addresses) == ["10.5.0.9/24", "169.254.7.7/16"])
        let parameter = try NetworkNamespace.visit(namespace) {
            try? Files.readText("/proc/sys/net/ipv4/conf/net7/log_martians")
        }
        #expect(parameter == "1")
        await #expect(throws: NetworksError(.forbidden, "Address already in use")) {
            try await networks.join(request(2, EndpointRequest(network: "web", ipv4: IPAddress("10.5.0.9"))))
        }
        let outside = NetworksError(
            .invalid, "invalid endpoint settings:\nno configured subnet contains IP address 10.6.0.9")
        await #expect(throws: outside) {
            try await networks.join(request(2, EndpointRequest(network: "web", ipv4: IPAddress("10.6.0.9"))))
        }
        let alias = NetworksError(
            .invalid,
            "invalid endpoint settings:\nnetwork-scoped aliases are only supported for user-defined networks")
        await #expect(throws: alias) {
            try await networks.join(request(2, EndpointRequest(network: "bridge", aliases: ["x"])))
        }
    }

    @Test("when the last address is taken, Docker's error says so and the other networks' addresses are free again")
    func exhaustion() async throws {
        let host = try TestHost()
        let networks = try await host.open()
        let (small, _) = try await networks.create(
            NetworkRequest(
                name: "small", addressing: AddressingRequest(pools: [PoolRequest(subnet: IPInterface("10.5.0.0/30"))])))
        let first = try await networks.join(request(1, EndpointRequest(network: "small")))
        let expected = NetworksError(
            .exhausted, "no available IPv4 addresses on this network's address pools: small (\(small.id))")
        await #expect(throws: expected) {
            try await networks.join(request(2, EndpointRequest(network: "bridge"), EndpointRequest(network: "small")))
        }
        #expect(networks.endpoints(of: TestID.make(2)).isEmpty)
        await networks.leave(first.id)
        let third = try await networks.join(
            request(3, EndpointRequest(network: "bridge"), EndpointRequest(network: "small")))
        #expect(third.endpoints.map { $0.ipv4?.description } == ["172.17.0.2/16", "10.5.0.2/30"])
    }

    @Test("the networks host and none give the host's namespace and an empty one")
    func hostAndNone() async throws {
        let host = try TestHost()
        let networks = try await host.open()
        #expect(try await networks.join(request(1, EndpointRequest(network: "host"))).namespace == nil)
        let none = try await networks.join(request(2, EndpointRequest(network: "none")))
        let links = try RouteSocket.opened(in: try #require(none.namespace)).links().filter(\.isUp)
        #expect(links.map(\.name) == ["lo"])
        #expect(networks.endpoints(on: try networks.network("host").id).map(\.sandboxName) == ["c1"])
    }

    @Test("IPv6 is as anywhere else for interfaces that a container makes itself")
    func ownInterfaces() async throws {
        let host = try TestHost()
        let networks = try await host.open()
        let sandbox = try await networks.join(request(1, EndpointRequest(network: "bridge")))
        let values = try NetworkNamespace.visit(try #require(sandbox.namespace)) {
            ["eth0", "lo", "default"].map {
                try? Files.readText(FilePath("/proc/sys/net/ipv6/conf/\($0)/disable_ipv6"))
            }
        }
        #expect(values == ["1", "0", "0"])
    }
}
