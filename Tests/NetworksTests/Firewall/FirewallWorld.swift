import Addresses
import Glibc
import LinuxKernel
import Netlink
import Networks
import PublishedPorts
import Synchronization
import SystemPackage
import Testing

/// A host with a network of two containers, and another machine: `TestHost` with somebody to talk to.
final class FirewallWorld: Sendable {
    let machine: TestHost
    let networks: Networks
    let one: FileDescriptor
    let two: FileDescriptor
    let bridge: String
    /// The bridge's addresses.
    let gateway4: String
    let gateway6: String
    let target: PortTarget
    private let sandboxes: [Sandbox]

    /// - Parameter call: whether bridges call the packet filter.
    init(
        _ options: [String: String] = [:], bridgesCallFirewall call: Bool = false, mode: FirewallMode? = .nat
    ) async throws {
        let machine = try TestHost()
        self.machine = machine
        for family in ["iptables", "ip6tables"] {
            // A kernel without this has bridges that never call the packet filter.
            try? NetworkNamespace.visit(machine.namespace) {
                Result { () throws(Errno) in
                    try ProcFile.write(call ? "1" : "0", to: "sys/net/bridge/bridge-nf-call-\(family)")
                }
            }.get()
        }
        networks = try await machine.open { $0.firewallMode = mode }
        let network = try await networks.create(
            NetworkRequest(name: "web", options: options, enablesIPv6: true)
        ).network
        bridge = try #require(network.interfaceName)
        var sandboxes: [Sandbox] = []
        for number in 1...2 {
            sandboxes.append(
                try await networks.join(
                    SandboxRequest(
                        id: TestID.make(number), name: "c\(number)", endpoints: [EndpointRequest(network: "web")])))
        }
        self.sandboxes = sandboxes
        one = try #require(sandboxes[0].namespace)
        two = try #require(sandboxes[1].namespace)
        let endpoint = sandboxes[0].endpoints[0]
        let modes = try IPAddress.Family.allCases.map { family in
            let text = options["com.docker.network.bridge.gateway_mode_ip\(family == .ipv4 ? "v4" : "v6")"]
            return try text.map { try #require(GatewayMode(rawValue: $0)) } ?? .nat
        }
        target = PortTarget(
            sandbox: sandboxes[0].id,
            ipv4: PortTarget.Place(try #require(endpoint.address(.ipv4)).address, modes[0]),
            ipv6: PortTarget.Place(try #require(endpoint.address(.ipv6)).address, modes[1]))
        let route = try machine.route()
        let link = try #require(try route.link(.name(bridge)))
        let addresses = try route.addresses(of: link.index).filter(\.isGlobal).compactMap(\.interface?.address)
        gateway4 = try #require(addresses.first { !$0.isIPv6 }).description
        gateway6 = try #require(addresses.first { $0.isIPv6 }).description
    }

    var host: FileDescriptor { machine.namespace }
    var outside: FileDescriptor { machine.outside }

    func publish(_ ports: [PublishedPort], _ requests: [PortRequest] = []) async throws {
        try await networks.publish(ports, requests, to: target)
    }

    /// The host's packet filter.
    func filter() throws -> NetfilterSocket { try NetfilterSocket.opened(in: host) }

    /// Rules of the host's administrator in a table of his own, in place of those that it has.
    func administer(_ hook: FirewallChain.Hook, drops: Bool, _ rules: [(inout RuleBuilder) -> Void] = []) throws {
        let chain = FirewallChain(
            FirewallTable(.inet, "host"), "\(hook)", .init(.filter, hook, priority: 0, accepts: !drops))
        var transaction = FirewallTransaction([chain.table.addition, chain.addition, chain.flush])
        for rule in rules { transaction.append(FirewallRule(in: chain, rule).addition) }
        try filter().perform(transaction)
    }

    // MARK: Traffic

    /// Somebody who tells each client its address, as he sees it, until `stop`.
    func serve(_ namespace: FileDescriptor, _ family: IPAddress.Family, _ port: UInt16) throws -> TestServer {
        try TestServer(namespace, family, port, of: self)
    }

    /// Whether nothing comes back for two seconds.
    static func isSilent(from namespace: FileDescriptor, _ text: String, _ port: UInt16) -> Bool {
        ask(from: namespace, text, port, milliseconds: 2000) == nil
    }

    /// What the server says who is there; `nil` if it cannot be reached within two minutes: a machine may be busy.
    static func ask(
        from namespace: FileDescriptor, _ text: String, _ port: UInt16, milliseconds: Int32 = 120_000
    ) -> String? {
        guard let address = IPAddress(text),
            let socket = try? TestServer.socket(.tcp, address.family, in: namespace)
        else { return nil }
        defer { socket.discard() }
        do {
            if try !socket.connect(to: SocketAddress(address, port)) {
                let events = try Poll.wait(for: [(socket, .writable)], milliseconds: milliseconds)
                if events[0].isEmpty || socket.takeSocketError() != nil { return nil }
            }
            _ = try Poll.wait(for: [(socket, .readable)], milliseconds: milliseconds)
            try socket.setNonBlocking(false)
            return String(decoding: try socket.readToEnd(limit: 100), as: UTF8.self)
        } catch {
            return nil
        }
    }
}

/// Serves TCP in a namespace: tells each client its address.
final class TestServer: Sendable {
    private let listener: FileDescriptor
    /// Namespaces are gone with it.
    private let world: FirewallWorld
    private let isOver = Atomic(false)
    private let isGone = Atomic(false)

    init(
        _ namespace: FileDescriptor, _ family: IPAddress.Family, _ port: UInt16, of world: FirewallWorld
    ) throws {
        self.world = world
        listener = try Self.socket(.tcp, family, in: namespace)
        try listener.set(SOL_SOCKET, SO_REUSEADDR, 1)
        try listener.bind(to: SocketAddress(.unspecified(family), port))
        try listener.listen(backlog: 64)
        _ = Threads.start(name: "server") { [self] in
            while !isOver.load(ordering: .relaxed) {
                let events = try? Poll.wait(for: [(listener, .readable)], milliseconds: 20)
                guard events?.first?.isEmpty == false, let client = try? listener.acceptConnection() else { continue }
                try? client.writeEntire(Array((client.peerName()?.address.description ?? "?").utf8))
                client.discard()
            }
            listener.discard()
            isGone.store(true, ordering: .relaxed)
        }
    }

    func stop() {
        defer { withExtendedLifetime(world) {} }
        isOver.store(true, ordering: .relaxed)
        for _ in 0..<10_000 where !isGone.load(ordering: .relaxed) { usleep(1000) }
    }

    static func socket(
        _ transport: TransportProtocol, _ family: IPAddress.Family, in namespace: FileDescriptor
    ) throws -> FileDescriptor {
        try NetworkNamespace.visit(namespace) {
            Result { () throws(Errno) in try InternetSocket.make(transport, family) }
        }.get()
    }
}
