import Addresses
import JSON
import PublishedPorts
import Testing

@Suite("requests for ports")
struct PortRequestTests {
    private func requests(
        _ mappings: [(String, String?)], exposed: [String] = [], publishAll: Bool = false
    ) throws -> [PortRequest] {
        let mappings = try mappings.map { container, host in
            PortMapping(
                port: try #require(PortRange(container)), bindings: [PortBinding(ports: host.flatMap { HostPorts($0) })]
            )
        }
        return try PortRequest.all(
            mappings, exposed: try exposed.map { try #require(PortRange($0)) }, publishAll: publishAll)
    }

    @Test("a port of the host stands for a port of the container")
    func single() throws {
        #expect(try requests([("80", "8080")]) == [PortRequest(80, host: .exact(8080))])
        #expect(try requests([("53/udp", nil)]) == [PortRequest(53, .udp)])
        #expect(try requests([("53/udp", "0")]) == [PortRequest(53, .udp)])
    }

    @Test("ranges of the same size stand for each other, port by port")
    func ranges() throws {
        let wanted = (0..<3).map { PortRequest(80 + $0, host: .exact(8000 + $0)) }
        #expect(try requests([("80-82", "8000-8002")]) == wanted)
    }

    @Test("a range for one port means the first free one")
    func rangeForOne() throws {
        #expect(try requests([("80", "8000-8010")]) == [PortRequest(80, host: .range(8000...8010))])
    }

    @Test("ranges of different sizes are refused with Docker's text")
    func mismatch() throws {
        let error = try #require(throws: PortRangeMismatch.self) { try requests([("80-82", "8000-8010")]) }
        #expect(
            error.description == "invalid ranges specified for container and host Ports: 80-82 and 8000-8010")
    }

    @Test("publishing all gives a port to each exposed one that has none")
    func publishAll() throws {
        #expect(
            try requests([("80", "8080")], exposed: ["80", "443", "5000-5001/udp", "443"], publishAll: true) == [
                PortRequest(80, host: .exact(8080)), PortRequest(443), PortRequest(5000, .udp), PortRequest(5001, .udp),
            ])
        #expect(try requests([], exposed: ["443"]) == [])
    }

    @Test("a default address is for requests without one, and 0.0.0.0 means both families")
    func defaultAddress() throws {
        let local = try #require(IPAddress("127.0.0.1"))
        #expect(PortRequest(80).defaulting(to: local).hostAddress == local)
        #expect(PortRequest(80).defaulting(to: .unspecified(.ipv4)).hostAddress == nil)
        #expect(PortRequest(80).defaulting(to: .unspecified(.ipv6)).hostAddress == .unspecified(.ipv6))
        #expect(PortRequest(80, address: .unspecified(.ipv4)).defaulting(to: local).hostAddress == .unspecified(.ipv4))
    }

    @Test(
        "a request is the same after it was written and read",
        arguments: [
            PortRequest(80), PortRequest(53, .udp, address: .loopback(.ipv6), host: .exact(5353)),
            PortRequest(80, .sctp, host: .range(1...65535)),
        ])
    func coding(_ request: PortRequest) throws {
        #expect(try JSON.decode(PortRequest.self, from: JSON.encode(request)) == request)
    }

    @Test("a range that ends before it begins is no request")
    func brokenRange() {
        let text = #"{"transport":"tcp","containerPort":80,"hostPort":{"first":9,"last":8}}"#
        #expect(throws: (any Error).self) { try JSON.decode(PortRequest.self, from: Array(text.utf8)) }
    }
}
