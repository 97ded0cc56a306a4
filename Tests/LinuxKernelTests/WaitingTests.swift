import LinuxKernel
import Synchronization
import Testing

@Suite("threads that wait for one another")
struct WaitingTests {
    @Test("a semaphore lets as many go on as it was signalled, and one that begins with a count so many more")
    func semaphore() throws {
        let semaphore = Semaphore(2)
        for _ in 0..<2 { semaphore.wait() }
        let passed = Semaphore()
        let threads = try (0..<3).map { number in
            try JoinableThread(name: "wait-\(number)") {
                semaphore.wait()
                passed.signal()
                return number
            }
        }
        for _ in threads { semaphore.signal() }
        for _ in threads { passed.wait() }
        #expect(try threads.map { try $0.join() } == [0, 1, 2])
    }

    @Test("who waits for a condition is told of every change", .timeLimit(.minutes(10)))
    func condition() throws {
        let counter = Counter()
        let thread = try JoinableThread(name: "count") { counter.count(from: 1, to: 2000) }
        counter.count(from: 0, to: 2000)
        try thread.join()
        #expect(counter.value == 2000)
    }

    /// A number that two threads count up in turn: each waits for what the other one does.
    private final class Counter: Sendable {
        private let condition = Condition()
        private let number = Atomic(0)

        var value: Int { number.load(ordering: .sequentiallyConsistent) }

        func count(from first: Int, to end: Int) {
            for next in stride(from: first, to: end, by: 2) {
                _ = condition.wait { value == next ? true : nil }
                number.store(next + 1, ordering: .sequentiallyConsistent)
                condition.broadcast()
            }
        }
    }

    @Test("who waits for what does not happen gets nothing when the time is over")
    func timeout() {
        #expect(Condition().wait(milliseconds: 1) { nil as Int? } == nil)
        #expect(Condition().wait(milliseconds: 0) { 7 } == 7)
    }
}
