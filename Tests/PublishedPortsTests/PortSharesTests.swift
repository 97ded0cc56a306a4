import Addresses
import PublishedPorts
import Testing

@Suite("what ports' requests have led to")
struct PortSharesTests {
    private func port(_ number: UInt16, to inside: UInt16, _ address: IPAddress = .unspecified(.ipv4)) -> PublishedPort
    {
        PublishedPort(.tcp, address, number, to: inside)
    }

    @Test("a request has the ports of both families, and what is nobody's belongs to none")
    func both() {
        let ports = [port(8080, to: 80), port(8080, to: 80, .unspecified(.ipv6)), port(9000, to: 90)]
        #expect(PortRequest.shares(of: [PortRequest(80, host: .exact(8080))], in: ports) == [Array(ports[..<2])])
        #expect(PortRequest.shares(of: [PortRequest(80, .udp, host: .exact(8080))], in: ports) == [[]])
        #expect(PortRequest.shares(of: [PortRequest(80, host: .exact(8081))], in: ports) == [[]])
    }

    @Test("exact requests come before ranges and any, whatever their order")
    func order() {
        let ports = [8080, 8081, 40000].map { port($0, to: 80) }
        let requests = [
            PortRequest(80), PortRequest(80, host: .range(8080...8090)), PortRequest(80, host: .exact(8080)),
        ]
        #expect(PortRequest.shares(of: requests, in: ports) == [[ports[2]], [ports[1]], [ports[0]]])
    }

    @Test("a request without an address has what the daemon's default address has got, but not another request's")
    func addresses() {
        let ports = [port(40000, to: 80, .loopback(.ipv4)), port(40001, to: 80, .loopback(.ipv6))]
        let requests = [PortRequest(80), PortRequest(80, address: .loopback(.ipv4))]
        #expect(PortRequest.shares(of: requests, in: ports) == [[ports[1]], [ports[0]]])
    }

    @Test("two requests for one port collide where their addresses overlap")
    func collisions() {
        let exact = PortRequest(80, host: .exact(8080))
        let local = PortRequest(81, address: .loopback(.ipv4), host: .exact(8080))
        #expect(exact.collision(with: [local])?.description == "0.0.0.0:8080")
        #expect(local.collision(with: [exact])?.description == "127.0.0.1:8080")
        #expect(local.collision(with: [PortRequest(81, address: .loopback(.ipv6), host: .exact(8080))]) == nil)
        #expect(exact.collision(with: [PortRequest(80, .udp, host: .exact(8080)), PortRequest(80)]) == nil)
        #expect(PortRequest(80).collision(with: [PortRequest(80)]) == nil)
    }

    @Test("a port by the container's own address stays open as long as a request is left that opens it")
    func openings() {
        let one = [PortRequest(80, address: .loopback(.ipv4), host: .exact(1))]
        #expect(
            PortRequest.openings(of: one, besides: [PortRequest(81)])
                == [PortRequest(80, address: .unspecified(.ipv4))])
        #expect(PortRequest.openings(of: one, besides: [PortRequest(80, host: .exact(2))]).isEmpty)
        #expect(
            PortRequest.openings(of: [PortRequest(80)], besides: one)
                == [PortRequest(80, address: .unspecified(.ipv6))])
    }
}
