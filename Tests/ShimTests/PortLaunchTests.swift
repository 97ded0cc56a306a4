import Addresses
import Glibc
import LinuxKernel
import OCISpec
import PublishedPorts
import ShimProtocol
import SystemPackage
import Testing

@Suite(
    "Published ports of a container", .serialized, .timeLimit(.minutes(10)),
    .enabled(if: TestContainer.obstacle.isEmpty, Comment(rawValue: TestContainer.obstacle)))
struct PortLaunchTests {
    /// Does something on a thread with a network namespace of its own, which shims that it starts are in as well.
    private func inFreshNetwork(_ body: @escaping @Sendable () throws -> Void) throws {
        let thread = try JoinableThread(name: "host") {
            try Namespaces.network.unshare()
            try NetworkInterface.bringUp("lo")
            try body()
        }
        try thread.join()
    }

    /// A container that sends back what it gets at its port 8000, which needs no capability.
    private static func echo(_ requests: [PortRequest]) throws -> TestContainer {
        try TestContainer(["busybox", "nc", "-ll", "-p", "8000", "-e", "cat"]) { spec, configuration in
            spec.linux?.namespaces?.append(LinuxNamespace(type: .network))
            if requests.isEmpty { return }
            configuration.publishedPorts = PortPublication(requests, to: target)
        }
    }

    private static let target = PortTarget(sandbox: "echo", ipv4: PortTarget.Place(.loopback(.ipv4)))

    /// Whether the port answers with what was sent; a program that has just begun may not listen yet.
    private static func answers(_ port: UInt16) throws -> Bool {
        try TestContainer.eventually {
            let socket = try InternetSocket.make(.tcp, .ipv4)
            defer { socket.discard() }
            try socket.setNonBlocking(false)
            guard (try? socket.connect(to: SocketAddress(.loopback(.ipv4), port))) == true,
                (try? socket.writeEntire([1, 2, 3])) != nil, (try? socket.shutdownSending()) != nil
            else { return false }
            return (try? socket.readToEnd(limit: 10)) == [1, 2, 3]
        }
    }

    private static func isFree(_ port: UInt16) throws -> Bool {
        let socket = try InternetSocket.make(.tcp, .ipv4)
        defer { socket.discard() }
        return (try? socket.bind(to: SocketAddress(.unspecified(.ipv4), port))) != nil
    }

    @Test("a port is bound before the container is made, leads into it from its start on, and is free after its end")
    func life() throws {
        try inFreshNetwork {
            let container = try Self.echo([PortRequest(8000, host: .exact(8080))])
            guard case .launched(_, _, let ports, _) = container.launchResult else {
                Issue.record("\(container.launchResult)")
                return
            }
            #expect(ports.map(\.description) == ["0.0.0.0:8080", "[::]:8080"])
            #expect(try !Self.isFree(8080))
            let connection = try container.connect()
            try connection.call(.start)
            #expect(try Self.answers(8080))
            try connection.call(.kill(signal: .kill))
            _ = try connection.exit()
            #expect(try Self.isFree(8080))
        }
    }

    @Test("a port of another container is an error that names it, and nothing is left of the second container")
    func conflict() throws {
        try inFreshNetwork {
            let first = try Self.echo([PortRequest(8000, host: .exact(8080))])
            let second = try Self.echo([PortRequest(8000), PortRequest(8000, host: .exact(8080))])
            guard case .failed(let error) = second.launchResult else {
                Issue.record("launched")
                return
            }
            let conflict = try #require(error.portConflict)
            #expect(conflict.port.description == "0.0.0.0:8080" && conflict.holder?.pid == first.shimPID)
            #expect(conflict.holder?.container == first.bundle.lastComponent?.string)
            #expect(error.message == "Bind for 0.0.0.0:8080 failed: port is already allocated")
            #expect(try second.shimFiles == [])
        }
    }

    @Test("a running container gets ports, and gives them up")
    func liveChange() throws {
        try inFreshNetwork {
            let container = try Self.echo([])
            let connection = try container.connect()
            try connection.call(.start)
            guard case .published([]) = try connection.call(.publishedPorts) else {
                Issue.record("ports of a container without any")
                return
            }
            let publication = PortPublication(
                [PortRequest(8000, address: .loopback(.ipv4), host: .exact(8081))], to: Self.target)
            let port = PublishedPort(.tcp, .loopback(.ipv4), 8081, to: 8000)
            #expect(try connection.call(.publish(publication)) == .published([port]))
            try connection.call(.openPorts)
            #expect(try Self.answers(8081))
            #expect(try connection.call(.publishedPorts) == .published([port]))
            let error = #expect(throws: ShimError.self) { try connection.call(.publish(publication)) }
            #expect(error?.portConflict?.port == port)
            try connection.call(.unpublish(ports: [port]))
            #expect(try Self.isFree(8081))
            #expect(try connection.call(.publishedPorts) == .published([]))
        }
    }

    @Test("a port that leads to another one of the container from now on is handed over, and never free")
    func handover() throws {
        try inFreshNetwork {
            let container = try Self.echo([PortRequest(9, address: .loopback(.ipv4), host: .exact(8081))])
            let connection = try container.connect()
            try connection.call(.start)
            let old = PublishedPort(.tcp, .loopback(.ipv4), 8081, to: 9)
            let new = PublishedPort(.tcp, .loopback(.ipv4), 8081, to: 8000)
            let request = PortRequest(8000, address: .loopback(.ipv4), host: .exact(8081))
            // Nothing of what fails stays: port 8082 is somebody else's.
            let other = try InternetSocket.make(.tcp, .ipv4)
            defer { other.discard() }
            try other.bind(to: SocketAddress(.loopback(.ipv4), 8082))
            let failing = PortPublication(
                [request, PortRequest(8000, address: .loopback(.ipv4), host: .exact(8082))], to: Self.target)
            let error = #expect(throws: ShimError.self) {
                try connection.call(.publish(failing, replacing: [old]))
            }
            #expect(error?.portConflict?.port.hostPort == 8082)
            #expect(try connection.call(.publishedPorts) == .published([old]))
            let publication = PortPublication([request], to: Self.target)
            #expect(throws: ShimError.self) { try connection.call(.publish(publication)) }
            #expect(try connection.call(.publish(publication, replacing: [old])) == .published([new]))
            #expect(try connection.call(.publishedPorts) == .published([old, new]))
            try connection.call(.unpublish(ports: [old]))
            #expect(try !Self.isFree(8081))
            try connection.call(.openPorts)
            #expect(try Self.answers(8081))
            try connection.call(.unpublish(ports: [new]))
            #expect(try Self.isFree(8081))
        }
    }
}
