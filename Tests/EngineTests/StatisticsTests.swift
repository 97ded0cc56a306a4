import Engine
import Testing

@Suite("Statistics") struct StatisticsTests {
    @Test("a stream of a container that is removed at the same moment ends", .timeLimit(.minutes(5)))
    func removal() async throws {
        let fixture = try await EngineFixture()
        defer { withExtendedLifetime(fixture) {} }
        let engine = fixture.engine
        for round in 0..<100 {
            let name = "web\(round)"
            _ = try await engine.create(ContainerConfiguration(image: "box"), name: name)
            async let removal: Void = engine.remove(name)
            do {
                try await engine.followStatistics(name) {
                    #expect($0.present == nil)
                } flush: {
                }
            } catch let error as EngineError where error.kind == .notFound {
                // It was gone before.
            }
            try await removal
        }
    }

    private let table = """
        Inter-|   Receive                                                |  Transmit
         face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
            lo:       1       2    3    4    0     0          0         0       5       6    7    8    0     0       0          0
          eth1: 1001 12 0 1 0 0 0 0 2002 22 3 4 0 0 0 0
          eth0:18446744073709551615 0 0 0 0 0 0 0 7 0 0 0 0 0 0 0

        """

    @Test("of the interfaces in a network namespace those of networks count")
    func interfaces() {
        let counters = InterfaceCounters.parse(Array(table.utf8), names: ["eth0", "eth1", "eth2"])
        #expect(counters.map(\.name) == ["eth0", "eth1"])
        #expect(counters[0].received.bytes == .max && counters[0].sent.bytes == 7)
        let (received, sent) = (counters[1].received, counters[1].sent)
        #expect([received.bytes, received.packets, received.errors, received.dropped] == [1001, 12, 0, 1])
        #expect([sent.bytes, sent.packets, sent.errors, sent.dropped] == [2002, 22, 3, 4])
        #expect(InterfaceCounters.parse(Array("".utf8), names: ["eth0"]).isEmpty)
    }

    @Test("the time of all processors is that of the first seven kinds, and goes on with the clock")
    func processors() throws {
        let text = "cpu  1 2 3 4 5 6 7 100 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\ncpu1 0 1 2 3 4 5 6 0 0 0\nintr 5 5\ncpu9 1\n"
        let processors = try #require(SystemProcessors(parsing: Array(text.utf8), at: 1000))
        #expect(processors.online == 2)
        #expect(processors.total(at: 1000) == 280_000_000)
        #expect(processors.total(at: 1500) == 280_001_000)
        #expect(SystemProcessors(parsing: Array("cpu 1 2 3\n".utf8)) == nil)
        #expect(SystemProcessors(parsing: Array("intr 1\n".utf8)) == nil)
    }
}
