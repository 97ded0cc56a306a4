import Addresses
import CLinux
import JSON
import LinuxKernel
import Netlink
import SystemPackage
import Testing

@Suite("interfaces")
struct LinkTests {
    private let hardware = MACAddress("02:42:0a:09:00:05")

    @Test("an interface is read from what the kernel sends")
    func recorded() throws {
        let fixed: [UInt8] = [0, 0, 1, 0, 5, 0, 0, 0, 0x43, 0x10, 1, 0, 0, 0, 0, 0]
        let attributes: [UInt8] = [
            9, 0, 3, 0, 0x65, 0x74, 0x68, 0x30, 0, 0, 0, 0, 8, 0, 4, 0, 0xdc, 5, 0, 0, 10, 0, 1, 0, 2, 0x42, 1, 2, 3, 4,
        ]
        let link = try Link(payload: (fixed + attributes)[...])
        #expect(link.index == 5 && link.name == "eth0" && link.mtu == 1500 && link.isUp)
        #expect(link.address == [2, 0x42, 1, 2, 3, 4])
    }

    @Test("a pair whose other end is in another namespace is made and set up by two batches", .needsNamespaces)
    func pair() throws {
        let (host, container) = (try TestNamespace(), try TestNamespace())
        let (outside, inside) = (try host.route(), try container.route())
        var batch = Batch(NewLink("masu0", .bridge(BridgeOptions(snoopsMulticast: false)), index: 7).requests)
        let peer = NewLink.Peer(
            name: "eth0", index: 2, address: hardware, mtu: 1400, namespace: container.descriptor)
        batch.append(
            NewLink(
                "ms1000", .veth(peer: peer), index: 1000,
                LinkSettings(
                    isUp: true, master: 7, mtu: 1400, alias: "sandbox one", group: 77, hasLinkLocalAddress: false)
            ).requests)
        batch.append(
            Link.set(
                .index(1000),
                port: BridgePortSettings(
                    isIsolated: true, suppressesNeighbours: true, floodsMulticast: false, learns: false)))
        try outside.perform(batch)
        try inside.perform(
            Batch([
                Link.set(.index(1), LinkSettings(isUp: true)), Link.set(.index(2), LinkSettings(isUp: true)),
            ]))

        let end = try #require(try outside.link(.name("ms1000")))
        #expect(end.index == 1000 && end.master == 7 && end.alias == "sandbox one" && end.group == 77 && end.isUp)
        #expect(end.peer == 2 && end.peerNamespace != nil && end.kind == .veth && end.state == .up)
        #expect(end.hasLinkLocalAddress == false && end.mtu == 1400)
        let port = try #require(end.bridgePort)
        #expect(port.isIsolated == true && port.suppressesNeighbours == true && port.floodsMulticast == false)
        #expect(port.learns == false && port.floodsUnicast == true && port.isHairpin == false)
        #expect(try outside.ports(of: 7).map(\.name) == ["ms1000"])
        #expect(try outside.addresses(of: 1000).isEmpty, "no link-local address")

        let eth0 = try #require(try inside.link(.index(2)))
        #expect(eth0.name == "eth0" && eth0.address == hardware?.bytes && eth0.mtu == 1400 && eth0.isUp)
        #expect(try inside.link(.name("lo"))?.isLoopback == true)

        if let seen = try host.ip("link", "show", "dev", "ms1000")?.first {
            #expect(seen["ifalias"] == "sandbox one" && seen["group"] == "77" && seen["master"] == "masu0")
            #expect(seen["inet6_addr_gen_mode"] == "none" && seen["mtu"] == 1400)
            let data = seen["linkinfo"]?["info_slave_data"]
            #expect(data?["isolated"] == true && data?["neigh_suppress"] == true && data?["mcast_flood"] == false)
            #expect(data?["learning"] == false)
        }
    }

    @Test("a bridge has the options it was made with, and others after a change", .needsNamespaces)
    func bridge() throws {
        let host = try TestNamespace()
        let socket = try host.route()
        let options = BridgeOptions(
            snoopsMulticast: false, speaksSpanningTree: false, ageingTime: 12000, callsIPv4Firewall: false)
        try socket.perform(Batch(NewLink("masu0", .bridge(options), LinkSettings(address: hardware)).requests))
        guard case .bridge(let made) = try socket.link(.name("masu0"))?.kind else {
            Issue.record("no bridge")
            return
        }
        #expect(made.snoopsMulticast == false && made.filtersVLANs == false && made.speaksSpanningTree == false)
        #expect(made.ageingTime == 12000 && made.callsIPv4Firewall == false && made.forwardDelay == 1500)
        try socket.perform(Link.set(.name("masu0"), bridge: BridgeOptions(snoopsMulticast: true)))
        if let seen = try host.ip("link", "show", "dev", "masu0")?.first {
            #expect(seen["linkinfo"]?["info_data"]?["mcast_snooping"] == 1)
            #expect(seen["linkinfo"]?["info_data"]?["ageing_time"] == 12000)
            #expect(seen["address"]?.string == hardware?.description)
        }
    }

