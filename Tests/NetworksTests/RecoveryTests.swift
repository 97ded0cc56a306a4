import Addresses
import GRDB
import LinuxKernel
import Netlink
import Networks
import SystemPackage
import Testing

@Suite("After the daemon's end", .needsNamespaces)
struct RecoveryTests {
    private func request(_ number: Int, _ network: String) -> SandboxRequest {
        SandboxRequest(id: TestID.make(number), name: "c\(number)", endpoints: [EndpointRequest(network: network)])
    }

    @Test("who runs keeps the address, and who does not has lost it")
    func leases() async throws {
        let host = try TestHost()
        var networks = try await host.open()
        _ = try await networks.create(NetworkRequest(name: "web"))
        let first = try await networks.join(request(1, "web"))
        var second: Sandbox? = try await networks.join(request(2, "web"))
        #expect(second?.endpoints[0].ipv4?.description == "172.18.0.3/16")
        networks = try await host.open()
        second = nil
        await networks.recover([TestID.make(1)])
        #expect(networks.endpoints(of: TestID.make(1)) == first.endpoints)
        #expect(networks.endpoints(of: TestID.make(2)).isEmpty)
        let third = try await networks.join(request(3, "web"))
        #expect(third.endpoints[0].ipv4?.description == "172.18.0.3/16")
        let (one, three) = (try #require(first.namespace), try #require(third.namespace))
        let address = try #require(first.endpoints[0].ipv4).address
        #expect(try Traffic.connect(from: three, to: address, of: one) != nil)
    }

    @Test("a bridge that somebody removed is made again, and those who run are put on it")
    func lostBridge() async throws {
        let host = try TestHost()
        var networks = try await host.open()
        let first = try await networks.join(request(1, "bridge"))
        let second = try await networks.join(request(2, "bridge"))
        try host.route().perform(Link.delete(.name("masu0")))
        networks = try await host.open()
        await networks.recover([TestID.make(1), TestID.make(2)])
        let (one, two) = (try #require(first.namespace), try #require(second.namespace))
        let address = try #require(second.endpoints[0].ipv4).address
        #expect(try Traffic.connect(from: one, to: address, of: two) != nil)
        #expect(try Traffic.connect(from: host.namespace, to: address, of: two) != nil)
    }

    @Test("interfaces of Masu's that are nobody's are removed, and those of others are not")
    func stale() async throws {
        let host = try TestHost()
        var networks = try await host.open()
        let sandbox = try await networks.join(request(1, "bridge"))
        let bridge = try #require(try host.links().first { $0.name == "masu0" })
        try host.route().perform(
            Batch(
                NewLink(
                    "other0", .veth(peer: .init(name: "other1")), LinkSettings(master: bridge.index, alias: "mine")
                ).requests))
        networks = try await host.open()
        await networks.recover([])
        #expect(try host.links().map(\.name).sorted() == ["masu0", "other0", "other1"])
        _ = sandbox
    }

    @Test("the 1,024th container of a network is refused before anything is made")
    func portLimit() async throws {
        let host = try TestHost()
        let networks = try await host.open()
        let network = try networks.network("bridge")
        let sandboxes = try await withThrowingTaskGroup(of: Sandbox.self) { group in
            for number in 0..<1023 { group.addTask { try await networks.join(request(number, "bridge")) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let error = await #expect(throws: NetworksError.self) { try await networks.join(request(1023, "bridge")) }
        #expect(error?.kind == .exhausted && error?.message.contains("1023 containers") == true)
        #expect(networks.endpoints(on: network.id).count == 1023)
        let last = try #require(sandboxes.first { $0.id == TestID.make(1022) })
        let address = try #require(last.endpoints[0].ipv4).address
        let first = try #require(sandboxes.first { $0.id == TestID.make(0) }?.namespace)
        // A namespace is gone with its sandbox.
        let seen = try withExtendedLifetime(sandboxes) {
            try Traffic.connect(from: first, to: address, of: try #require(last.namespace))
        }
        #expect(seen != nil)
    }

    @Test("an address is nobody else's as long as its row is there, whoever asks")
    func rows() async throws {
        let host = try TestHost()
        let networks = try await host.open()
        let sandbox = try await networks.join(request(1, "bridge"))
        // A daemon that knows nothing of it, as after a crash in the middle of all.
        let other = try await host.open()
        await #expect(throws: (any Error).self) {
            try await host.database.write { database in
                try database.execute(
                    sql:
                        "INSERT INTO networkEndpoint SELECT network, 'other', ipv4, NULL, document FROM networkEndpoint"
                )
            }
        }
        let second = try await other.join(request(2, "bridge"))
        #expect(second.endpoints[0].ipv4 != sandbox.endpoints[0].ipv4)
    }

    @Test("a hundred containers that join at once get a hundred addresses")
    func concurrency() async throws {
        let host = try TestHost()
        let networks = try await host.open()
        let sandboxes = try await withThrowingTaskGroup(of: Sandbox.self) { group in
            for number in 0..<100 { group.addTask { try await networks.join(request(number, "bridge")) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let addresses = Set(sandboxes.compactMap { $0.endpoints[0].ipv4?.address })
        #expect(addresses.count == 100)
        #expect(addresses.max()?.description == "172.17.0.101")
        #expect(networks.usage(of: try networks.network("bridge").id).first?.inUse == 103)
        for sandbox in sandboxes { await networks.leave(sandbox.id) }
        #expect(networks.usage(of: try networks.network("bridge").id).first?.inUse == 3)
    }
}

extension Database {
    func rowCount(_ table: String) throws -> Int {
        try Int.fetchOne(self, sql: "SELECT count(*) FROM \(table)") ?? -1
    }
}
