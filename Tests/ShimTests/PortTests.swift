import Addresses
import Glibc
import LinuxKernel
import Netlink
import PublishedPorts
import Shim
import ShimProtocol
import SystemPackage
import Testing

@Suite(
    "Published ports of a shim", .timeLimit(.minutes(10)),
    .enabled(if: PortRig.obstacle.isEmpty, Comment(rawValue: PortRig.obstacle)))
struct PortTests {
    private let server = IPAddress(.ipv4, 0x7F00_0005)

    @Test("a port of all addresses leads from both loopback addresses into the container")
    func bothFamilies() throws {
        let rig = try PortRig([PortRequest(80, host: .exact(8080))])
        defer { try? rig.close() }
        #expect(try rig.ports.map(\.description) == ["0.0.0.0:8080", "[::]:8080"])
        for address in [server, IPAddress.loopback(.ipv6)] {
            let listener = try rig.listen(address, 80)
            defer { listener.discard() }
            let client = try rig.connect(address.isIPv6 ? address : .loopback(.ipv4), 8080)
            defer { client.discard() }
            let accepted = try listener.acceptConnection()
            defer { accepted.discard() }
            try client.writeEntire(Array("to".utf8))
            try client.shutdownSending()
            #expect(try accepted.readAll() == Array("to".utf8))
            // Half of the connection has ended; the other half goes on.
            try accepted.writeEntire(Array("fro".utf8))
            try accepted.shutdownSending()
            #expect(try client.readAll() == Array("fro".utf8))
        }
    }

    @Test("IPv6 of the host leads to a container with IPv4 only")
    func otherFamily() throws {
        let rig = try PortRig([PortRequest(80, host: .exact(8080))], hasIPv6: false)
        defer { try? rig.close() }
        let listener = try rig.listen(server, 80)
        defer { listener.discard() }
        let client = try rig.connect(.loopback(.ipv6), 8080)
        defer { client.discard() }
        let accepted = try listener.acceptConnection()
        defer { accepted.discard() }
        try accepted.writeEntire([1, 2, 3])
        try accepted.shutdownSending()
        #expect(try client.readAll() == [1, 2, 3])
    }

    @Test("where the namespace lets it, the container sees the client's own address, and its port")
    func transparent() throws {
        let rig = try PortRig([PortRequest(80, host: .exact(8080))], isTransparent: true)
        defer { try? rig.close() }
        let own = IPAddress(.ipv4, 0xC000_024D)
        try rig.add("\(own)/32")
        let listener = try rig.listen(server, 80)
        defer { listener.discard() }
        let client = try rig.connect(own, 8080, from: SocketAddress(own, 40_000))
        defer { client.discard() }
        let accepted = try listener.acceptConnection()
        defer { accepted.discard() }
        #expect(accepted.peerName() == SocketAddress(own, 40_000))
        try accepted.writeEntire([1, 2, 3])
        try accepted.shutdownSending()
        #expect(try client.readAll() == [1, 2, 3])
        try client.writeEntire([4])
        try client.shutdownSending()
        #expect(try accepted.readAll() == [4])
    }

    @Test("a client at a loopback address of the host has none in the container, whose programs trust their own")
    func loopbackClient() throws {
        let rig = try PortRig([PortRequest(80, host: .exact(8080))], isTransparent: true)
        defer { try? rig.close() }
        let stranger = SocketAddress(IPAddress(.ipv4, 0x7F00_0909), 20_000)
        for (client, server, host) in [
            (stranger, server, IPAddress(.ipv4, 0x7F00_0909)),
            (SocketAddress(.loopback(.ipv6), 20_000), IPAddress.loopback(.ipv6), .loopback(.ipv6)),
        ] {
            let listener = try rig.listen(server, 80)
            defer { listener.discard() }
            let socket = try rig.connect(host, 8080, from: client)
            defer { socket.discard() }
            let accepted = try listener.acceptConnection()
            defer { accepted.discard() }
            let peer = try #require(accepted.peerName())
            #expect(peer != client && peer.address != stranger.address)
        }
    }

