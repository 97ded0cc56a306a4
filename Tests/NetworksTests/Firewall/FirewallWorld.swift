import Addresses
import Glibc
import LinuxKernel
import Netlink
import Networks
import PublishedPorts
import Synchronization
import SystemPackage
import Testing

/// Four network namespaces of a test's own: another machine, a host with a bridge, and two containers on it.
///
///     outside 192.0.2.2, 2001:db8::2 ── 192.0.2.1, 2001:db8::1 host 10.9.0.1, fd00:9::1 ── one …2, two …3
final class FirewallWorld: Sendable {
    static let obstacle = geteuid() == 0 ? "" : "needs root: makes network namespaces"
    static let bridge = "masu0"

    let outside: FileDescriptor
    let host: FileDescriptor
    let one: FileDescriptor
    let two: FileDescriptor
    let target = PortTarget(
        sandbox: String(repeating: "ab", count: 32), ipv4: PortTarget.Place(IPAddress(.ipv4, 0x0A09_0002)),
        ipv6: PortTarget.Place(FirewallWorld.address("fd00:9::2")))

    init(bridgesCallFirewall: Bool = false) throws {
        func make() throws -> FileDescriptor { try NetworkNamespace.make {}.namespace }
        (outside, host, one, two) = (try make(), try make(), try make(), try make())
        let route = try RouteSocket.opened(in: host)
        var batch = Batch(NewLink(Self.bridge, .bridge(BridgeOptions()), index: 10, LinkSettings(isUp: true)).requests)
        batch.append(Link.set(.index(1), LinkSettings(isUp: true)))
        batch.append(Self.pair("up0", 20, to: outside, master: nil))
        batch.append(Self.pair("ms1", 21, to: one, master: 10))
        batch.append(Self.pair("ms2", 22, to: two, master: 10))
        batch.append(Self.addresses(["192.0.2.1/24", "2001:db8::1/64"], of: 20))
        batch.append(Self.addresses(["10.9.0.1/16", "fd00:9::1/64"], of: 10))
        for port: Int32 in [21, 22] {
            batch.append(Link.set(.index(port), port: BridgePortSettings(isHairpin: true)))
        }
        try route.perform(batch)
        try Self.inside(outside, ["192.0.2.2/24", "2001:db8::2/64"], gateways: [])
        try Self.inside(one, ["10.9.0.2/16", "fd00:9::2/64"], gateways: ["10.9.0.1", "fd00:9::1"])
        try Self.inside(two, ["10.9.0.3/16", "fd00:9::3/64"], gateways: ["10.9.0.1", "fd00:9::1"])
        let call = bridgesCallFirewall ? "1" : "0"
        try set("sys/net/ipv4/ip_forward", "1")
        try set("sys/net/ipv6/conf/all/forwarding", "1")
        for family in ["iptables", "ip6tables"] {
            // A kernel without this has bridges that never call the packet filter.
            try? set("sys/net/bridge/bridge-nf-call-\(family)", call)
        }
    }

    deinit { for namespace in [outside, host, one, two] { namespace.discard() } }

    static func address(_ text: String) -> IPAddress { IPAddress(text) ?? .unspecified(.ipv4) }

    private static func pair(_ name: String, _ index: Int32, to other: FileDescriptor, master: Int32?) -> [Request] {
        NewLink(
            name, .veth(peer: NewLink.Peer(name: "eth0", index: 2, namespace: other)), index: index,
            LinkSettings(isUp: true, master: master)
        ).requests
    }

    private static func addresses(_ list: [String], of index: Int32) -> [Request] {
        list.compactMap { IPInterface($0) }.map {
            InterfaceAddress($0, checksDuplicates: false).addition(to: index)
        }
    }

