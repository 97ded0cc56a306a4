import Addresses
import Foundation
import LinuxKernel
import SystemPackage
import Testing

/// Networks of all kinds with containers on them, and what these may and may not.
///
/// Every container answers at ports 80 and 81; where it has a published port, that leads to its port 80.
final class NetworkMatrix {
    /// A container as the daemon shows it.
    private struct Member {
        var addresses: [IPAddress.Family: IPAddress] = [:]
        /// Its published port; 0 for none.
        var port: UInt16 = 0
    }

    /// A network with two containers, called after it with `1` and `2`.
    private struct Bridge {
        let name: String
        /// The third byte of its addresses; nil is the default network.
        let number: Int?
        var options: [String] = []
        var families = IPAddress.Family.allCases
        /// Whether the host's ports lead to it.
        var translates = true
        /// Whether the containers have the host's address outside.
        var masquerades = true
        /// Whether its containers reach each other.
        var talks = true
        /// Whether there is a way out.
        var isInternal = false
        /// Whether the host itself is on it.
        var hasGateway = true
        /// Which ports of a container's own address others outside reach.
        var open: [UInt16] = []
    }

    private static func modes(_ mode: String) -> [String] {
        ["4", "6"].flatMap { ["-o", "com.docker.network.bridge.gateway_mode_ipv\($0)=\(mode)"] }
    }

    private static let bridges = [
        Bridge(name: "bridge", number: nil),
        Bridge(name: "dual", number: 1),
        Bridge(name: "four", number: 2, families: [.ipv4]),
        Bridge(name: "apart", number: 3, options: ["-o", "com.docker.network.bridge.enable_icc=false"], talks: false),
        Bridge(name: "inner", number: 4, options: ["--internal"], translates: false, isInternal: true),
        Bridge(name: "unprotected", number: 5, options: modes("nat-unprotected"), open: [80, 81]),
        Bridge(
            name: "routed", number: 6, options: modes("routed"), translates: false, masquerades: false, open: [80]),
        Bridge(
            name: "plain", number: 7, options: ["-o", "com.docker.network.bridge.enable_ip_masquerade=false"],
            masquerades: false),
        Bridge(
            name: "isolated", number: 8, options: ["--internal"] + modes("isolated"), translates: false,
            isInternal: true, hasGateway: false),
    ]

    let table: TrafficTable
    private let daemon: TestDaemon
    private let bridgesCallFilter: Bool
    private var members: [String: Member] = [:]
    /// The host's addresses on the default network.
    private var defaultGateways: [IPAddress.Family: IPAddress] = [:]

    /// The world alone, and a container that has the host's network.
    ///
    /// - Parameter bridgesCallFilter: Whether bridges have the packet filter look at what passes them.
    init(_ daemon: TestDaemon, _ world: OutsideWorld, bridgesCallFilter: Bool) throws {
        self.daemon = daemon
        self.bridgesCallFilter = bridgesCallFilter
        table = try TrafficTable()
        table.add("outside", try world.outside { try NetworkNamespace.current() })
        table.add("host", try world.onHost { try NetworkNamespace.current() })
        try table.serve("outside", ports: [80])
        try daemon.ok(.masu, "run", "-d", "--name", "hosted", "--network", "host", "busybox", "sleep", "1000")
        try enter("hosted")
        try table.serve("hosted", ports: [80])
        try daemon.ok(.masu, "run", "-d", "--name", "lonely", "--network", "none", "busybox", "sleep", "1000")
        try enter("lonely")
        try table.serve("lonely", ports: [80])
    }

    /// Removes what was made.
    func remove() throws {
        table.close()
        try daemon.removeContainers()
        let names = try daemon.ok(.masu, "network", "ls", "-q", "--filter", "type=custom").split(separator: "\n")
        try daemon.ok(.masu, ["network", "rm"] + names.map(String.init))
    }

    // MARK: Making

    func makeBridges() throws {
        for bridge in Self.bridges {
            guard let number = bridge.number else { continue }
            var arguments = ["network", "create", "--subnet", "10.99.\(number).0/24"] + bridge.options
            if bridge.families.contains(.ipv6) { arguments += ["--ipv6", "--subnet", "fd99:\(number)::/64"] }
            try daemon.ok(.masu, arguments + [bridge.name])
        }
        for (index, bridge) in Self.bridges.enumerated() {
            for number in 1...2 {
                let name = "\(bridge.name)\(number)"
                var arguments = ["run", "-d", "--name", name, "--network", bridge.name]
                if number == 1 {
                    let port = 8001 + index
                    members[name] = Member(port: UInt16(port))
                    arguments += ["-p", "\(port):80", "-p", "\(port):80/udp"]
                }
                try daemon.ok(.masu, arguments + ["busybox", "sleep", "1000"])
                try enter(name)
                try table.serve(name, ports: [80, 81])
            }
        }
        // One that has the network of another one.
        try daemon.ok(
            .masu, "run", "-d", "--name", "guest", "--network", "container:dual2", "busybox", "sleep", "1000")
        try enter("guest")
        for family in IPAddress.Family.allCases {
            let field = family == .ipv4 ? "Gateway" : "IPv6Gateway"
            let text = try daemon.ok(
                .masu, "inspect", "-f", "{{.NetworkSettings.Networks.bridge.\(field)}}", "bridge1")
            let gateway: IPAddress = try #require(IPAddress(text))
            defaultGateways[family] = gateway
        }
    }

