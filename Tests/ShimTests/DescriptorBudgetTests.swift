import Addresses
import DNS
import Glibc
import LinuxKernel
import OCISpec
import PublishedPorts
import Shim
import ShimProtocol
import SystemPackage
import TemporaryDirectories
import Testing

@Suite("the budget of a shim's descriptors")
struct DescriptorBudgetTests {
    @Test("half is for ports and a quarter for the resolver, and neither takes the other's")
    func shares() {
        let budget = DescriptorBudget(openFiles: 80)
        #expect(budget.share(of: .ports) == 40 && budget.share(of: .resolver) == 20)
        #expect(budget.take(40, for: .ports))
        #expect(!budget.take(1, for: .ports))
        #expect(budget.take(20, for: .resolver))
        #expect(!budget.take(1, for: .resolver))
        budget.putBack(6, for: .ports)
        // All or nothing.
        #expect(!budget.take(7, for: .ports))
        #expect(budget.take(6, for: .ports))
    }

    @Test("a process without a limit has one that no sum overflows")
    func unlimited() {
        let budget = DescriptorBudget(openFiles: .max)
        for _ in 0..<100_000 { #expect(budget.take(6, for: .ports)) }
    }

    @Test("that of this process is by its limit")
    func own() throws {
        let soft = try ResourceLimit.nofile.get().soft
        #expect(DescriptorBudget.ofThisProcess().share(of: .resolver) == Int(clamping: soft) / 4)
    }
}

@Suite(
    "clients of published ports beyond the budget", .timeLimit(.minutes(10)),
    .enabled(if: PortRig.obstacle.isEmpty, Comment(rawValue: PortRig.obstacle)))
struct PortBudgetTests {
    private let server = IPAddress(.ipv4, 0x7F00_0005)

    /// Whether a connection gets through to the container's program, which sends a byte; a refused one is reset.
    private func getsThrough(_ rig: PortRig, _ listener: FileDescriptor) throws -> (FileDescriptor, FileDescriptor)? {
        let client = try rig.connect(.loopback(.ipv4), 8080, seconds: 120)
        // Whichever comes first: the program's end, or the reset.
        let events = try Poll.wait(for: [(listener, .readable), (client, .readable)], milliseconds: 120_000)
        guard events.first?.contains(.readable) == true else {
            #expect(throws: Errno.connectionReset) { try client.readAll() }
            client.discard()
            return nil
        }
        return (client, try listener.acceptConnection())
    }