    private static func inside(_ namespace: FileDescriptor, _ list: [String], gateways: [String]) throws {
        var batch = Batch([
            Link.set(.index(1), LinkSettings(isUp: true)), Link.set(.index(2), LinkSettings(isUp: true)),
        ])
        batch.append(addresses(list, of: 2))
        batch.append(gateways.map { Route.standard(by: address($0), interface: 2).addition })
        try RouteSocket.opened(in: namespace).perform(batch)
    }

    /// Does something as a program of the host would.
    func onHost<Value>(_ body: () throws -> Value) throws -> Value {
        try NetworkNamespace.visit(host) { Result { try body() } }.get()
    }

    private func set(_ parameter: String, _ value: String) throws {
        try onHost { try ProcFile.write(value, to: parameter) }
    }

    /// The host's firewall, with the bridge admitted.
    func firewall(_ bridge: FirewallBridge? = nil, mode: FirewallMode? = .nat) throws -> Firewall {
        try onHost {
            let firewall = try Firewall(mode: mode, route: RouteSocket())
            try firewall.install([], ports: [])
            try firewall.admit(bridge ?? FirewallBridge(Self.bridge, ipv6: .nat), index: 10)
            return firewall
        }
    }

    /// A rule of the host's administrator in a table of his own.
    func administer(_ hook: FirewallChain.Hook, drops: Bool, _ rules: [(inout RuleBuilder) -> Void] = []) throws {
        let chain = FirewallChain(
            FirewallTable(.inet, "host"), "\(hook)", .init(.filter, hook, priority: 0, accepts: !drops))
        var transaction = FirewallTransaction([chain.table.addition, chain.addition, chain.flush])
        for rule in rules { transaction.append(FirewallRule(in: chain, rule).addition) }
        try NetfilterSocket.opened(in: host).perform(transaction)
    }

    // MARK: Traffic

    /// Serves TCP in a namespace: tells each client its address, as the server sees it, while `body` runs.
    func serving(
        _ namespace: FileDescriptor, _ family: IPAddress.Family, _ port: UInt16, _ body: () throws -> Void
    ) throws {
        let listener = try Self.socket(.tcp, family, in: namespace)
        try listener.set(SOL_SOCKET, SO_REUSEADDR, 1)
        try listener.bind(to: SocketAddress(.unspecified(family), port))
        try listener.listen(backlog: 64)
        let isOver = Atomic(false)
        let thread = try JoinableThread(name: "server") {
            while !isOver.load(ordering: .relaxed) {
                let events = try? Poll.wait(for: [(listener, .readable)], milliseconds: 20)
                guard events?.first?.isEmpty == false, let client = try? listener.acceptConnection() else { continue }
                try? client.writeEntire(Array((client.peerName()?.address.description ?? "?").utf8))
                client.discard()
            }
        }
        defer {
            isOver.store(true, ordering: .relaxed)
            _ = try? thread.join()
            listener.discard()
        }
        try body()
    }

    /// What the server says who is there; `nil` if it cannot be reached within two seconds.
    static func ask(from namespace: FileDescriptor, _ address: String, _ port: UInt16) -> String? {
        let address = Self.address(address)
        guard let socket = try? socket(.tcp, address.family, in: namespace) else { return nil }
        defer { socket.discard() }
        do {
            if try !socket.connect(to: SocketAddress(address, port)) {
                let events = try Poll.wait(for: [(socket, .writable)], milliseconds: 2000)
                if events[0].isEmpty || socket.takeSocketError() != nil { return nil }
            }
            _ = try Poll.wait(for: [(socket, .readable)], milliseconds: 2000)
            return String(decoding: try socket.readToEnd(limit: 100), as: UTF8.self)
        } catch {
            return nil
        }
    }

    static func socket(
        _ transport: TransportProtocol, _ family: IPAddress.Family, in namespace: FileDescriptor
    ) throws -> FileDescriptor {
        try NetworkNamespace.visit(namespace) {
            Result { () throws(Errno) in try InternetSocket.make(transport, family) }
        }.get()
    }
}
