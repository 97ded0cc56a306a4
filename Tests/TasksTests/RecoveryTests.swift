import Glibc
import LinuxKernel
import SystemPackage
import Tasks
import Testing

@Suite("Tasks: recovery", .enabled(if: FakeTasks.obstacle.isEmpty, "\(FakeTasks.obstacle)"), .timeLimit(.minutes(10)))
struct TaskRecoveryTests {
    @Test("a running task is taken over with its events")
    func running() async throws {
        let fake = try FakeTasks()
        let task = try await fake.create()
        try await task.start()
        task.letGo()
        #expect(await task.exit() == nil)
        guard case .running(let next, let presence) = await (try fake.again()).recover("one") else {
            Issue.record("it runs")
            return
        }
        #expect(presence.pid == task.pid && next.pid == task.pid && next.shimPID == task.shimPID)
        #expect(!presence.isPaused)
        try fake.order("exit 6")
        #expect(await next.exit()?.code == 6)
    }

    @Test("an end that nobody saw is found")
    func ended() async throws {
        let fake = try FakeTasks()
        let task = try await fake.create()
        try await task.start()
        task.letGo()
        try fake.order("exit 3")
        #expect(await eventually { !lives(task.shimPID) })
        guard case .ended(let exit) = await fake.tasks.recover("one") else {
            Issue.record("it has ended")
            return
        }
        #expect(exit.code == 3 && exit.pid == task.pid)
    }

    @Test("a task that was never started is gone after the recovery")
    func neverStarted() async throws {
        let fake = try FakeTasks()
        let task = try await fake.create()
        task.letGo()
        guard case .neverStarted = await fake.tasks.recover("one") else {
            Issue.record("it was created and not started")
            return
        }
        #expect(await eventually { !lives(task.pid) && !lives(task.shimPID) })
    }

    @Test("of a killed shim nothing but its bundle is found; burying it says so")
    func gone() async throws {
        let fake = try FakeTasks()
        let task = try await fake.create()
        try await task.start()
        task.letGo()
        kill(task.shimPID, SIGKILL)
        #expect(await eventually { !lives(task.shimPID) })
        guard case .gone = await fake.tasks.recover("one") else {
            Issue.record("nobody knows how it ended")
            return
        }
        let exit = await fake.tasks.bury("one", pid: task.pid)
        #expect(exit.code == 137 && exit.warning != nil)
        guard case .gone = await fake.tasks.recover("two") else {
            Issue.record("there never was one")
            return
        }
    }

    @Test("a pause of the user stays, a hold of somebody who has died does not", arguments: [true, false])
    func frozen(_ isUsers: Bool) async throws {
        let fake = try FakeTasks()
        let task = try await fake.create()
        try await task.start()
        if isUsers { try await task.pause() } else { _ = try await task.hold() }
        task.letGo()
        guard case .running(let next, let presence) = await fake.tasks.recover("one", isPaused: isUsers) else {
            Issue.record("it runs")
            return
        }
        #expect(presence.isPaused == isUsers)
        #expect(fake.requests().contains("resume") == !isUsers)
        await next.discard()
    }

    @Test("a shim that does not answer is waited for in the background")
    func silent() async throws {
        let fake = try FakeTasks()
        let task = try await fake.create()
        try await task.start()
        task.letGo()
        kill(task.shimPID, SIGSTOP)
        let next = try fake.again { $0.recovery = .milliseconds(100) }
        guard case .silent(let silent) = await next.recover("one") else {
            Issue.record("it does not answer")
            return
        }
        kill(task.shimPID, SIGCONT)
        for await event in silent.events {
            if case .answered(let presence) = event {
                #expect(presence.pid == task.pid)
                break
            }
        }
        await silent.discard()
        #expect(try fake.tasks.ids().isEmpty)
    }

    @Test(
        "what nobody wants is ended, in whatever state it is", arguments: ["created", "running", "stopped", "killed"])
    func ending(_ state: String) async throws {
        let fake = try FakeTasks {
            $0.recovery = .milliseconds(100)
            $0.kill = .milliseconds(300)
        }
        let task = try await fake.create()
        if state != "created" { try await task.start() }
        task.letGo()
        if state == "stopped" { kill(task.shimPID, SIGSTOP) }
        if state == "killed" { kill(task.shimPID, SIGKILL) }
        await fake.tasks.end("one")
        #expect(try fake.tasks.ids().isEmpty)
        #expect(await eventually { !lives(task.shimPID) })
    }
}
