import Addresses
import DNS
import Glibc
import LinuxKernel
import Shim
import SystemPackage
import Testing

extension ResolverTests {
    /// Prints times: `MASU_MEASURE=1 make test-only T=ShimTests`.
    @Test("how long answers take", .enabled(if: getenv("MASU_MEASURE") != nil, "set MASU_MEASURE to measure"))
    func times() throws {
        try NameTableWriter.write(
            (0..<1000).map {
                NamedEndpoint(
                    names: ["c\($0)", "alias\($0)", "id\($0)"], addresses: [IPAddress(.ipv4, 0x0A00_0000 + UInt128($0))]
                )
            }, to: namesFile)
        try withServer { (_: FakeNameServer) throws in
            try withServer(in: container) { (_: FakeNameServer) throws in
                for namespace in [ResolverConfiguration.NetworkNamespace.host, .container] {
                    try withResolver(configuration([("127.0.0.53", namespace)])) { (resolver: TestResolver) throws in
                        let name = namespace == .host ? "a name of 1,000" : "the same again"
                        try measure(name, count: 20_000, resolver) { "alias\($0 % 1000).net" }
                        try measure("\(namespace.rawValue)'s server", count: 5000, resolver) { _ in "example.org" }
                    }
                }
            }
        }
    }

    private func measure(
        _ what: String, count: Int, _ resolver: TestResolver, _ name: (Int) -> String
    ) throws {
        let socket = try resolver.connect(.udp)
        defer { socket.discard() }
        var times: [Double] = []
        let clock = ContinuousClock()
        for index in 0..<count {
            let domain = try #require(DomainName(name(index)))
            let bytes = DNSMessage(MessageHeader(id: 1), questions: [Question(domain, .a)]).serialised()
            let time = try clock.measure {
                try socket.writeEntire(bytes)
                _ = try socket.readOnce(capacity: 4096)
            }
            times.append(time / .microseconds(1))
        }
        times.sort()
        let text = [0.5, 0.99, 0.999].map { "\(Int(times[Int(Double(count) * $0)])) µs" }.joined(separator: ", ")
        print("\(what): median, 99 %, 99.9 %: \(text)")
    }
}

extension ResolverContainerTests {
    /// Prints sizes, as above.
    @Test(
        "how much memory a resolver takes", .enabled(if: getenv("MASU_MEASURE") != nil, "set MASU_MEASURE to measure"))
    func memory() throws {
        for resolver in [nil, configuration] {
            let container = try container(["sleep", "1000"], resolver: resolver)
            let connection = try container.connect()
            try connection.call(.start)
            let pid = try #require(container.pid)
            if resolver != nil { for _ in 0..<1000 { _ = try ask("web", in: pid, by: .udp) } }
            // The shim tidies up when it has had nothing to do for a second.
            sleep(3)
            let shim = try #require(container.shimPID)
            let lines = try Files.readText(FilePath("/proc/\(shim)/smaps_rollup")).split(separator: "\n")
            let sizes = lines.filter { $0.hasPrefix("Private_Dirty") || $0.hasPrefix("Pss:") }
            print("\(resolver == nil ? "without" : "with") a resolver: \(sizes.joined(separator: ", "))")
            try connection.call(.kill(signal: .kill))
            _ = try connection.exit()
        }
    }
}
