import Addresses
import Engine
import Glibc
import PublishedPorts
import Testing

/// What `update` makes of the ports of a container that does not run.
@Suite("Changes of ports", .enabled(if: geteuid() == 0, "unpacking an image needs root"))
struct PortChangeTests {
    private func mapping(_ port: String, _ host: String?, _ address: IPAddress? = nil) throws -> PortMapping {
        PortMapping(
            port: try #require(PortRange(port)),
            bindings: [PortBinding(address: address, ports: host.flatMap { HostPorts($0) })])
    }

    private func create(
        _ fixture: EngineFixture, _ change: (inout ContainerConfiguration) throws -> Void
    ) async throws -> String {
        var wanted = ContainerConfiguration(image: "box")
        try change(&wanted)
        return try await fixture.engine.create(wanted, name: "web").id
    }

    private func refusal(_ fixture: EngineFixture, _ change: PortChange) async -> String? {
        await #expect(throws: EngineError.self) { try await fixture.engine.change(ports: change, of: "web") }?.message
    }

    @Test("one port of a range goes, the others stay")
    func range() async throws {
        let fixture = try await EngineFixture()
        defer { withExtendedLifetime(fixture) {} }
        let id = try await create(fixture) {
            $0.host.publishedPorts = [try mapping("80-82", "8080-8082"), try mapping("53/udp", nil)]
        }
        try await fixture.engine.change(ports: PortChange(removing: [try mapping("81", "8081")]), of: id)
        let left = [try mapping("80", "8080"), try mapping("82", "8082"), try mapping("53/udp", nil)]
        #expect(try await fixture.engine.inspect(id).host.publishedPorts == left)
        // What was written down is what the next daemon reads.
        let next = try fixture.restarted()
        try await next.recover()
        #expect(try await next.inspect(id).host.publishedPorts == left)
        let range = PortMapping(port: try #require(PortRange("80-82")), bindings: [])
        #expect(
            await refusal(fixture, PortChange(removing: [range]))
                == "port 81/tcp of container web is not published; published: 8080:80/tcp, 8082:82/tcp, 53/udp")
        #expect(try await fixture.engine.inspect(id).host.publishedPorts == left)
    }

    @Test("of all exposed ports one goes, and the others are published as before")
    func all() async throws {
        let fixture = try await EngineFixture()
        defer { withExtendedLifetime(fixture) {} }
        let id = try await create(fixture) {
            $0.exposedPorts = [PortRange(80), PortRange(81), PortRange(82)]
            $0.host.publishAllPorts = true
            $0.host.publishedPorts = [try mapping("80", "8080")]
        }
        try await fixture.engine.change(ports: PortChange(removing: [try mapping("81", nil)]), of: id)
        let host = try await fixture.engine.inspect(id).host
        let left = [try mapping("80", "8080"), try mapping("82", nil)]
        #expect(!host.publishAllPorts && host.publishedPorts == left)
    }

    @Test("a place is named by port, by address, or by both; what is added is exposed")
    func places() async throws {
        let fixture = try await EngineFixture()
        defer { withExtendedLifetime(fixture) {} }
        let id = try await create(fixture) {
            $0.host.publishedPorts = [
                try mapping("80", "8080"), try mapping("80", "8081", .loopback(.ipv4)),
                try mapping("80", "8082", .loopback(.ipv6)),
            ]
        }
        try await fixture.engine.change(
            ports: PortChange(
                adding: [try mapping("90", "9090")], removing: [try mapping("80", nil, .loopback(.ipv4))]), of: id)
        let details = try await fixture.engine.inspect(id)
        #expect(details.configuration.exposedPorts == [PortRange(90)])
        let elsewhere = PortChange(removing: [try mapping("80", "8082", .loopback(.ipv4))])
        #expect(
            await refusal(fixture, elsewhere)
                == "port 127.0.0.1:8082:80/tcp of container web is not published; published: 8080:80/tcp, "
                + "[::1]:8082:80/tcp, 9090:90/tcp")
        let twice = PortChange(adding: [try mapping("91", "9090")])
        #expect(
            await refusal(fixture, twice)
                == "cannot publish ports of container web: Bind for 0.0.0.0:9090 failed: port is already allocated "
                + "(by container web)")
        let uneven = PortChange(adding: [try mapping("91-93", "9090-9091")])
        #expect(
            await refusal(fixture, uneven)
                == "invalid ranges specified for container and host Ports: 91-93 and 9090-9091")
        try await fixture.engine.change(ports: PortChange(removing: [try mapping("80", nil)]), of: id)
        let last = [try mapping("90", "9090")]
        #expect(try await fixture.engine.inspect(id).host.publishedPorts == last)
    }

    @Test("where there are no ports of the host to be had, nothing is added")
    func modes() async throws {
        let fixture = try await EngineFixture()
        defer { withExtendedLifetime(fixture) {} }
        let change = PortChange(adding: [try mapping("80", "8080")])
        for (mode, text) in [
            (NetworkMode.host, "it is on the host's network"), (.none, "it is on no network"),
        ] {
            let id = try await create(fixture) { $0.host.networkMode = mode }
            #expect(await refusal(fixture, change)?.contains(text) == true)
            #expect(try await fixture.engine.inspect(id).host.publishedPorts.isEmpty)
            try await fixture.engine.remove(id)
        }
    }
}
