import ContainerRuntime
import SystemPackage
import Testing

@Suite("messages between the runtime and the process it makes")
struct InitMessageTests {
    private static let error = RuntimeError(.notExecutable, "exec: \"/x\": permission denied")

    @Test(
        "a report comes out as it went in",
        arguments: [
            .failure(error), .warning("careful"), .replaced(by: 0x1234_5678, needsGroup: true),
            .replaced(by: 1, needsGroup: false), .console(FileDescriptor(rawValue: 7)), .sourceRequest(70_000),
            .listening(5), .readyForHooks, .ready,
        ] as [InitReport])
    func report(_ report: InitReport) throws {
        let read = try #require(InitReport(report.bytes, report.descriptors))
        guard case .failure(let error) = read else {
            #expect(read == report)
            return
        }
        #expect(error.kind == Self.error.kind && error.message == Self.error.message)
        #expect(error.stage == .initialization)
    }

    @Test(
        "an order comes out as it went in",
        arguments: [.enterCgroup, .hooksDone, .goOn(filter: []), .goOn(filter: [1, 2, 3]), .listenerTaken]
            as [InitOrder])
    func order(_ order: InitOrder) {
        #expect(InitOrder(order.bytes) == order)
    }

    @Test("a mount's source comes as a descriptor, or why there is none")
    func source() throws {
        let tree = SourceAnswer.tree(FileDescriptor(rawValue: 9))
        #expect(SourceAnswer(tree.bytes, tree.descriptors) == tree)
        #expect(SourceAnswer(tree.bytes) == nil)
        guard case .failure(let error)? = SourceAnswer(SourceAnswer.failure(Self.error).bytes) else {
            Issue.record("no failure")
            return
        }
        #expect(error.message == Self.error.message)
    }

    @Test(
        "what is no message is the end",
        arguments: [
            [], [0], Array("P".utf8), Array("P\u{1}abc".utf8), Array("M12".utf8), Array("C".utf8), Array("S".utf8),
        ]
            as [[UInt8]])
    func none(_ bytes: [UInt8]) {
        #expect(InitReport(bytes) == nil)
        #expect(InitOrder(bytes) == nil)
    }
}