    /// Two containers on the line between host and outside.
    func makeVirtualInterfaces(_ driver: String) throws {
        try daemon.ok(
            .masu, "network", "create", "-d", driver, "-o", "parent=cable", "--subnet", "192.0.2.0/24", "--gateway",
            OutsideWorld.outsideAddress, "--ipv6", "--subnet", "2001:db8::/64", "--gateway",
            OutsideWorld.outsideAddress6, "line")
        for number in 1...2 {
            try daemon.ok(
                .masu, "run", "-d", "--name", "line\(number)", "--network", "line", "--ip", "192.0.2.7\(number)",
                "--ip6", "2001:db8::7\(number)", "busybox", "sleep", "1000")
            try enter("line\(number)")
            try table.serve("line\(number)", ports: [80])
        }
    }

    /// Finds out where a container is.
    private func enter(_ name: String) throws {
        let words = try daemon.ok(
            .masu, "inspect", "-f",
            "{{.State.Pid}} {{range .NetworkSettings.Networks}}{{.IPAddress}} {{.GlobalIPv6Address}}{{end}}", name
        ).split(separator: " ").map(String.init)
        for address in words.dropFirst().compactMap({ IPAddress($0) }) {
            members[name, default: Member()].addresses[address.family] = address
        }
        table.add(name, try FileDescriptor.open("/proc/\(words[0])/ns/net", .readOnly, options: .closeOnExec))
    }

    // MARK: Cases

    private typealias Add = (_ title: String, _ client: String, _ address: IPAddress?, _ port: UInt16, Wanted) -> Void

    private enum Wanted {
        case silence
        case reached(String, IPAddress?)
    }

    private func address(_ name: String, _ family: IPAddress.Family) -> IPAddress? {
        switch name {
        case "outside": IPAddress(family == .ipv4 ? OutsideWorld.outsideAddress : OutsideWorld.outsideAddress6)
        case "host": IPAddress(family == .ipv4 ? OutsideWorld.hostAddress : OutsideWorld.hostAddress6)
        default: members[name]?.addresses[family]
        }
    }

    private func gateway(_ bridge: Bridge, _ family: IPAddress.Family) -> IPAddress? {
        guard let number = bridge.number else { return defaultGateways[family] }
        guard bridge.families.contains(family) else { return nil }
        return IPAddress(family == .ipv4 ? "10.99.\(number).1" : "fd99:\(number)::1")
    }

    /// Cases of both protocols and families; those without an address in a family are none.
    private func cases(
        _ fill: (IPAddress.Family, TransportProtocol, Add) -> Void
    ) throws -> [TrafficTable.Case] {
        var cases: [TrafficTable.Case] = []
        for family in IPAddress.Family.allCases {
            for transport in [TransportProtocol.tcp, .udp] {
                fill(family, transport) { title, client, address, port, wanted in
                    guard let address else { return }
                    let outcome: TrafficTable.Outcome
                    switch wanted {
                    case .silence: outcome = .silence
                    case .reached(let server, let seen):
                        guard let seen else {
                            Issue.record("\(title): nobody knows whose address is seen")
                            return
                        }
                        outcome = .reached(server, seen: seen)
                    }
                    cases.append(
                        TrafficTable.Case(
                            title: title, client: client, transport: transport, target: SocketAddress(address, port),
                            wanted: outcome))
                }
            }
        }
        return cases
    }

    func bridgeCases() throws -> [TrafficTable.Case] {
        try cases { family, transport, add in
            let (host, outside) = (address("host", family), address("outside", family))
            for bridge in Self.bridges {
                let (one, two) = ("\(bridge.name)1", "\(bridge.name)2")
                addNeighbours(bridge, one, two, family, add)
                addPublished(bridge, one, two, family, transport, add)
                for port in [UInt16(80), 81] {
                    add(
                        "outside → own address", "outside", address(one, family), port,
                        bridge.open.contains(port) ? .reached(one, outside) : .silence)
                }
            }
            addApart(family, add)
            let loopback = IPAddress.loopback(family)
            add("outside → host network", "outside", host, 80, .reached("hosted", outside))
            add("host → host network", "host", loopback, 80, .reached("hosted", loopback))
            add("bridge → host network", "dual1", host, 80, .reached("hosted", address("dual1", family)))
            add("no network → itself", "lonely", loopback, 80, .reached("lonely", loopback))
            for target in [outside, host, address("dual1", family)] {
                add("no network → others", "lonely", target, 80, .silence)
            }
            add("container's network → outside", "guest", outside, 80, .reached("outside", host))
            add("container's network → itself", "guest", loopback, 80, .reached("dual2", loopback))
            add(
                "container's network → container", "guest", address("dual1", family), 80,
                .reached("dual1", address("dual2", family)))
        }
    }

