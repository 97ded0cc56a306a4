import Addresses
import Glibc
import LinuxKernel
import Netlink
import SystemPackage
import Testing

@Suite("sockets and tracked connections")
struct SocketTests {
    /// A socket in the namespace that is bound to a port of 127.0.0.1 that the kernel chose.
    private func bound(_ kind: __socket_type, in namespace: TestNamespace) throws -> (FileDescriptor, UInt16) {
        let descriptor = try NetworkNamespace.visit(namespace.descriptor) {
            socket(AF_INET, CInt(kind.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) | getsockname(descriptor, $0, &length)
            }
        }
        #expect(result == 0)
        return (FileDescriptor(rawValue: descriptor), UInt16(bigEndian: address.sin_port))
    }

    @Test(
        "who listens at a port is found, with its process", .needsNamespaces,
        arguments: [
            TransportProtocol.tcp, .udp,
        ])
    func listener(_ transport: TransportProtocol) throws {
        let namespace = try TestNamespace()
        try namespace.route().perform(Link.set(.index(1), LinkSettings(isUp: true)))
        let (descriptor, port) = try bound(transport == .tcp ? SOCK_STREAM : SOCK_DGRAM, in: namespace)
        defer { try? descriptor.close() }
        let diagnosis = try DiagnosisSocket.opened(in: namespace.descriptor)
        if transport == .tcp {
            #expect(try diagnosis.holders(of: .loopback(.ipv4), port: port, .tcp).isEmpty, "it does not listen yet")
            #expect(listen(descriptor.rawValue, 1) == 0)
        }
        let holder = try #require(try diagnosis.holders(of: .loopback(.ipv4), port: port, transport).first)
        #expect(holder.address == .loopback(.ipv4) && holder.port == port && holder.userID == 0)
        #expect(try diagnosis.holders(of: .unspecified(.ipv4), port: port, transport) == [holder])
        #expect(try diagnosis.holders(of: .unspecified(.ipv6), port: port, transport) == [holder])
        #expect(try diagnosis.holders(of: IPAddress(.ipv4, 0x0a00_0001), port: port, transport).isEmpty)
        #expect(try diagnosis.sockets(transport).contains(holder))
        let owner = SocketOwner.find(inode: holder.inode)
        #expect(owner?.processID == getpid())
    }

    @Test("tracked connections are found and forgotten by what they are for", .needsNamespaces)
    func connections() throws {
        let namespace = try TestNamespace()
        try namespace.route().perform(Link.set(.index(1), LinkSettings(isUp: true)))
        let firewall = try NetfilterSocket.opened(in: namespace.descriptor)
        let table = FirewallTable(.inet, "masu")
        let chain = FirewallChain(table, "output", .init(.nat, .output, priority: -100))
        let (receiver, port) = try bound(SOCK_DGRAM, in: namespace)
        let (sender, _) = try bound(SOCK_DGRAM, in: namespace)
        defer {
            try? receiver.close()
            try? sender.close()
        }
        // What goes to port 9 comes to the receiver.
        let rule = FirewallRule(in: chain) {
            $0.require(.transportProtocol, .equal, .transport(.udp))
            $0.require(.destinationPort, .equal, .port(9))
            $0.translateDestination(to: .loopback(.ipv4), port: port)
        }
        try firewall.perform(FirewallTransaction([table.addition, chain.addition, rule.addition]))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(9).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        for _ in 0..<2 {
            let sent = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    sendto(sender.rawValue, "x", 1, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            #expect(sent == 1)
        }
        let filter = ConnectionFilter(.ipv4, transport: .udp, originalDestinationPort: 9)
        let found = try firewall.connections(filter)
        #expect(found.count == 1 && found.first?.reply.sourcePort == port)
        #expect(found.first?.status.contains(.destinationNAT) == true)
        #expect(try firewall.connections(ConnectionFilter(.ipv4, replySourcePort: port)) == found)
        let inside = ConnectionFilter(.ipv4, transport: .udp, replySource: .loopback(.ipv4), replySourcePort: port)
        #expect(try firewall.connections(inside) == found && firewall.connectionCount() >= 1)
        #expect(try firewall.connections(ConnectionFilter(.ipv4, originalDestination: .loopback(.ipv4))) == found)
        let elsewhere = ConnectionFilter(.ipv4, transport: .udp, replySource: IPAddress(.ipv4, 0x0a00_0001))
        #expect(try firewall.connections(elsewhere).isEmpty)
        #expect(try firewall.forget(ConnectionFilter(.ipv4, transport: .tcp, originalDestinationPort: 9)) == 0)
        #expect(try firewall.connections(filter).count == 1)
        #expect(try firewall.forget(filter) == 1)
        #expect(try firewall.connections(filter).isEmpty)
    }
}
