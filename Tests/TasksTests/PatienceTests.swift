import Glibc
import LinuxKernel
import SystemPackage
import Tasks
import Testing

@Suite(
    "Tasks: shims that do not do what they should", .enabled(if: FakeTasks.obstacle.isEmpty, "\(FakeTasks.obstacle)"),
    .timeLimit(.minutes(10)))
struct PatienceTests {
    @Test("a shim that is stopped is killed when its task is to be killed, and the task is lost")
    func stopped() async throws {
        let fake = try FakeTasks { $0.kill = .milliseconds(200) }
        let task = try await fake.create()
        try await task.start()
        kill(task.shimPID, SIGSTOP)
        try await task.signal(.kill)
        let exit = try #require(await task.exit())
        #expect(exit.code == 137 && exit.warning != nil)
        #expect(await eventually { !lives(task.shimPID) })
    }

    @Test("any other call fails in time, names the request, and the shim lives", arguments: ["processes", "kill-USR1"])
    func silent(_ request: String) async throws {
        let fake = try FakeTasks { $0.runtime = .milliseconds(200) }
        let task = try await fake.create("one", ["fake.\(request)": "silent"])
        try await task.start()
        let error = await refusal {
            if request == "processes" {
                _ = try await task.processes()
            } else {
                try await task.signal(#require(.init("USR1")))
            }
        }
        #expect(error?.kind == .unavailable)
        #expect(error?.message.contains("has not answered \"\(request == "processes" ? request : "kill")\"") ?? false)
        #expect(lives(task.shimPID))
        await task.discard()
    }

    @Test("a caller may have less patience than there is")
    func hurried() async throws {
        let fake = try FakeTasks()
        let task = try await fake.create("one", ["fake.kill-TERM": "silent"])
        try await task.start()
        #expect(await refusal { try await task.signal(.terminate, within: .milliseconds(100)) }?.kind == .unavailable)
        await task.discard()
    }

    @Test("a start that is not answered ends the task")
    func silentStart() async throws {
        let fake = try FakeTasks { $0.runtime = .milliseconds(200) }
        let task = try await fake.create("one", ["fake.start": "silent"])
        #expect(await refusal { try await task.start() }?.kind == .unavailable)
        #expect(try fake.tasks.ids().isEmpty)
        #expect(await eventually { !lives(task.shimPID) })
    }

    @Test("garbage costs the shim its life, an event from a newer version nothing")
    func garbage() async throws {
        let fake = try FakeTasks()
        let task = try await fake.create("one", ["fake.processes": "garbage"])
        try await task.start()
        #expect(await refusal { try await task.processes() } != nil)
        #expect(await task.exit()?.code == 137)
        #expect(await eventually { !lives(task.shimPID) })

        let newer = try await fake.create("two", ["fake.processes": "unknown"])
        try await newer.start()
        #expect(try await newer.processes() == [newer.pid])
        await newer.discard()
    }

    @Test("a task whose bundle was deleted can still be killed: its runtime finds nothing, its process is known")
    func deletedBundle() async throws {
        let fake = try FakeTasks()
        let task = try await fake.create("one", ["fake.kill-KILL": "gone", "fake.kill-TERM": "gone"])
        try await task.start()
        let control = try Files.open(fake.tasks.bundle(of: "one").appending("control"), [.readWrite])
        defer { control.discard() }
        try TreeRemoval.remove(fake.tasks.bundle(of: "one"))
        try await task.signal(.kill)
        #expect(await task.exit()?.code == 137)
        #expect(
            await refusal { try await task.signal(.terminate) }?.saysEnded ?? false, "a second one finds no process")
    }
}
