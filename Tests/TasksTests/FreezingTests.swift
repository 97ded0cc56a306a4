import Glibc
import ShimProtocol
import Tasks
import Testing

@Suite(
    "Tasks: pauses and holds", .enabled(if: FakeTasks.obstacle.isEmpty, "\(FakeTasks.obstacle)"),
    .timeLimit(.minutes(10)))
struct FreezingTests {
    /// Whether the shim says that the task is frozen, which it is asked by another connection.
    private func isFrozen(_ fake: FakeTasks) throws -> Bool {
        let connection = try ShimConnection(bundle: fake.tasks.bundle(of: "one"), timeout: 30)
        guard case .state(.running(_, _, let isFrozen)) = try connection.call(.state) else { return false }
        return isFrozen
    }

    private func asked(_ fake: FakeTasks) -> [String] {
        fake.requests().filter { $0 == "pause" || $0 == "resume" }
    }

    @Test("it is frozen as long as somebody wants it to be, and asked no more than necessary")
    func holds() async throws {
        let fake = try FakeTasks()
        let task = try await fake.create()
        try await task.start()
        let first = try await task.hold()
        let second = try await task.hold()
        #expect(task.isHeld && asked(fake) == ["pause"])
        try await task.pause()
        await first.release()
        await second.release()
        #expect(!task.isHeld && task.isPaused && asked(fake) == ["pause"], "its user still wants it")
        try await task.resume()
        #expect(!task.isPaused && asked(fake) == ["pause", "resume"])
        await task.discard()
    }

    @Test("the end of a hold that a signal has ended already is not the end of a later one")
    func generations() async throws {
        let fake = try FakeTasks()
        let task = try await fake.create()
        try await task.start()
        let early = try await task.hold()
        await task.thaw()
        #expect(!task.isHeld && asked(fake) == ["pause", "resume"], "thawed to take a signal")
        let late = try await task.hold()
        await early.release()
        #expect(try task.isHeld && isFrozen(fake))
        await late.release()
        #expect(try !task.isHeld && !isFrozen(fake))
        await task.discard()
    }

    @Test(
        "a pause that nobody waits for any more is undone, once it has been carried out",
        arguments: ["slow", "late"])
    func latePause(_ kind: String) async throws {
        let fake = try FakeTasks { $0.runtime = .milliseconds(200) }
        let task = try await fake.create("one", ["fake.pause": kind])
        try await task.start()
        #expect(await refusal { try await task.pause() }?.kind == .unavailable)
        #expect(!task.isPaused)
        try fake.order("go")
        #expect(await eventually { asked(fake) == ["pause", "resume"] })
        #expect(try await eventually { try !isFrozen(fake) })
        #expect(!task.isPaused)
        await task.discard()
    }

    @Test("a pause that is asked for again before the late one is carried out holds")
    func pauseAgain() async throws {
        let fake = try FakeTasks { $0.runtime = .milliseconds(300) }
        let task = try await fake.create("one", ["fake.pause": "slow"])
        try await task.start()
        #expect(await refusal { try await task.pause() }?.kind == .unavailable)
        let again = Task { try await task.pause() }
        #expect(await eventually { asked(fake).count >= 1 })
        try fake.order("go")
        #expect(await eventually { asked(fake).count >= 2 })
        try fake.order("go")
        // The second attempt may be late as well on a slow machine; then neither holds.
        let isAnswered = (try? await again.value) != nil
        #expect(task.isPaused == isAnswered)
        // With this answer there are those to all that was asked before.
        #expect(
            try await eventually {
                try fake.requests().filter { $0 == "state" }.count > 1 && isFrozen(fake) == isAnswered
            })
        await task.discard()
    }

    @Test("an end of a pause that comes late is told")
    func lateResume() async throws {
        let fake = try FakeTasks { $0.runtime = .milliseconds(200) }
        let task = try await fake.create("one", ["fake.resume": "late"])
        try await task.start()
        try await task.pause()
        #expect(await refusal { try await task.resume() }?.kind == .unavailable)
        #expect(task.isPaused)
        try fake.order("go")
        for await event in task.events where event == .pauseChanged { break }
        #expect(!task.isPaused)
        await task.discard()
    }

    @Test("what is so already is no error, whoever has done it")
    func alreadySo() async throws {
        let fake = try FakeTasks()
        let task = try await fake.create()
        try await task.start()
        try fake.order("frozen")
        try await task.pause()
        #expect(try task.isPaused && isFrozen(fake))
        try fake.order("thawed")
        try await task.resume()
        #expect(try !task.isPaused && !isFrozen(fake))
        await task.discard()
    }

    @Test(
        "what a user has done before a silent shim answers is not overwritten by the answer",
        arguments: [true, false])
    func beforeTheAnswer(_ isPausing: Bool) async throws {
        let fake = try FakeTasks()
        let task = try await fake.create()
        try await task.start()
        if !isPausing { try await task.pause() }
        task.letGo()
        kill(task.shimPID, SIGSTOP)
        let next = try fake.again { $0.recovery = .milliseconds(100) }
        guard case .silent(let silent) = await next.recover("one", isPaused: !isPausing) else {
            Issue.record("it does not answer")
            return
        }
        let change = Task { if isPausing { try await silent.pause() } else { try await silent.resume() } }
        kill(task.shimPID, SIGCONT)
        try await change.value
        for await event in silent.events {
            guard case .answered(let presence) = event else { continue }
            #expect(presence.isPaused == isPausing)
            break
        }
        #expect(try silent.isPaused == isPausing && isFrozen(fake) == isPausing)
        await silent.discard()
    }

    @Test("a task that an earlier process may have paused is thawed to take a signal, before the shim has answered")
    func thawBeforeTheAnswer() async throws {
        let fake = try FakeTasks()
        let task = try await fake.create()
        try await task.start()
        try await task.pause()
        task.letGo()
        kill(task.shimPID, SIGSTOP)
        let next = try fake.again { $0.recovery = .milliseconds(100) }
        guard case .silent(let silent) = await next.recover("one", isPaused: true) else {
            Issue.record("it does not answer")
            return
        }
        let thaw = Task { await silent.thaw() }
        kill(task.shimPID, SIGCONT)
        await thaw.value
        for await event in silent.events {
            guard case .answered(let presence) = event else { continue }
            #expect(!presence.isPaused)
            break
        }
        #expect(try !silent.isPaused && !isFrozen(fake))
        await silent.discard()
    }
}
