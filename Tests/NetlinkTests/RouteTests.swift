import Addresses
import CLinux
import JSON
import LinuxKernel
import Netlink
import SystemPackage
import Testing

@Suite("addresses, routes, rules and neighbours")
struct RouteTests {
    /// A namespace with a pair of links that are up, `v0` (number 10) and `v1` (number 11), and addresses on the first.
    private func network() throws -> (TestNamespace, RouteSocket) {
        let namespace = try TestNamespace()
        let socket = try namespace.route()
        let pair = NewLink("v0", .veth(peer: .init(name: "v1", index: 11)), index: 10, LinkSettings(mtu: 1300))
        var batch = Batch(pair.requests)
        for index: Int32 in [1, 10, 11] { batch.append(Link.set(.index(index), LinkSettings(isUp: true))) }
        for text in ["10.9.0.1/16", "fd00:9::1/64"] {
            let interface = try #require(IPInterface(text))
            batch.append(InterfaceAddress(interface, checksDuplicates: false).addition(to: 10))
        }
        try socket.perform(batch)
        return (namespace, socket)
    }

    @Test("an address is read, and added elsewhere with what belongs to it")
    func recordedAddress() throws {
        let fixed: [UInt8] = [2, 24, 0x80, 0, 5, 0, 0, 0]
        let attributes: [UInt8] = [
            8, 0, 1, 0, 10, 0, 0, 7, 8, 0, 2, 0, 10, 0, 0, 7, 8, 0, 4, 0, 10, 0, 0, 255, 8, 0, 8, 0, 0x80, 2, 0, 0,
        ]
        let address = try InterfaceAddress(payload: (fixed + attributes)[...])
        #expect(address.isPermanent && address.isGlobal && address.index == 5)
        #expect("\(address)" == "10.0.0.7/24" && address.interface == IPInterface("10.0.0.7/24"))
        let added = try InterfaceAddress(payload: Message.all(in: address.addition(to: 9).bytes)[0].payload)
        #expect(added.index == 9 && added.local == IPAddress("10.0.0.7"))
        #expect(added.prefixLength == 24 && added.broadcast == IPAddress("10.0.0.255"))
        // That it makes no route for its network is kept; that it is permanent follows from how it is added.
        #expect(added.flags == 0x200)
    }

    @Test("the wider flags count, and a narrower scope is seen")
    func scope() throws {
        let address = try InterfaceAddress(payload: [10, 64, 0x80, 253, 2, 0, 0, 0, 8, 0, 8, 0, 0, 1, 0, 0])
        #expect(!address.isPermanent && !address.isGlobal && address.flags == 0x100)
    }

    @Test("addresses are added, told of one interface and removed", .needsNamespaces)
    func addresses() throws {
        let (namespace, socket) = try network()
        let found = try socket.addresses(of: 10).filter(\.isGlobal)
        #expect(found.map(\.description).sorted() == ["10.9.0.1/16", "fd00:9::1/64"])
        #expect(found.allSatisfy { $0.isPermanent && $0.index == 10 })
        #expect(found.first { $0.local?.isIPv6 == false }?.broadcast == IPAddress("10.9.255.255"))
        #expect(try socket.addresses().contains { $0.index == 1 }, "those of all interfaces")
        if let seen = try namespace.ip("address", "show", "dev", "v0")?.first?["addr_info"]?.array {
            let six = seen.first { $0["local"] == "fd00:9::1" }
            #expect(six?["nodad"] == true && six?["prefixlen"] == 64)
        }
        for address in found { try socket.perform(address.removal(from: 10)) }
        #expect(try socket.addresses(of: 10).filter(\.isGlobal).isEmpty)
    }

    @Test(
        "routes are added, replaced, told and deleted, in any table", .needsNamespaces,
        arguments: [
            ("10.9.0.9", "10.20.0.0/16"), ("fd00:9::9", "fd00:20::/32"),
        ])
    func routes(_ gateway: String, _ destination: String) throws {
        let (namespace, socket) = try network()
        let gateway = try #require(IPAddress(gateway))
        let destination = try #require(IPSubnet(destination))
        let standard = IPRoute.standard(by: gateway, mtu: 1280)
        let other = IPRoute(destination, gateway: gateway, interface: 10, table: 4711, priority: 50)
        let refusal = IPRoute(destination, kind: .unreachable)
        try socket.perform(Batch([standard.addition, other.addition, refusal.addition]))

        let found = try #require(try socket.defaultRoute(gateway.family))
        #expect(found.gateway == gateway && found.interface == 10 && found.mtu == 1280 && found.isDefault)
        #expect(try socket.defaultMTU(gateway.family) == 1280)
        let inTable = try socket.routes(gateway.family, table: 4711)
        #expect(inTable.count == 1 && inTable.first?.destination == destination)
        #expect(inTable.first?.priority == 50 && inTable.first?.kind == .unicast)
        #expect(try socket.routes(gateway.family).contains { $0.destination == destination && $0.kind == .unreachable })
        #expect(try socket.route(to: try #require(destination.address.advanced(by: 1))) == nil)
        let far = try #require(IPAddress(gateway.isIPv6 ? "2001:db8::1" : "192.0.2.1"))
        let way = try #require(try socket.route(to: far))
        #expect(way.gateway == gateway && way.table == IPRoute.mainTable && way.mtu == 1280)

        let error = #expect(throws: NetlinkError.self) { try socket.perform(standard.addition) }
        #expect(error?.errno == .fileExists)
        let replacement = IPRoute.standard(by: gateway)
        try socket.perform(replacement.replacement)
        #expect(try socket.defaultRoute(gateway.family)?.mtu == nil)
        #expect(try socket.defaultMTU(gateway.family) == 1300, "that of the interface")
        if let seen = try namespace.ip(gateway.isIPv6 ? "-6" : "-4", "route", "show", "table", "4711")?.first {
            #expect(seen["gateway"]?.string == "\(gateway)" && seen["dst"]?.string == "\(destination)")
            #expect(seen["metric"] == 50 && seen["dev"] == "v0")
        }
        try socket.perform(Batch([replacement.removal, other.removal, refusal.removal]))
        #expect(try socket.defaultRoute(gateway.family) == nil && socket.defaultMTU(gateway.family) == nil)
        #expect(try socket.routes(gateway.family, table: 4711).isEmpty)
    }

