import Addresses
import CLinux
import LinuxKernel
import Netlink
import SystemPackage
import Testing

@Suite("subscriptions")
struct SubscriptionTests {
    private func subscription(
        _ groups: Set<Subscription.Group>, in namespace: TestNamespace, bufferSize: Int = 1 << 20
    ) throws -> Subscription {
        try NetworkNamespace.visit(namespace.descriptor) {
            Result { try Subscription(groups, bufferSize: bufferSize) }
        }.get()
    }

    @Test("new interfaces and routes are told, and nothing where nothing happens", .needsNamespaces)
    func told() throws {
        let namespace = try TestNamespace()
        let news = try subscription([.links, .ipv4Routes], in: namespace)
        guard case .messages(let none) = try news.take() else { throw Errno.noBufferSpace }
        #expect(none.isEmpty)
        let socket = try namespace.route()
        try socket.perform(Batch(NewLink("b0", .bridge(BridgeOptions()), LinkSettings(isUp: true)).requests))
        let interface = try #require(IPInterface("10.9.0.1/24"))
        let index = try #require(try socket.link(.name("b0"))).index
        try socket.perform(InterfaceAddress(interface).addition(to: index))
        var (links, routes): ([Link], [IPRoute]) = ([], [])
        while case .messages(let messages) = try news.take(), !messages.isEmpty {
            for message in messages {
                if let link = try Link(message) { links.append(link) }
                if message.type == UInt16(RTM_NEWROUTE) {
                    if let route = try IPRoute(payload: message.payload) { routes.append(route) }
                }
            }
        }
        #expect(links.contains { $0.name == "b0" && $0.isUp })
        #expect(routes.contains { $0.destination == interface.subnet })
    }

    @Test("news that got lost are reported as missed, and later ones come again", .needsNamespaces)
    func missed() throws {
        let namespace = try TestNamespace()
        let news = try subscription([.links], in: namespace, bufferSize: 4096)
        let socket = try namespace.route()
        try socket.perform(Batch(NewLink("b0", .bridge(BridgeOptions())).requests))
        for round in 0..<200 {
            try socket.perform(Link.set(.name("b0"), LinkSettings(mtu: UInt32(1000 + round))))
        }
        var hasMissed = false
        reading: while true {
            switch try news.take() {
            case .missed: hasMissed = true
            case .messages(let messages): if messages.isEmpty { break reading }
            }
        }
        #expect(hasMissed)
        try socket.perform(Link.set(.name("b0"), LinkSettings(mtu: 1400)))
        guard case .messages(let messages) = try news.take() else { throw Errno.noBufferSpace }
        #expect(try messages.compactMap { try Link($0) }.last?.mtu == 1400)
    }
}