    /// What is between containers of a network, the host and the world.
    private func addNeighbours(
        _ bridge: Bridge, _ one: String, _ two: String, _ family: IPAddress.Family, _ add: Add
    ) {
        let (own, other) = (address(one, family), address(two, family))
        guard bridge.families.contains(family) else { return }
        add("container → container", two, own, 80, bridge.talks ? .reached(one, other) : .silence)
        let seen = bridge.masquerades ? address("host", family) : own
        add(
            "container → outside", one, address("outside", family), 80,
            bridge.isInternal ? .silence : .reached("outside", seen))
        // Where the host has no address, the first container has that of a gateway.
        guard bridge.hasGateway else { return add("host → container", "host", own, 81, .silence) }
        let gateway = gateway(bridge, family)
        add("host → container", "host", own, 81, .reached(one, gateway))
        add("container → gateway", one, gateway, 80, .reached("hosted", own))
    }

    /// Who reaches the published port of the first container.
    private func addPublished(
        _ bridge: Bridge, _ one: String, _ two: String, _ family: IPAddress.Family, _ transport: TransportProtocol,
        _ add: Add
    ) {
        guard let port = members[one]?.port else { return }
        let own = address(one, family)
        let (host, outside) = (address("host", family), address("outside", family))
        func wanted(_ seen: IPAddress?) -> Wanted {
            guard bridge.translates else { return .silence }
            // Where the container has no address of the family, the shim carries it, and shows one of its own.
            return .reached(one, own == nil ? address(one, .ipv4) : seen)
        }
        add("outside → published", "outside", host, port, wanted(outside))
        add("host → published", "host", host, port, wanted(host))
        let seen = family == .ipv4 ? gateway(bridge, family) : own
        add("loopback → published", "host", .loopback(family), port, wanted(seen))
        guard bridge.families.contains(family) else { return }
        let gateway = gateway(bridge, family)
        // Where a bridge cannot send it back, the shim carries it, with the client's address.
        let isCarried = !bridge.talks && bridgesCallFilter
        add("hairpin to another's", two, host, port, wanted(isCarried ? address(two, family) : gateway))
        add("hairpin to its own", one, host, port, wanted(isCarried ? own : gateway))
        if bridge.hasGateway {
            add("hairpin to its own by its gateway", one, gateway, port, wanted(isCarried ? own : gateway))
        }
        // Those of other networks.
        for client in ["bridge2", "dual2"] where !client.hasPrefix(bridge.name) {
            add("network → another's published", client, host, port, wanted(address(client, family)))
        }
        for client in ["inner2", "isolated2"] where !client.hasPrefix(bridge.name) {
            add("internal → another's published", client, host, port, .silence)
            let ownGateway = IPAddress(family == .ipv4 ? "10.99.4.1" : "fd99:4::1")
            if client == "inner2" { add("internal → another's published", client, ownGateway, port, .silence) }
        }
    }

    /// Networks are apart.
    private func addApart(_ family: IPAddress.Family, _ add: Add) {
        for from in Self.bridges where from.families.contains(family) {
            for to in Self.bridges where to.name != from.name {
                add("network → another network", "\(from.name)2", address("\(to.name)1", family), 80, .silence)
            }
        }
    }

    func virtualCases() throws -> [TrafficTable.Case] {
        try cases { family, _, add in
            let (one, two) = (address("line1", family), address("line2", family))
            add("container → container", "line1", two, 80, .reached("line2", one))
            add("container → outside", "line1", address("outside", family), 80, .reached("outside", one))
            add("outside → container", "outside", one, 80, .reached("line1", address("outside", family)))
            // The kernel keeps an interface and those upon it apart.
            add("host → container", "host", one, 80, .silence)
            add("container → host", "line1", address("host", family), 80, .silence)
        }
    }
}

extension OutsideWorld {
    static let hostAddress6 = "2001:db8::2"
    static let outsideAddress6 = "2001:db8::1"

    /// Gives both sides addresses of IPv6, and lets the outside know the way to containers' own addresses.
    func addIPv6() throws {
        func ip(_ words: String) throws {
            let result = try Command("/bin/busybox", ["ip"] + words.split(separator: " ").map(String.init)).runToEnd()
            guard result.code == 0 else { throw Command.Failure(description: "\(result)") }
        }
        try onHost {
            // Nobody else has the address; to ask for that takes a second.
            try ProcFile.write("0", to: "sys/net/ipv6/conf/cable/accept_dad")
            try ip("-6 addr add \(Self.hostAddress6)/64 dev cable")
            try ip("-6 route add default via \(Self.outsideAddress6) dev cable")
        }
        try outside {
            try ProcFile.write("0", to: "sys/net/ipv6/conf/veth0/accept_dad")
            try ip("-6 addr add \(Self.outsideAddress6)/64 dev veth0")
            try ip("-6 route add default via \(Self.hostAddress6) dev veth0")
            try ip("route add default via \(Self.hostAddress)")
        }
    }
}
