import Glibc
import LinuxKernel
import OCISpec
import ShimProtocol
import SystemPackage
import Testing
import Text

@Suite(
    "A real shim", .serialized,
    .enabled(if: TestContainer.obstacle.isEmpty, Comment(rawValue: TestContainer.obstacle)))
struct ContainerTests {
    @Test("output is in the log, the exit code in the event and in the file, and nothing else is left")
    func run() throws {
        let container = try TestContainer(["sh", "-c", "echo out; echo err >&2; exit 7"])
        let connection = try container.connect()
        try connection.call(.start)
        let record = try connection.exit()
        #expect(record.exitCode == 7)
        #expect(record.warning == nil)
        #expect(try container.exitRecord == record)
        #expect(try container.records.sorted() == ["stderr: err\n", "stdout: out\n"])
        #expect(try container.shimFiles == ["exit"])
        #expect(try TestContainer.eventually { container.hasShimEnded })
        for controller in ["memory", "pids", "unified"] {
            #expect(!Files.exists(FilePath("/sys/fs/cgroup/\(controller)\(container.id)")))
        }
    }

    @Test(
        "a signal's exit code is 128 and its number",
        arguments: [("kill -9 $$", 137), ("kill -6 $$", 134), ("exit 255", 255)])
    func exitCodes(_ command: String, _ code: Int32) throws {
        // The first process of a pid namespace does not get signals from within; a shell in it does.
        let container = try TestContainer(["sh", "-c", "sh -c '\(command)'; exit $?"])
        let connection = try container.connect()
        try connection.call(.start)
        #expect(try connection.exit().exitCode == code)
    }

    @Test("with nobody connected the end is written down and the shim ends by itself")
    func nobody() throws {
        let container = try TestContainer(["sh", "-c", "sleep 0.2; echo still here; exit 3"])
        do {
            // The kernel closes the connections of a client that is killed: that is all a shim sees of kill -9.
            let connection = try container.connect()
            try connection.call(.start)
        }
        #expect(try TestContainer.eventually { container.hasShimEnded })
        #expect(try container.exitRecord?.exitCode == 3)
        #expect(try container.records == ["stdout: still here\n"])
        #expect(try container.shimFiles == ["exit"])
    }

    @Test("a client that asks after the end is told of it")
    func lateQuestion() throws {
        let container = try TestContainer(["true"])
        let connection = try ShimConnection(bundle: container.bundle, timeout: 10)
        try connection.call(.start)
        #expect(try TestContainer.eventually { Files.exists(container.bundle.appending(ShimBundle.exit)) })
        guard case .state(.exited(let record)) = try connection.call(.subscribe) else {
            Issue.record("another state than exited")
            return
        }
        #expect(record.exitCode == 0)
        #expect(try TestContainer.eventually { container.hasShimEnded })
    }

    @Test(
        "a failed launch says why, and leaves nothing",
        arguments: [
            (["nothing-of-this-name"], ShimError.Reason.commandNotFound), (["/bin/nothing"], .commandNotFound),
            (["/tmp"], .notExecutable), (["/proc/version"], .notExecutable),
        ])
    func failedLaunch(_ arguments: [String], _ kind: ShimError.Reason) throws {
        let container = try TestContainer(arguments)
        guard case .failed(let error) = container.launchResult else {
            Issue.record("launched")
            return
        }
        #expect(error.reason == kind, "\(error)")
        #expect(try container.shimFiles == [])
        #expect(!Files.exists(container.log))
    }

    @Test("a client that is attached gets output in frames, gives input, and its end of it is the container's")
    func attach() throws {
        let container = try TestContainer(["sh", "-c", "cat; echo done >&2"], openStdin: true, stdinOnce: true)
        let connection = try container.connect()
        let stream = try container.attach(stdin: true)
        try connection.call(.start)
        let text = Array(String(repeating: "0123456789", count: 50_000).utf8)
        let writer = Thread { try? stream.writeEntire(text) }
        let reader = Thread { [UInt8](try! stream.readToEnd()) }
        writer.join()
        try stream.shutdownSending()
        let (output, error) = unframed(reader.join())
        #expect(output == text)
        #expect(error == Array("done\n".utf8))
        #expect(try connection.exit().exitCode == 0)
        try stream.close()
    }

