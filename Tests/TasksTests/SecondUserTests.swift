import BlockingCalls
import Glibc
import LinuxKernel
import Logging
import OCISpec
import ShimProtocol
import SystemPackage
import Tasks
import TemporaryDirectories
import Testing

/// A user of `Tasks` that is not the engine: no images, no names, no database. It runs busybox from a directory, by the
/// real shim.
@Suite(
    "Tasks: a second user", .enabled(if: SecondUser.obstacle.isEmpty, "\(SecondUser.obstacle)"),
    .timeLimit(.minutes(10))
)
struct SecondUserTests {
    @Test("runs a program, talks to it, takes it over after a crash, looks into it, and kills it")
    func all() async throws {
        let user = try SecondUser()
        defer { user.removeCgroup() }
        let task = try await user.tasks.create("tiny") { [user] in
            user.description("while read x; do echo got $x; done")
        }
        let stream = try await task.attach(StreamChoice(stdin: true))
        try await task.start()
        try stream.writeEntire(Array("ping\n".utf8))
        // Docker's frame: stream 1, three zeros, the length, the bytes.
        #expect(try stream.readLine() == [1, 0, 0, 0, 0, 0, 0, 9] + Array("got ping\n".utf8))

        // The first user dies. The next one finds the task by the directory alone.
        task.letGo()
        let next = try user.again()
        #expect(try next.ids() == ["tiny"])
        guard case .running(let found, let presence) = await next.recover("tiny") else {
            Issue.record("the task did not outlive its user")
            return
        }
        #expect(presence.pid == task.pid && !presence.isPaused)
        try stream.writeEntire(Array("pong\n".utf8))
        #expect(try stream.readLine().suffix(9) == Array("got pong\n".utf8))

        let exec = try await found.exec(
            ExecDescription(
                id: "look", process: Process(args: ["/bin/busybox", "echo", "inside"]), streams: StreamChoice()))
        #expect(try exec.stream?.readLine().suffix(7) == Array("inside\n".utf8))
        exec.stream?.discard()
        #expect(try await found.processes().contains(found.pid))
        try await found.pause()
        try await found.resume()

        try await found.signal(.kill)
        #expect(await found.exit()?.code == 137)
        #expect(try stream.readLine().isEmpty, "the stream ends with the task")
        stream.discard()
        await next.remove("tiny")
        #expect(try next.ids().isEmpty)
    }

    @Test("a program that does not exist is refused with 127, and nothing is left")
    func missing() async throws {
        let user = try SecondUser()
        defer { user.removeCgroup() }
        var description = user.description("")
        description.specification.process?.args = ["/nowhere"]
        let wanted = description
        let error = await refusal {
            let task = try await user.tasks.create("none") { wanted }
            try await task.start()
        }
        #expect(error?.exitCode == 127)
        #expect(try user.tasks.ids().isEmpty)
    }
}

/// What the second user needs: a directory with busybox, a place for bundles, a control group.
private struct SecondUser: Sendable {
    static let shim = FakeTasks.programs.appending("masu-shim")
    static let obstacle =
        geteuid() != 0
        ? "needs root" : Files.exists("/bin/busybox") && Files.exists(shim) ? "" : "needs busybox-static and \(shim)"
    private static let pool = BlockingPool(threads: 2, name: "second")

    let directory = try? TemporaryDirectory()
    let root: FilePath
    let tasks: Tasks
    let group = "/masu-second-user-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"

    init() throws {
        root = try #require(directory?.path.appending("root"))
        for name in ["bin", "dev", "proc"] { try Files.makeDirectories(root.appending(name)) }
        let busybox = try Files.open(root.appending("bin/busybox"), [.writeOnly, .create, .exclusive], mode: 0o755)
        try busybox.writeEntire(try Files.read("/bin/busybox"))
        try busybox.close()
        tasks = try Self.open(root)
    }

    private static func open(_ root: FilePath) throws -> Tasks {
        var configuration = TasksConfiguration(
            directory: root.removingLastComponent().appending("bundles"), shimProgram: shim)
        // A busy machine does not reach it.
        configuration.patience.recovery = .seconds(120)
        return try Tasks(
            configuration, pool: pool, logger: Logger(label: "second") { _ in SwiftLogNoOpLogHandler() })
    }

    func again() throws -> Tasks { try Self.open(root) }

    func description(_ script: String) -> TaskDescription {
        var spec = Spec()
        spec.process = Process(args: ["/bin/busybox", "sh", "-c", script], cwd: "/", env: ["PATH=/bin"])
        spec.root = Root(path: "rootfs")
        spec.mounts = [
            Mount(destination: "/proc", type: "proc", source: "proc"),
            Mount(destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["mode=755"]),
        ]
        var linux = Linux()
        linux.namespaces = [.pid, .mount, .ipc, .uts].map { LinuxNamespace(type: $0) }
        linux.cgroupsPath = group + "/tiny"
        spec.linux = linux
        return TaskDescription(
            spec, rootMounts: [RootMount(type: "bind", source: root.string, options: ["bind"])], input: .open)
    }

    /// The parent of the task's control group, which the shim has left empty.
    func removeCgroup() {
        for hierarchy in (try? Files.names(in: "/sys/fs/cgroup")) ?? [] { rmdir("/sys/fs/cgroup/\(hierarchy)\(group)") }
        rmdir("/sys/fs/cgroup\(group)")
    }
}
