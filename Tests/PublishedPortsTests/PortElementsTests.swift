import Addresses
import Netlink
import PublishedPorts
import Testing

@Suite("elements of ports")
struct PortElementsTests {
    private let target = PortTarget(
        sandbox: "abc", ipv4: PortTarget.Place(IPAddress(.ipv4, 0xAC11_0002)),
        ipv6: PortTarget.Place(IPAddress(.ipv6, 0xFD << 120 | 2), .routed))

    @Test("a port of all addresses leads to the container's address and port, and names its sandbox")
    func everywhere() throws {
        let port = PublishedPort(.tcp, .unspecified(.ipv4), 8080, to: 80)
        let elements = PortElements([port], to: target, mode: .nat)
        let group = try #require(elements.groups.first)
        #expect(group.set.name == "ports4")
        #expect(group.elements.map(\.key.bytes) == [[6, 0, 0, 0, 0x1F, 0x90, 0, 0]])
        #expect(group.elements[0].content == .value(FirewallKey(bytes: [172, 17, 0, 2, 0, 80, 0, 0])))
        #expect(group.elements[0].userData?.comment == "abc")
    }

    @Test("a port of one address is in the map of those")
    func oneAddress() throws {
        let port = PublishedPort(.udp, .loopback(.ipv4), 53, to: 53)
        let group = try #require(PortElements([port], to: target, mode: .nat).groups.first)
        #expect(group.set.name == "addressed4")
        #expect(group.elements.map(\.key.bytes) == [[127, 0, 0, 1, 17, 0, 0, 0, 0, 53, 0, 0]])
    }

    @Test("where the shim carries packets, or the sandbox has no address of the family, there is no element")
    func none() {
        let ipv4 = PublishedPort(.tcp, .unspecified(.ipv4), 8080, to: 80)
        let ipv6 = PublishedPort(.tcp, .unspecified(.ipv6), 8080, to: 80)
        #expect(PortElements([ipv4], to: target, mode: .input).isEmpty)
        #expect(PortElements([ipv6], to: target, mode: .nat).isEmpty)
        #expect(PortElements([ipv6], to: PortTarget(sandbox: "x"), mode: .nat).isEmpty)
        let sctp = PublishedPort(.sctp, .unspecified(.ipv4), 8080, to: 80)
        #expect(!PortElements([sctp], to: target, mode: .input).isEmpty)
    }

    @Test("published ports are known by the sandbox's own addresses, each once")
    func direct() throws {
        let requests = [
            PortRequest(80), PortRequest(80, host: .exact(8080)), PortRequest(81, address: .loopback(.ipv4)),
        ]
        let elements = PortElements(published: requests, of: target)
        #expect(elements.groups.map(\.set.name).sorted() == ["published4", "published6"])
        #expect(elements.groups.map(\.elements.count).sorted() == [1, 2])
        var isolated = target
        isolated.ipv4?.mode = .isolated
        #expect(PortElements(published: requests, of: isolated).groups.map(\.set.name) == ["published6"])
    }
}
