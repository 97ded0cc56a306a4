import Addresses
import DNS
import Glibc
import LinuxKernel
import OCISpec
import ShimProtocol
import SystemPackage
import TemporaryDirectories
import Testing

@Suite(
    "a real shim that is its container's resolver", .serialized, .timeLimit(.minutes(5)),
    .enabled(if: TestContainer.obstacle.isEmpty, Comment(rawValue: TestContainer.obstacle)))
struct ResolverContainerTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory(mode: 0o755)
        try NameTableWriter.write(
            [NamedEndpoint(names: ["web"], addresses: [try #require(IPAddress("172.18.0.2"))])], to: namesFile)
    }

    private var namesFile: FilePath { directory.path.appending("names") }

    var configuration: ResolverConfiguration {
        ResolverConfiguration(networks: [.init(name: "net", namesFile: namesFile.string)])
    }

    func container(
        _ arguments: [String], resolver: ResolverConfiguration?, hasNetwork: Bool = true
    ) throws -> TestContainer {
        try TestContainer(arguments) { spec, configuration in
            if hasNetwork { spec.linux?.namespaces?.append(LinuxNamespace(type: .network)) }
            configuration.resolver = resolver
        }
    }

    /// What is at port 53 answers; `nil` if nothing is there.
    func ask(_ name: String, in pid: Int32, by transport: TransportProtocol) throws -> [String]? {
        let socket = try TestNetworkNamespace(of: pid).socket(transport)
        defer { socket.discard() }
        let question = Question(try #require(DomainName(name)), .a)
        let query = DNSMessage(MessageHeader(id: 1), questions: [question]).serialised()
        let bytes: [UInt8]
        do {
            _ = try socket.connect(to: SocketAddress(Resolver.address, 53))
            if transport == .tcp { try socket.writeMessage(query) } else { try socket.writeEntire(query) }
            bytes = try transport == .tcp ? socket.readMessage() ?? [] : socket.readOnce()
        } catch Errno.connectionRefused {
            return nil
        }
        return try DNSMessage(parsing: bytes).answers.map {
            guard case .address(let address) = $0.content else { return "no address" }
            return address.description
        }
    }

    @Test("programs in the container find it at port 53")
    func nslookup() throws {
        let container = try container(
            ["sh", "-c", "busybox nslookup -type=a web.net 127.0.0.11 && busybox nslookup -type=a nobody 127.0.0.11"],
            resolver: configuration)
        let connection = try container.connect()
        try connection.call(.start)
        _ = try connection.exit()
        let output = try container.records.joined()
        #expect(output.contains("Address: 172.18.0.2\n"), "\(output)")
        #expect(output.contains("can't find nobody: SERVFAIL"), "\(output)")
        #expect(try TestContainer.eventually { container.hasShimEnded })
    }

    @Test("it comes, changes and goes while the container runs")
    func changes() throws {
        let container = try container(["sleep", "1000"], resolver: nil)
        let connection = try container.connect()
        try connection.call(.start)
        let pid = try #require(container.pid)
        #expect(try ask("web", in: pid, by: .tcp) == nil)
        for _ in 0..<2 {
            try connection.call(.resolve(by: configuration))
            for transport in [TransportProtocol.udp, .tcp] {
                #expect(try ask("web", in: pid, by: transport) == ["172.18.0.2"])
            }
            try connection.call(.resolve(by: ResolverConfiguration(networks: [])))
            #expect(try ask("web", in: pid, by: .udp) == [])
            try connection.call(.resolve(by: nil))
            #expect(try ask("web", in: pid, by: .udp) == nil)
            #expect(try ask("web", in: pid, by: .tcp) == nil)
        }
        try connection.call(.resolve(by: configuration))
        try connection.call(.kill(signal: .kill))
        _ = try connection.exit()
    }

    @Test("the host's network namespace can have none")
    func hostNetwork() throws {
        let container = try container(["true"], resolver: configuration, hasNetwork: false)
        guard case .failed(let error) = container.launchResult else {
            Issue.record("launched")
            return
        }
        #expect(error.reason == .conflict)
        #expect(try container.shimFiles.isEmpty)
        let other = try self.container(["sleep", "1000"], resolver: nil, hasNetwork: false)
        let connection = try other.connect()
        #expect(throws: ShimError.self) { try connection.call(.resolve(by: configuration)) }
    }
}