    @Test("a machine's own addresses are in a table of theirs, and one is made that is everybody's", .needsNamespaces)
    func localRoutes() throws {
        let (_, socket) = try network()
        #expect(
            try socket.routes(.ipv4, table: IPRoute.localTable).contains { $0.destination == IPSubnet("10.9.0.1/32") })
        let all = IPRoute(try #require(IPSubnet("0.0.0.0/0")), interface: 1, table: 109, kind: .local)
        try socket.perform(all.addition)
        let found = try #require(try socket.routes(.ipv4, table: 109).first)
        #expect(found.kind == .local && found.scope == .host && found.interface == 1)
    }

    @Test("rules are added, told and deleted", .needsNamespaces, arguments: IPAddress.Family.allCases)
    func rules(_ family: IPAddress.Family) throws {
        let (namespace, socket) = try network()
        let marked = RoutingRule(family, preference: 100, table: 109, mark: .init(0x6d, mask: 0xff))
        let incoming = RoutingRule(family, preference: 200, table: 70000, inputInterface: "v0")
        let source = IPSubnet(family == .ipv4 ? "10.9.0.0/16" : "fd00:9::/64")
        let sent = RoutingRule(family, preference: 300, table: 110, source: source)
        var answers = RoutingRule(family, preference: 300, table: 110, destination: source)
        (answers.transport, answers.sourcePort, answers.destinationPort) = (.udp, 53, 40_000)
        let rules = [marked, incoming, sent, answers]
        try socket.perform(Batch(rules.map(\.addition)))
        #expect(try socket.rules(family).filter { (100...300).contains($0.preference) } == rules)
        if let seen = try namespace.ip(family == .ipv4 ? "-4" : "-6", "rule", "show") {
            let rule = seen.first { $0["priority"] == 100 }
            #expect(rule?["fwmark"] == "0x6d" && rule?["fwmask"] == "0xff" && rule?["table"] == "109")
        }
        try socket.perform(Batch(rules.map(\.removal)))
        #expect(try !socket.rules(family).contains { (100...300).contains($0.preference) })
    }

    @Test("permanent neighbours are set, told and deleted", .needsNamespaces, arguments: ["10.9.0.7", "fd00:9::7"])
    func neighbours(_ text: String) throws {
        let (namespace, socket) = try network()
        let address = try #require(IPAddress(text))
        let hardware = MACAddress(derivedFrom: address)
        let neighbour = Neighbour(address, at: hardware, interface: 10)
        try socket.perform(Batch([neighbour.replacement, neighbour.replacement]))
        let found = try socket.neighbours(address.family, of: 10).filter(\.isPermanent)
        #expect(found == [neighbour])
        if let seen = try namespace.ip("neigh", "show", "dev", "v0", "nud", "permanent") {
            #expect(seen.first { $0["dst"]?.string == text }?["lladdr"]?.string == "\(hardware)")
        }
        try socket.perform(neighbour.removal)
        #expect(try socket.neighbours(address.family, of: 10).filter(\.isPermanent).isEmpty)
    }

    @Test("static entries of a bridge are set, told and deleted", .needsNamespaces)
    func forwarding() throws {
        let (namespace, socket) = try network()
        try socket.perform(Batch(NewLink("br0", .bridge(BridgeOptions()), index: 30).requests))
        try socket.perform(Link.set(.index(11), LinkSettings(master: 30)))
        let entry = ForwardingEntry(MACAddress(derivedFrom: try #require(IPAddress("10.9.0.7"))), port: 11)
        try socket.perform(entry.replacement)
        let found = try socket.forwardingEntries(of: 30).first { $0.hardwareAddress == entry.hardwareAddress }
        #expect(found?.port == 11 && found?.bridge == 30 && found?.isStatic == true && found?.isLocal == false)
        if let text = try namespace.output(of: "bridge", ["fdb", "show", "dev", "v1"]) {
            #expect(text.contains("\(entry.hardwareAddress) master br0 static"), "\(text)")
        }
        try socket.perform(entry.removal)
        #expect(try !socket.forwardingEntries(of: 30).contains { $0.hardwareAddress == entry.hardwareAddress })
    }
}
