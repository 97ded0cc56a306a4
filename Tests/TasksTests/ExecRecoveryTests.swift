import Glibc
import JSON
import OCISpec
import SystemPackage
import Tasks
import Testing

@Suite(
    "Tasks: execs and times after a crash", .enabled(if: FakeTasks.obstacle.isEmpty, "\(FakeTasks.obstacle)"),
    .timeLimit(.minutes(10)))
struct ExecRecoveryTests {
    private func exec(_ id: String, note: JSONValue? = nil, in task: RunningTask) async throws {
        _ = try await task.exec(ExecDescription(id: id, process: Process(args: ["x"]), note: note))
    }

    @Test("execs that run, and those whose end nobody was told of, are found again with their notes")
    func found() async throws {
        let fake = try FakeTasks()
        let task = try await fake.create()
        try await task.start()
        try await exec("running", note: "a note", in: task)
        try await exec("ended", note: ["number": 7], in: task)
        try await exec("known", in: task)
        try fake.order("exec-exit known 0")
        for await event in task.events { if case .execExited("known", _, _) = event { break } }
        task.letGo()
        try fake.order("exec-exit ended 4")
        guard case .running(let next, let presence) = await (try fake.again()).recover("one") else {
            Issue.record("it runs")
            return
        }
        let execs = presence.execs.sorted { $0.id < $1.id }
        #expect(execs.map(\.id) == ["ended", "running"])
        #expect(execs.map(\.note) == [["number": 7], "a note"])
        #expect(execs.last?.state == .running(pid: task.pid))
        guard case .exited(4, let moment)? = execs.first?.state else {
            Issue.record("\(execs)")
            return
        }
        try fake.order("exec-exit running 9")
        var ends: [TaskEvent] = []
        for await event in next.events {
            if case .execExited = event { ends.append(event) }
            if ends.count == 2 { break }
        }
        #expect(ends.first == .execExited(id: "ended", code: 4, at: moment))
        guard case .execExited("running", 9, _)? = ends.last else {
            Issue.record("\(ends)")
            return
        }
        await next.discard()
    }

    @Test("a shim of an earlier version is taken over without its execs")
    func oldShim() async throws {
        let fake = try FakeTasks()
        let task = try await fake.create("one", ["fake.execs": "old"])
        try await task.start()
        try await exec("e", in: task)
        task.letGo()
        guard case .running(let next, let presence) = await (try fake.again()).recover("one") else {
            Issue.record("it runs")
            return
        }
        #expect(presence.execs.isEmpty && presence.pid == task.pid)
        await next.discard()
    }

    @Test("the shim says when a task began, at the start as after a crash and at the end", arguments: [true, false])
    func times(_ isOld: Bool) async throws {
        let fake = try FakeTasks()
        let task = try await fake.create("one", isOld ? ["fake.start": "old"] : [:])
        let startedAt = try await task.start()
        #expect(fake.requests().contains("state") == isOld)
        task.letGo()
        guard case .running(let next, let presence) = await (try fake.again()).recover("one") else {
            Issue.record("it runs")
            return
        }
        #expect(presence.startedAt == startedAt)
        try fake.order("exit 0")
        let exit = try #require(await next.exit())
        #expect(exit.startedAt == startedAt)
        guard case .ended(let found) = await fake.tasks.recover("one") else {
            Issue.record("it has ended")
            return
        }
        #expect(found == exit)
    }

    @Test("an exec whose start was not answered in time is ended should it begin after all, and not told")
    func lateExec() async throws {
        let fake = try FakeTasks { $0.runtime = .milliseconds(200) }
        let task = try await fake.create("one", ["fake.exec-start": "silent"])
        try await task.start()
        #expect(await refusal { try await exec("e", in: task) }?.kind == .unavailable)
        // The only process there is, in the exec's place.
        try fake.order("exec-begin e \(task.pid)")
        #expect(await task.exit()?.code == 137)
        for await event in task.events {
            if case .execStarted = event { Issue.record("\(event)") }
        }
    }

    @Test(
        "an exec that was starting when its user died is found, and so is what becomes of it",
        arguments: [true, false])
    func starting(begins: Bool) async throws {
        let fake = try FakeTasks()
        let task = try await fake.create("one", ["fake.exec-start": "silent"])
        try await task.start()
        let start = Task { try await exec("e", note: "a note", in: task) }
        #expect(await eventually { fake.requests().contains("exec-start") })
        task.letGo()
        await #expect(throws: (any Error).self) { try await start.value }
        guard case .running(let next, let presence) = await (try fake.again()).recover("one") else {
            Issue.record("it runs")
            return
        }
        let found = try #require(presence.execs.first)
        #expect(found.id == "e" && found.state == .starting && found.note == "a note" && presence.execs.count == 1)
        try fake.order(begins ? "exec-begin e \(next.pid)" : "exec-exit e 127")
        for await event in next.events {
            switch event {
            case .execStarted(id: "e", pid: next.pid): #expect(begins)
            case .execExited(id: "e", code: 127, at: _): #expect(!begins)
            default: Issue.record("\(event)")
            }
            break
        }
        await next.discard()
    }

    @Test("a start that was given up is forgotten once the shim says that there is no such exec")
    func forgottenStart() async throws {
        let fake = try FakeTasks { $0.runtime = .milliseconds(200) }
        let task = try await fake.create("one", ["fake.exec-start": "slow", "fake.exec-delete": "gone"])
        try await task.start()
        #expect(await refusal { try await exec("e", in: task) }?.kind == .unavailable)
        #expect(task.execStarts.count == 1)
        try fake.order("go")
        #expect(await eventually { task.execStarts.count == 0 })
        await task.discard()
    }

    @Test("a start that was never asked for, or that was refused, is not remembered")
    func execStarts() {
        let starts = ExecStarts()
        #expect(starts.isAbandoned("never") == nil && starts.count == 0)
        starts.isAwaited("refused")
        starts.isAnswered("refused")
        #expect(starts.count == 0)
        starts.isAwaited("late")
        #expect(starts.isAbandoned("late") == nil && starts.count == 1)
        #expect(!starts.hasBegun("late", pid: 7) && !starts.hasEnded("late") && starts.count == 0)
        starts.isAwaited("begun")
        #expect(starts.hasBegun("begun", pid: 7) && starts.isAbandoned("begun") == 7)
        #expect(!starts.hasEnded("begun") && starts.count == 0)
    }
}