    @Test("datagrams have the client's own address as well, and answers find their way back to it")
    func transparentDatagrams() throws {
        let rig = try PortRig([PortRequest(53, .udp, host: .exact(5353))], isTransparent: true)
        let own = IPAddress(.ipv4, 0xC000_024D)
        try rig.add("\(own)/32")
        let server = try rig.socket(.udp, .ipv4, in: rig.inside)
        defer { server.discard() }
        try server.bind(to: SocketAddress(self.server, 53))
        let client = try rig.socket(.udp, .ipv4, in: rig.host)
        defer { client.discard() }
        try client.bind(to: SocketAddress(own, 40_000))
        _ = try client.connect(to: SocketAddress(own, 5353))
        try client.writeEntire([1])
        var buffer = [UInt8](repeating: 0, count: 16)
        _ = try Poll.wait(for: [(server, .readable)], milliseconds: 60_000)
        let (_, origin) = try buffer.withUnsafeMutableBytes { try server.receiveDatagram(into: $0) }
        #expect(origin?.peer == SocketAddress(own, 40_000))
        try [UInt8]([2, 3]).withUnsafeBytes { try server.sendDatagram($0, to: try #require(origin)) }
        _ = try Poll.wait(for: [(client, .readable)], milliseconds: 60_000)
        #expect(buffer.withUnsafeMutableBytes { recv(client.rawValue, $0.baseAddress, $0.count, 0) } == 2)
        // Rules for clients go with them.
        let route = try RouteSocket.opened(in: rig.inside)
        func rules() throws -> [RoutingRule] { try route.rules(.ipv4).filter { $0.transport == .udp } }
        #expect(try rules() == [TransparentAccept.answers(to: SocketAddress(own, 40_000), from: 53)])
        try rig.close()
        #expect(try rules() == [])
    }

    @Test("elements of the ports are removed from the kernel before the ports are given up")
    func elements() throws {
        let rig = try PortRig([PortRequest(80, host: .exact(8080)), PortRequest(53, .udp, host: .exact(53))])
        let socket = try NetfilterSocket.opened(in: rig.host)
        try socket.perform(FirewallTransaction(PortTable.restoration(of: [])))
        let target = PortTarget(
            sandbox: "test", ipv4: PortTarget.Place(server), ipv6: PortTarget.Place(.loopback(.ipv6)))
        try PortElements(rig.ports, to: target, mode: .nat).add(by: socket)
        #expect(try socket.elements(of: PortTable.ports(.ipv4)).count == 2)
        let other = PublishedPort(.tcp, .unspecified(.ipv4), 9, to: 9)
        try PortElements([other], to: target, mode: .nat).add(by: socket)
        rig.perform { sockets, _ in sockets.unpublish(sockets.ports.filter { $0.transport == .udp }) }
        _ = try rig.awaited { try? socket.elements(of: PortTable.ports(.ipv6)).count == 1 ? true : nil }
        try rig.close()
        #expect(try socket.elements(of: PortTable.ports(.ipv4)).map(\.key) == [other.key])
        #expect(try socket.elements(of: PortTable.ports(.ipv6)).isEmpty)
    }

    @Test("megabytes pass whole in both directions at once, past readers that are slow")
    func slowReaders() throws {
        let rig = try PortRig([PortRequest(80, address: .loopback(.ipv4), host: .exact(8080))])
        defer { try? rig.close() }
        let listener = try rig.listen(server, 80)
        defer { listener.discard() }
        let client = try rig.connect(.loopback(.ipv4), 8080, seconds: 60)
        defer { client.discard() }
        let accepted = try listener.acceptConnection()
        defer { accepted.discard() }
        let bytes = (0..<(6 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 9) }
        let writers = [client, accepted].map { socket in
            Thread<Bool> {
                do {
                    try socket.writeEntire(bytes)
                    try socket.shutdownSending()
                    return true
                } catch {
                    return false
                }
            }
        }
        // Both readers wait until the writers have filled all that there is between them.
        usleep(100_000)
        let readers = [client, accepted].map { socket in Thread<[UInt8]> { (try? socket.readAll()) ?? [] } }
        #expect(readers.allSatisfy { $0.join() == bytes })
        #expect(writers.allSatisfy { $0.join() })
    }

    @Test("a connection that nobody takes in the container is reset")
    func refused() throws {
        let rig = try PortRig([PortRequest(80, address: .loopback(.ipv4), host: .exact(8080))])
        defer { try? rig.close() }
        let client = try rig.connect(.loopback(.ipv4), 8080)
        defer { client.discard() }
        #expect(throws: Errno.connectionReset) { try client.readAll() }
    }

    @Test("if the container breaks a connection off, so does the port")
    func broken() throws {
        let rig = try PortRig([PortRequest(80, address: .loopback(.ipv4), host: .exact(8080))])
        defer { try? rig.close() }
        let listener = try rig.listen(server, 80)
        defer { listener.discard() }
        let client = try rig.connect(.loopback(.ipv4), 8080)
        defer { client.discard() }
        let accepted = try listener.acceptConnection()
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(accepted.rawValue, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
        accepted.discard()
        #expect(throws: Errno.connectionReset) { try client.readAll() }
    }

    @Test("before the start, a port is taken and does not answer")
    func closed() throws {
        let rig = try PortRig([PortRequest(80, address: .loopback(.ipv4), host: .exact(8080))], isOpen: false)
        defer { try? rig.close() }
        let listener = try rig.listen(server, 80)
        defer { listener.discard() }
        #expect(throws: (any Error).self) { try rig.connect(.loopback(.ipv4), 8080, seconds: 1) }
        let other = try rig.socket(.tcp, .ipv4, in: rig.host)
        defer { other.discard() }
        #expect(throws: Errno.addressInUse) { try other.bind(to: SocketAddress(.loopback(.ipv4), 8080)) }
        rig.perform { sockets, _ in try? sockets.open() }
        let client = try rig.connect(.loopback(.ipv4), 8080)
        defer { client.discard() }
        try listener.acceptConnection().discard()
    }

    @Test("without splicing, a port is taken and never answers")
    func reserved() throws {
        let rig = try PortRig(
            [PortRequest(80, address: .loopback(.ipv4), host: .exact(8080))], splices: false)
        defer { try? rig.close() }
        #expect(throws: (any Error).self) { try rig.connect(.loopback(.ipv4), 8080, seconds: 1) }
    }

    @Test("datagrams find their way in, and answers find their way back to each client")
    func datagrams() throws {
        let rig = try PortRig([PortRequest(53, .udp, host: .exact(5353))])
        defer { try? rig.close() }
        let server = try rig.socket(.udp, .ipv4, in: rig.inside)
        defer { server.discard() }
        try server.bind(to: SocketAddress(self.server, 53))
        let clients = try (0..<3).map { _ in
            let client = try rig.socket(.udp, .ipv4, in: rig.host)
            _ = try client.connect(to: SocketAddress(.loopback(.ipv4), 5353))
            return client
        }
        defer { for client in clients { client.discard() } }
        for (number, client) in clients.enumerated() { try client.writeEntire([UInt8(number)]) }
        for _ in clients {
            var buffer = [UInt8](repeating: 0, count: 16)
            try server.tellLocalAddress(.ipv4)
            _ = try Poll.wait(for: [(server, .readable)], milliseconds: 10_000)
            let (count, origin) = try buffer.withUnsafeMutableBytes { try server.receiveDatagram(into: $0) }
            let answer = buffer[..<count] + [9]
            try answer.withUnsafeBytes { try server.sendDatagram($0, to: try #require(origin)) }
        }
        for (number, client) in clients.enumerated() {
            var buffer = [UInt8](repeating: 0, count: 16)
            let count = buffer.withUnsafeMutableBytes { recv(client.rawValue, $0.baseAddress, $0.count, 0) }
            #expect(count == 2 && buffer[..<2] == [UInt8(number), 9])
        }
    }

    @Test("a datagram that takes the place of the only other client's arrives as it was sent")
    func replacedClient() throws {
        // A half of four, less the port itself, is one client.
        let rig = try PortRig([PortRequest(53, .udp, address: .loopback(.ipv4), host: .exact(5353))], openFiles: 4)
        defer { try? rig.close() }
        let server = try rig.socket(.udp, .ipv4, in: rig.inside)
        defer { server.discard() }
        try server.bind(to: SocketAddress(self.server, 53))
        for number in 1...3 as ClosedRange<UInt8> {
            let client = try rig.socket(.udp, .ipv4, in: rig.host)
            defer { client.discard() }
            _ = try client.connect(to: SocketAddress(.loopback(.ipv4), 5353))
            try client.writeEntire([number, 9])
            _ = try Poll.wait(for: [(server, .readable)], milliseconds: 120_000)
            var buffer = [UInt8](repeating: 0, count: 16)
            let count = buffer.withUnsafeMutableBytes { recv(server.rawValue, $0.baseAddress, $0.count, 0) }
            #expect(count == 2 && buffer[..<2] == [number, 9])
        }
    }

    @Test("a port that is taken is an error that names the port and the process")
    func conflict() throws {
        let rig = try PortRig([PortRequest(80, address: .loopback(.ipv4), host: .exact(8080))])
        defer { try? rig.close() }
        let error = try #require(throws: ShimError.self) {
            try NetworkNamespace.visit(rig.host) {
                Result { () throws(ShimError) in try TestPorts.bind(PortRequest(81, host: .exact(8080))) }
            }.get()
        }
        let conflict = try #require(error.portConflict)
        #expect(error.reason == .conflict && conflict.isInUse)
        #expect(conflict.port == PublishedPort(.tcp, .unspecified(.ipv4), 8080, to: 81))
        #expect(conflict.holder?.pid == getpid())
    }

    @Test("of a range the first free port is taken, and if none is free that is an error")
    func ranges() throws {
        let rig = try PortRig([
            PortRequest(80, host: .exact(8000)), PortRequest(81, host: .range(8000...8002)),
            PortRequest(82, host: .range(8000...8002)),
        ])
        defer { try? rig.close() }
        #expect(
            try rig.ports.filter { !$0.hostAddress.isIPv6 }.map { "\($0.hostPort):\($0.containerPort)" }
                == ["8000:80", "8001:81", "8002:82"])
        let error = try #require(throws: ShimError.self) {
            try NetworkNamespace.visit(rig.host) {
                Result { () throws(ShimError) in try TestPorts.bind(PortRequest(83, host: .range(8000...8002))) }
            }.get()
        }
        #expect(error.message.hasSuffix("all ports are allocated"))
    }

    @Test("any port has the same number for both families")
    func ephemeral() throws {
        let rig = try PortRig([PortRequest(80), PortRequest(80)])
        defer { try? rig.close() }
        let ports = try rig.ports
        #expect(ports.count == 4 && Set(ports.map(\.hostPort)).count == 2)
    }

    @Test("after the end nothing is bound")
    func end() throws {
        let rig = try PortRig((0..<100).map { PortRequest(20000 + $0, host: .exact(20000 + $0)) })
        #expect(try rig.ports.count == 200)
        try rig.close()
        let again = try NetworkNamespace.visit(rig.host) {
            Result { () throws(ShimError) in try TestPorts.bind(PortRequest(1, host: .exact(20050))) }
        }.get()
        #expect(again.count == 2)
    }

    @Test("SCTP is bound where the kernel has it; else the error says so")
    func sctp() throws {
        do {
            let rig = try PortRig([PortRequest(80, .sctp, host: .exact(8080))])
            defer { try? rig.close() }
            #expect(try rig.ports.count == 2)
        } catch let error as ShimError {
            #expect(error.message.contains("the kernel has no SCTP"))
        }
    }
}

/// Ports that are bound and given up again.
private enum TestPorts {
    static func bind(_ request: PortRequest) throws(ShimError) -> [PublishedPort] {
        let target = PortTarget(
            sandbox: "other", ipv4: PortTarget.Place(IPAddress(.ipv4, 0x7F00_0005)),
            ipv6: PortTarget.Place(.loopback(.ipv6)))
        let loop: EventLoop
        let buffer: PageBuffer
        do throws(Errno) {
            loop = try EventLoop()
            buffer = try PageBuffer(count: 4096)
        } catch {
            throw ShimError(.system, "\(error)")
        }
        let sockets = try PublishedSockets(
            PortPublication([request], to: target), loop: loop, buffer: buffer, descriptors: .ofThisProcess())
        defer { sockets.close() }
        return sockets.ports
    }
}