    @Test("input is taken only as fast as the process reads it")
    func backpressure() throws {
        // It reads nothing before it is told to.
        let container = try TestContainer(
            ["sh", "-c", "trap 'wc -c; exit 0' USR1; echo ready; while :; do sleep 0.05; done"], openStdin: true,
            stdinOnce: true)
        let connection = try container.connect()
        let stream = try container.attach(stdin: true)
        try stream.setNonBlocking(true)
        try connection.call(.start)
        #expect(try TestContainer.eventually { try container.records == ["stdout: ready\n"] })
        let block = [UInt8](repeating: 1, count: 65536)
        var sent = 0
        // Until nothing more is taken for a while.
        for _ in 0..<20 {
            while case let count = block.withUnsafeBytes({ write(stream.rawValue, $0.baseAddress, $0.count) }),
                count > 0
            {
                sent += count
            }
            usleep(10_000)
        }
        #expect(sent < 2 << 20)
        try connection.call(.kill(signal: try #require(Signal("USR1"))))
        try stream.setNonBlocking(false)
        try stream.close()
        _ = try connection.exit()
        #expect(
            try container.records.last == "stdout: \(sent)\n", "what has been taken is not lost with the client")
    }

    @Test("a client that does not read stalls nobody, and later gets every byte")
    func slowClient() throws {
        let count = 400_000
        let container = try TestContainer(["seq", "\(count)"])
        let connection = try container.connect()
        let slow = try container.attach()
        let gone = try container.attach()
        let quick = try container.attach()
        try connection.call(.start)
        try gone.close()
        let reader = Thread { [UInt8](try! quick.readToEnd()) }
        // The container ends, and this says so, while the slow client has read nothing.
        #expect(try connection.exit().exitCode == 0)
        let expected = (1...count).map { "\($0)\n" }.joined()
        #expect(unframed(reader.join()).output == Array(expected.utf8))
        #expect(!container.hasShimEnded)
        #expect(unframed(try slow.readToEnd()).output == Array(expected.utf8))
        #expect(try TestContainer.eventually { container.hasShimEnded })
        try slow.close()
        try quick.close()
    }

    @Test("a terminal is raw, has a size, and detach keys end the attachment alone")
    func terminal() throws {
        let container = try TestContainer(
            ["sh", "-c", "stty size; read line; stty size; echo got $line"], terminal: true, openStdin: true)
        let connection = try container.connect()
        try connection.call(.resize(columns: 101, rows: 37))
        let first = try container.attach(stdin: true, detachKeys: DetachKeys.standard.bytes)
        try connection.call(.start)
        try first.writeEntire([16, 17])
        _ = try first.readToEnd()
        try first.close()
        #expect(try connection.nextEvent() == .detached(execID: nil))
        #expect(try TestContainer.eventually { try !container.records.isEmpty })
        try connection.call(.resize(columns: 55, rows: 44))
        let second = try container.attach(stdin: true, detachKeys: DetachKeys.standard.bytes)
        try second.writeEntire(Array("hello\n".utf8))
        let output = String(decoding: try second.readToEnd(), as: UTF8.self)
        #expect(output.hasSuffix("44 55\r\ngot hello\r\n"), "\(output)")
        try second.close()
        #expect(try connection.exit().exitCode == 0)
        #expect(try container.records.first == "stdout: 37 101\r\n")
    }

    @Test("an exec has its own streams and exit code")
    func exec() throws {
        let container = try TestContainer(["sleep", "100"])
        let connection = try container.connect()
        try connection.call(.start)
        let process = Process(args: ["sh", "-c", "cat; echo err >&2; exit 5"], env: ["PATH=/bin"])
        try connection.call(.exec(id: "x", process: process, openStdin: true))
        #expect(try connection.call(.execState(id: "x")) == .execState(.created))
        let stream = try container.attach(execID: "x", stdin: true)
        guard case .started(let pid) = try connection.call(.execStart(id: "x")) else {
            Issue.record("not started")
            return
        }
        #expect(try connection.nextEvent() == .execStarted(execID: "x", pid: pid))
        try stream.writeEntire(Array("in".utf8))
        try stream.shutdownSending()
        let (output, error) = unframed(try stream.readToEnd())
        #expect(output == Array("in".utf8))
        #expect(error == Array("err\n".utf8))
        guard case .execExited("x", 5, _) = try connection.nextEvent() else {
            Issue.record("another event")
            return
        }
        #expect(throws: ShimError(.notFound, "no such exec: x")) { try connection.call(.execState(id: "x")) }
        try connection.call(.exec(id: "y", process: Process(args: ["nothing"], env: ["PATH=/bin"]), openStdin: false))
        #expect { try connection.call(.execStart(id: "y")) } throws: { ($0 as? ShimError)?.reason == .commandNotFound }
        #expect(try container.records.isEmpty, "an exec's output is not the container's")
        try stream.close()
    }

    @Test("pause, resume, processes, statistics, signals")
    func control() throws {
        let container = try TestContainer([
            "sh", "-c", "trap 'echo term; exit 4' TERM; echo ready; while true; do sleep 0.05; done",
        ])
        let connection = try container.connect()
        #expect(throws: ShimError.self) { try connection.call(.pause) }
        try connection.call(.start)
        // A first process ignores the signal before the trap is set.
        #expect(try TestContainer.eventually { try container.records == ["stdout: ready\n"] })
        #expect(throws: ShimError.self) { try connection.call(.start) }
        guard case .processes(let pids) = try connection.call(.processes) else { return }
        #expect(!pids.isEmpty)
        try connection.call(.pause)
        guard case .state(.running(_, _, paused: true)) = try connection.call(.state) else {
            Issue.record("not paused")
            return
        }
        try connection.call(.resume)
        if case .statistics(let statistics) = try connection.call(.statistics) {
            #expect(statistics.droppedLogLines == 0)
        }
        #expect(throws: ShimError.self) { try connection.call(.shutdown) }
        try connection.call(.kill(signal: .terminate))
        #expect(try connection.exit().exitCode == 4)
        #expect(try container.records == ["stdout: ready\n", "stdout: term\n"])
    }

    @Test("a container whose bundle somebody has removed can be controlled, and its end is told")
    func removedBundle() throws {
        let container = try TestContainer([
            "sh", "-c", "trap 'exit 4' TERM; echo here; while true; do sleep 0.05; done",
        ])
        let connection = try container.connect()
        try connection.call(.start)
        #expect(try TestContainer.eventually { try !container.records.isEmpty })
        try TreeRemoval.remove(container.bundle)
        guard case .processes(let pids) = try connection.call(.processes) else { return }
        #expect(pids.contains(try #require(container.pid)))
        try connection.call(.pause)
        try connection.call(.resume)
        try connection.call(.kill(signal: .terminate))
        let record = try connection.exit()
        #expect(record.exitCode == 4)
        #expect(record.warning == nil)
        #expect(try TestContainer.eventually { container.hasShimEnded })
        for hierarchy in try Files.names(in: "/sys/fs/cgroup") {
            #expect(!Files.exists(FilePath("/sys/fs/cgroup/\(hierarchy)\(container.group)")))
        }
    }

    @Test("a paused container can be killed")
    func killPaused() throws {
        let container = try TestContainer(["sleep", "100"])
        let connection = try container.connect()
        try connection.call(.start)
        try connection.call(.pause)
        try connection.call(.kill(signal: .kill))
        #expect(try connection.exit().exitCode == 137)
    }

    @Test(
        "without a pid namespace of its own, what the first process leaves behind is killed and does not hold up its end"
    )
    func leftovers() throws {
        let container = try TestContainer(["sh", "-c", "(trap '' TERM; sleep 1000) & echo bye"], hostPIDs: true)
        let connection = try container.connect()
        try connection.call(.start)
        let record = try connection.exit()
        #expect(record.warning == nil)
        #expect(try container.records == ["stdout: bye\n"])
        #expect(try TestContainer.eventually { container.hasShimEnded })
    }

    @Test("too little memory ends in a kill that is told and recorded")
    func outOfMemory() throws {
        let container = try TestContainer(["sh", "-c", "tail /dev/zero"]) { spec, _ in
            var memory = LinuxMemory()
            memory.limit = 16 << 20
            memory.swap = 16 << 20
            var resources = LinuxResources()
            resources.memory = memory
            spec.linux?.resources = resources
        }
        let connection = try container.connect()
        try connection.call(.start)
        #expect(try connection.exit().oomKilled)
    }

    @Test("the shim ignores signals and nonsense from clients")
    func robustness() throws {
        let container = try TestContainer(
            ["sh", "-c", "trap 'exit 6' TERM; echo ready; while :; do sleep 0.05; done"])
        let connection = try container.connect()
        try connection.call(.start)
        #expect(try TestContainer.eventually { try container.records == ["stdout: ready\n"] })
        let pid = try #require(container.shimPID)
        for signal in [SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGPIPE] { kill(pid, signal) }
        for nonsense in [[0xff, 0xff, 0xff, 0xff], [0, 0, 0, 1, 0x7b], [0, 0, 0, 9, 1]] as [[UInt8]] {
            let client = try ShimConnection(bundle: container.bundle, timeout: 10)
            try client.descriptor.writeEntire(nonsense)
        }
        try connection.call(.kill(signal: .terminate))
        #expect(try connection.exit().exitCode == 6)
    }
}
