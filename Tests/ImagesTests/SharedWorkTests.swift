import Images
import LinuxKernel
import Synchronization
import Testing

/// What several want is done once, and one thing at a time.
@Suite("Shared work", .timeLimit(.minutes(10)))
struct SharedWorkTests {
    /// Opened once, for all who wait.
    private final class Door: Sendable {
        private let state = Mutex<(isOpen: Bool, waiting: [CheckedContinuation<Void, Never>])>((false, []))

        func pass() async {
            await withCheckedContinuation { continuation in
                let isOpen = state.withLock { state in
                    if !state.isOpen { state.waiting.append(continuation) }
                    return state.isOpen
                }
                if isOpen { continuation.resume() }
            }
        }

        var waiting: Int { state.withLock { $0.waiting.count } }

        func open() {
            let waiting = state.withLock { state in
                state.isOpen = true
                defer { state.waiting = [] }
                return state.waiting
            }
            for continuation in waiting { continuation.resume() }
        }
    }

    private final class Counter: Sendable { let number = Atomic<Int>(0) }

    private let begun = Counter()

    private func join(_ work: SharedWork<String, Int>) async -> Int {
        await work.join("key") { [begun] in
            (begun.number.add(1, ordering: .relaxed).newValue, Task {})
        }
    }

    @Test("the second to come joins the first; after the last has left it begins anew")
    func sharing() async {
        let work = SharedWork<String, Int>()
        #expect(await join(work) == 1)
        #expect(await join(work) == 1)
        let ended = Mutex<[Int]>([])
        let note: @Sendable (Int) async -> Void = { number in ended.withLock { $0.append(number) } }
        await work.leave("key", afterwards: note)
        #expect(ended.withLock { $0 } == [])
        await work.leave("key", afterwards: note)
        #expect(ended.withLock { $0 } == [1])
        #expect(await join(work) == 2)
        await work.leave("key", afterwards: note)
    }

    @Test("who comes while the work is ending waits for all of its end, and keeps nobody else from going on")
    func ending() async {
        let work = SharedWork<String, Int>()
        #expect(await join(work) == 1)
        let door = Door()
        async let left: Void = work.leave("key") { _ in await door.pass() }
        while door.waiting == 0 { await Task.yield() }
        async let second = join(work)
        async let third = join(work)
        // Each of these needs its turn after those who wait.
        for _ in 0..<100 {
            #expect(await work.excluding { $0 } == ["key"])
            await Task.yield()
        }
        #expect(begun.number.load(ordering: .relaxed) == 1)
        door.open()
        #expect(await second == 2)
        #expect(await third == 2)
        await left
        #expect(await work.excluding { $0 } == ["key"])
    }

    @Test("threads with one key work one after the other, those with another at the same time")
    func oneByOne() throws {
        let turns = OneByOne<String>()
        let order = Mutex<[String]>([])
        let (entered, other) = (Semaphore(), Semaphore())
        let first = try JoinableThread(name: "first") { @Sendable in
            turns.run("a") {
                entered.signal()
                // It goes on only when another key has had its turn.
                other.wait()
                order.withLock { $0.append("first") }
            }
        }
        entered.wait()
        let second = try JoinableThread(name: "second") { turns.run("a") { order.withLock { $0.append("second") } } }
        turns.run("b") { order.withLock { $0.append("b") } }
        other.signal()
        try first.join()
        try second.join()
        #expect(order.withLock { $0 } == ["b", "first", "second"])
    }
}
