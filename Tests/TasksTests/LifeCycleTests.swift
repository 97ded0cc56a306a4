import Glibc
import LinuxKernel
import OCISpec
import SystemPackage
import Tasks
import Testing

@Suite("Tasks: life", .enabled(if: FakeTasks.obstacle.isEmpty, "\(FakeTasks.obstacle)"), .timeLimit(.minutes(10)))
struct LifeCycleTests {
    private func all(_ task: RunningTask) async -> [TaskEvent] {
        var events: [TaskEvent] = []
        for await event in task.events { events.append(event) }
        return events
    }

    @Test("start, an event of the memory, an end: told in order, and the bundle stays until it is removed")
    func life() async throws {
        let fake = try FakeTasks()
        let task = try await fake.create()
        #expect(lives(task.pid) && lives(task.shimPID))
        try await task.start()
        try fake.order("oom")
        try fake.order("exit 3")
        let exit = try #require(await task.exit())
        #expect(exit.code == 3 && exit.startedAt != nil && exit.pid == task.pid && exit.warning == nil)
        let events = await all(task)
        #expect(events.count == 3)
        #expect(events.first == .started && events.last == .exited(exit))
        if case .outOfMemory = events[1] {} else { Issue.record("\(events)") }
        #expect(await eventually { !lives(task.shimPID) && !lives(task.pid) })
        #expect(try fake.tasks.ids() == ["one"])
        await fake.tasks.remove("one")
        #expect(try fake.tasks.ids().isEmpty)
    }

    @Test("a program that ends at once has begun before it ends")
    func shortProgram() async throws {
        let fake = try FakeTasks()
        let task = try await fake.create("one", ["fake.ends": "at once"])
        try await task.start()
        let events = await all(task)
        #expect(events.first == .started)
        if case .exited(let exit) = events.last { #expect(exit.code == 0) } else { Issue.record("\(events)") }
    }

    @Test(
        "a launch that fails leaves nothing, and says what it was",
        arguments: [
            ("refuse", "not found"), ("garbage", "invalid answer"), ("die", "ended without an answer (exit status 3)"),
            ("silent", "did not answer in time"),
        ])
    func failedLaunch(_ kind: String, _ text: String) async throws {
        let fake = try FakeTasks { $0.launch = kind == "silent" ? .milliseconds(300) : .seconds(60) }
        let error = try #require(await refusal { try await fake.create("one", ["fake.launch": kind]) })
        #expect(error.message.contains(text), "\(error)")
        #expect(error.exitCode == (kind == "refuse" ? 127 : 128))
        #expect(try fake.tasks.ids().isEmpty)
        // The id is free again.
        let task = try await fake.create()
        await task.discard()
    }

    @Test("a launch can be called off")
    func calledOff() async throws {
        let fake = try FakeTasks()
        let error = Task { await refusal { try await fake.create("one", ["fake.launch": "silent"]) } }
        let bundle = fake.tasks.bundle(of: "one").appending("shim.json")
        #expect(await eventually { Files.exists(bundle) })
        fake.tasks.callOff("one")
        #expect(await error.value?.kind == .unavailable)
        #expect(try fake.tasks.ids().isEmpty)
    }

    @Test("an error of the description is thrown as it is, and nothing is made")
    func failedDescription() async throws {
        let fake = try FakeTasks()
        await #expect(throws: Errno.noMemory) { _ = try await fake.tasks.create("one") { throw Errno.noMemory } }
        #expect(try fake.tasks.ids().isEmpty)
    }

    @Test("a start that is refused leaves nothing", arguments: ["refuse", "die"])
    func refusedStart(_ kind: String) async throws {
        let fake = try FakeTasks()
        let task = try await fake.create("one", ["fake.start": kind])
        let error = try #require(await refusal { try await task.start() })
        #expect(error.exitCode == (kind == "refuse" ? 127 : 128))
        #expect(try fake.tasks.ids().isEmpty)
        #expect(await eventually { !lives(task.shimPID) })
    }

    @Test("a created task can be discarded")
    func discarded() async throws {
        let fake = try FakeTasks()
        let task = try await fake.create()
        await task.discard()
        #expect(try fake.tasks.ids().isEmpty)
        #expect(await eventually { !lives(task.shimPID) && !lives(task.pid) })
    }

    @Test("a shim that dies without a word has lost its task; one that has written the end down has not")
    func shimDies() async throws {
        let fake = try FakeTasks()
        let lost = try await fake.create("lost")
        try await lost.start()
        try fake.order("die", "lost")
        let end = try #require(await lost.exit())
        #expect(end.code == 137 && end.warning?.contains("was killed") ?? false)
        #expect(await all(lost).last == .lost(end))

        let quiet = try await fake.create("quiet")
        try await quiet.start()
        try fake.order("quiet 5", "quiet")
        #expect(await quiet.exit()?.code == 5)
        if case .exited? = await all(quiet).last {} else { Issue.record("it was not lost") }
    }

    @Test("an exec has a pid, a stream and an end; a refusal says its exit code")
    func execs() async throws {
        let fake = try FakeTasks()
        let task = try await fake.create("one", ["fake.exec-start": "", "fake.pause": ""])
        try await task.start()
        let exec = try await task.exec(
            ExecDescription(id: "e1", process: Process(args: ["x"]), streams: StreamChoice(stdin: true)))
        #expect(exec.pid == task.pid)
        let stream = try #require(exec.stream)
        try stream.writeEntire(Array("hello\n".utf8))
        #expect(try stream.readLine() == Array("hello\n".utf8))
        stream.discard()
        try fake.order("exec-exit e1 4")
        for await event in task.events {
            if case .execExited(let id, let code, _) = event {
                #expect(id == "e1" && code == 4)
                break
            }
        }
        await task.discard()

        let other = try await fake.create("two", ["fake.exec-start": "refuse"])
        try await other.start()
        let error = await refusal { try await other.exec(ExecDescription(id: "e2", process: Process(args: ["x"]))) }
        #expect(error?.exitCode == 127)
        #expect(await eventually { fake.requests("two").last == "exec-delete" }, "the shim forgets it")
        await other.discard()
    }

    @Test("attached before the start, a stream goes both ways and ends with the task")
    func attached() async throws {
        let fake = try FakeTasks()
        let task = try await fake.create()
        let stream = try await task.attach(StreamChoice(stdin: true))
        try await task.start()
        try stream.writeEntire(Array("ping\n".utf8))
        #expect(try stream.readLine() == Array("ping\n".utf8))
        try fake.order("exit 0")
        #expect(try stream.readLine().isEmpty)
        stream.discard()
        #expect(await task.exit()?.code == 0)
    }
}