    @Test("other kinds stand on a parent", .needsNamespaces)
    func kinds() throws {
        let host = try TestNamespace()
        let socket = try host.route()
        try socket.perform(Batch(NewLink("up0", .veth(peer: .init(name: "up1")), index: 20).requests))
        let kinds: [(NewLink.Kind, Link.Kind)] = [
            (.macvlan(.bridge, parent: 20), .macvlan(.bridge)), (.macvtap(.isolated, parent: 20), .macvtap(.isolated)),
            (.vlan(identifier: 42, parent: 20), .vlan(identifier: 42)),
            (.ipvlan(.l3, .isolated, parent: 20), .ipvlan(.l3, .isolated)), (.dummy, .dummy),
        ]
        for (number, (kind, expected)) in kinds.enumerated() {
            let result = Result { () throws(NetlinkError) in
                try socket.perform(Batch(NewLink("x\(number)", kind).requests))
            }
            if case .failure(let error) = result {
                // A kernel without this kind.
                #expect(error.errno == .notSupported && error.index == 0)
                continue
            }
            let made = try socket.link(.name("x\(number)"))
            #expect(made?.kind == expected)
            #expect(kind.hasParent ? made?.peer == 20 : made?.peer == nil)
        }
    }

    @Test(
        "kinds are read from what was written for them",
        arguments: [
            Link.Kind.vlan(identifier: 7), .macvlan(.passthrough), .macvtap(.vepa), .ipvlan(.l2, .bridge),
            .ipvlan(.l3s, .vepa), .bridge(BridgeOptions(snoopsMulticast: true, filtersVLANs: true, ageingTime: 5)),
        ])
    func roundTrip(_ kind: Link.Kind) throws {
        let parents: NewLink.Kind =
            switch kind {
            case .vlan(let identifier): .vlan(identifier: identifier, parent: 3)
            case .macvlan(let mode): .macvlan(mode, parent: 3)
            case .macvtap(let mode): .macvtap(mode, parent: 3)
            case .ipvlan(let mode, let isolation): .ipvlan(mode, isolation, parent: 3)
            case .bridge(let options): .bridge(options)
            default: .dummy
            }
        let request = try #require(NewLink("x", parents, index: 9).requests.first)
        let link = try Link(payload: Message.all(in: request.bytes)[0].payload)
        #expect(link.kind == kind && link.name == "x" && link.index == 9)
    }

    @Test("links are deleted by number and by group", .needsNamespaces)
    func deletion() throws {
        let socket = try TestNamespace().route()
        var batch = Batch()
        for number in 1...5 {
            let settings = LinkSettings(group: number < 5 ? 99 : 0)
            batch.append(NewLink("b\(number)", .bridge(BridgeOptions()), index: Int32(number + 10), settings).requests)
        }
        try socket.perform(batch)
        try socket.perform(Link.delete(group: 99))
        #expect(try socket.links().map(\.name).filter { $0.hasPrefix("b") } == ["b5"])
        try socket.perform(Link.delete(.index(15)))
        #expect(try socket.link(.index(15)) == nil && socket.link(.name("b5")) == nil)
    }

    @Test("of a batch with one wrong request that one is named, and the others are carried out", .needsNamespaces)
    func wrongRequest() throws {
        let socket = try TestNamespace().route()
        var batch = Batch(NewLink("b1", .bridge(BridgeOptions())).requests)
        batch.append(NewLink("b1", .bridge(BridgeOptions())).requests)
        batch.append(NewLink("b2", .bridge(BridgeOptions())).requests)
        let error = #expect(throws: NetlinkError.self) { try socket.perform(batch) }
        #expect(error?.index == 1 && error?.errno == .fileExists)
        #expect(error?.description == "cannot create the interface b1: file exists")
        #expect(try socket.link(.name("b2")) != nil)
    }

    @Test("of more failures than the socket has room for the first one is told", .needsNamespaces)
    func manyFailures() throws {
        let socket = try TestNamespace().route()
        let batch = Batch((0..<20_000).map { Link.delete(.index(Int32(5000 + $0))) })
        let error = #expect(throws: NetlinkError.self) { try socket.perform(batch) }
        #expect(error?.index == 0 && error?.errno == .operationNotSupportedByDevice)
        #expect(try socket.links().map(\.name).contains("lo"), "the socket is of use afterwards")
    }

    @Test("threads enter namespaces at the same time, each its own", .needsNamespaces)
    func threads() throws {
        let own = try RouteSocket().links().map(\.name)
        let threads = try (0..<4).map { number in
            try JoinableThread(name: "enter \(number)") { () throws -> Bool in
                for round in 0..<20 {
                    let namespace = try TestNamespace()
                    let name = "b\(number)-\(round)"
                    try namespace.route().perform(Batch(NewLink(name, .bridge(BridgeOptions())).requests))
                    guard try namespace.route().links().filter({ $0.kind != nil }).map(\.name).contains(name) else {
                        return false
                    }
                }
                return try RouteSocket().links().map(\.name) == own
            }
        }
        for thread in threads { #expect(try thread.join()) }
    }

    @Test("an error has the kernel's own words", .needsNamespaces)
    func words() throws {
        let socket = try TestNamespace().route()
        let link = NewLink("m0", .macvlan(.bridge, parent: 4711))
        let error = #expect(throws: NetlinkError.self) { try socket.perform(Batch(link.requests)) }
        #expect(error?.errno == .operationNotSupportedByDevice)
        let unknown = IPRoute(try #require(IPSubnet("10.0.0.0/8")), gateway: IPAddress("10.9.9.9"))
        let text = #expect(throws: NetlinkError.self) { try socket.perform(unknown.addition) }
        #expect(text?.text == "Nexthop has invalid gateway")
        #expect(text?.description.hasSuffix("network is unreachable (Nexthop has invalid gateway)") == true)
    }
}

extension NewLink.Kind {
    fileprivate var hasParent: Bool {
        switch self {
        case .vlan, .macvlan, .macvtap, .ipvlan: true
        case .veth, .bridge, .dummy: false
        }
    }
}