    @Test("connections beyond it are reset, and others get through when one has ended")
    func connections() throws {
        // A half of 98, less the port itself, is eight connections of six descriptors.
        let rig = try PortRig(
            [PortRequest(80, address: .loopback(.ipv4), host: .exact(8080))], openFiles: 98)
        defer { try? rig.close() }
        let listener = try rig.listen(server, 80)
        defer { listener.discard() }
        var pairs: [(FileDescriptor, FileDescriptor)] = []
        defer {
            for pair in pairs {
                pair.0.discard()
                pair.1.discard()
            }
        }
        for _ in 0..<8 { pairs.append(try #require(try getsThrough(rig, listener))) }
        for _ in 0..<3 { #expect(try getsThrough(rig, listener) == nil) }
        // Those that are there are as good as before.
        try pairs[7].1.writeEntire([1])
        #expect(try pairs[7].0.readOnce() == [1])
        let ended = pairs.removeFirst()
        ended.0.discard()
        ended.1.discard()
        let next = try rig.awaited { try? getsThrough(rig, listener) }
        pairs.append(next)
        #expect(try getsThrough(rig, listener) == nil)
    }

    @Test("a client of UDP makes room for another, and connections leave none for it")
    func datagrams() throws {
        // Room for one connection of six descriptors and one client of UDP.
        let rig = try PortRig(
            [
                PortRequest(80, address: .loopback(.ipv4), host: .exact(8080)),
                PortRequest(53, .udp, address: .loopback(.ipv4), host: .exact(5353)),
            ], openFiles: 18)
        defer { try? rig.close() }
        let program = try rig.socket(.udp, .ipv4, in: rig.inside, seconds: 120)
        defer { program.discard() }
        try program.bind(to: SocketAddress(server, 53))
        func send(_ byte: UInt8) throws -> FileDescriptor {
            let client = try rig.socket(.udp, .ipv4, in: rig.host, seconds: 120)
            _ = try client.connect(to: SocketAddress(.loopback(.ipv4), 5353))
            try client.writeEntire([byte])
            return client
        }
        // Nine altogether less two ports: seven.
        for byte: UInt8 in 0..<20 {
            let client = try send(byte)
            defer { client.discard() }
            #expect(try program.readOnce() == [byte])
        }
        let listener = try rig.listen(server, 80)
        defer { listener.discard() }
        // All descriptors are clients' of UDP, so a connection is refused.
        #expect(try getsThrough(rig, listener) == nil)
    }
}

@Suite(
    "a real shim without descriptors", .serialized, .timeLimit(.minutes(10)),
    .enabled(if: TestContainer.obstacle.isEmpty, Comment(rawValue: TestContainer.obstacle)))
struct ShimWithoutDescriptorsTests {
    /// How often a process has gone to sleep.
    private func sleeps(_ pid: Int32) throws -> Int {
        let status = try Files.readText(FilePath("/proc/\(pid)/status"))
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("voluntary_ctxt_switches:") })
        return try #require(Int(line.split(separator: "\t")[1]))
    }

    @Test("those who connect wait while the shim sleeps, and are served when there are descriptors again")
    func waiting() throws {
        let directory = try TemporaryDirectory(mode: 0o755)
        let names = directory.path.appending("names")
        try NameTableWriter.write(
            [NamedEndpoint(names: ["web"], addresses: [try #require(IPAddress("172.18.0.2"))])], to: names)
        let thread = try JoinableThread(name: "host") {
            try Namespaces.network.unshare()
            try NetworkInterface.bringUp("lo")
            let container = try TestContainer(["busybox", "nc", "-ll", "-p", "8000", "-e", "cat"]) {
                spec, configuration in
                spec.linux?.namespaces?.append(LinuxNamespace(type: .network))
                configuration.publishedPorts = PortPublication(
                    [PortRequest(8000, address: .loopback(.ipv4), host: .exact(8080))],
                    to: PortTarget(sandbox: "echo", ipv4: PortTarget.Place(.loopback(.ipv4))))
                configuration.resolver = ResolverConfiguration(
                    networks: [.init(name: "net", namesFile: names.string)])
            }
            let connection = try container.connect()
            try connection.call(.start)
            let (shim, pid) = (try #require(container.shimPID), try #require(container.pid))
            func echoes(_ socket: FileDescriptor) throws -> Bool {
                try socket.writeEntire([1, 2, 3])
                try socket.shutdownSending()
                return try socket.readToEnd(limit: 10) == [1, 2, 3]
            }
            func client() throws -> FileDescriptor {
                let socket = try InternetSocket.make(.tcp, .ipv4)
                try socket.setNonBlocking(false)
                _ = try socket.connect(to: SocketAddress(.loopback(.ipv4), 8080))
                return socket
            }
            // The program may not listen yet.
            #expect(
                try TestContainer.eventually {
                    let first = try client()
                    defer { first.discard() }
                    return (try? echoes(first)) ?? false
                })
            let limit = try ResourceLimit.nofile.get()
            // Lower than any descriptor that is free, and than many that are open, which stay open.
            try ResourceLimit.nofile.set(soft: 3, hard: limit.hard, pid: shim)
            let port = try client()
            defer { port.discard() }
            let resolver = try TestNetworkNamespace(of: pid).socket(.tcp)
            defer { resolver.discard() }
            _ = try resolver.connect(to: SocketAddress(Resolver.address, 53))
            let query = DNSMessage(
                MessageHeader(id: 1), questions: [Question(try #require(DomainName("web")), .a)]
            ).serialised()
            try resolver.writeMessage(query)
            let late = try ShimConnection(bundle: container.home, timeout: 120)
            // One that asks again and again without sleeping would never get there.
            let before = try sleeps(shim)
            #expect(try TestContainer.eventually { try sleeps(shim) >= before + 10 })
            try ResourceLimit.nofile.set(soft: limit.soft, hard: limit.hard, pid: shim)
            #expect(try echoes(port))
            let answer = try DNSMessage(parsing: try #require(try resolver.readMessage()))
            #expect(answer.answers.count == 1)
            try late.call(.kill(signal: .kill))
            _ = try connection.exit()
            #expect(try TestContainer.eventually { container.hasShimEnded })
        }
        try thread.join()
    }
}
