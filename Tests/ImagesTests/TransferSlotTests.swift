import Images
import Synchronization
import Testing

@Suite("Slots of transfers", .timeLimit(.minutes(10)))
struct TransferSlotTests {
    /// Transfers that each go on until they are let go.
    private final class Transfers: Sendable {
        private struct State {
            var running: [AsyncStream<Void>.Continuation] = []
            /// How many were running when each began, itself among them.
            var begun: [Int] = []
        }

        let slots: TransferSlots
        private let state = Mutex(State())

        init(_ count: Int) { slots = TransferSlots(count) }

        var begun: [Int] { state.withLock { $0.begun } }

        func begin() -> Task<Void, any Error> {
            Task {
                try await slots.run {
                    let (gate, open) = AsyncStream.makeStream(of: Void.self)
                    self.state.withLock { state in
                        state.running.append(open)
                        state.begun.append(state.running.count)
                    }
                    for await _ in gate { break }
                }
            }
        }

        func endOne() { state.withLock { $0.running.removeFirst() }.yield() }

        func wait(forBegun count: Int) async { while begun.count < count { await Task.yield() } }
    }

    @Test("more slots let those begin that wait; with fewer, enough of those that go on have to end first")
    func resizing() async throws {
        let transfers = Transfers(1)
        var tasks = (0..<3).map { _ in transfers.begin() }
        await transfers.wait(forBegun: 1)
        transfers.slots.resize(to: 3)
        await transfers.wait(forBegun: 3)
        #expect(transfers.begun == [1, 2, 3])
        tasks += (0..<2).map { _ in transfers.begin() }
        transfers.slots.resize(to: 1)
        #expect(transfers.slots.count == 1)
        for _ in 0..<3 { transfers.endOne() }
        await transfers.wait(forBegun: 4)
        transfers.endOne()
        await transfers.wait(forBegun: 5)
        transfers.endOne()
        for task in tasks { try await task.value }
        #expect(transfers.begun == [1, 2, 3, 1, 1])
    }
}
